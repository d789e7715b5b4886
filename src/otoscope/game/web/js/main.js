// The way of a player through the page, from the first screen to the last.

import { end, goodbye, trouble } from "./after.js";
import { call, insist, lost, useToken } from "./api.js";
import { consent, questions, volume, welcome } from "./before.js";
import { actions, button, el, nameStudy, note, progress, show, wait } from "./dom.js";
import { Game } from "./game.js";
import { headphonesAsked, headphoneTrials } from "./headphones.js";
import { read, write } from "./keep.js";
import { hideMenu, setMenu } from "./menu.js";
import { Outbox } from "./outbox.js";
import { practice, practiceIntroduced } from "./practice.js";
import { Sound } from "./sound.js";
import { chooseLanguage, LANGUAGES, speak, t } from "./words.js";

const address = new URLSearchParams(location.search);
const sound = new Sound();
let study = null;
let lang = "en";
let game = null;
let over = false;

const PLATFORMS = [
  { name: "prolific", id: "PROLIFIC_PID", study_id: "STUDY_ID", session_id: "SESSION_ID" },
  { name: "sona", id: "survey_code" },
  { name: "other", id: "participant", study_id: "study", session_id: "session" },
];
const PARTING_S = 5;
const PLAIN = /^[A-Za-z0-9_-]{1,64}$/;

// The ids that a platform put into the address, or null.
export function platformOf(search) {
  for (const { name, ...fields } of PLATFORMS) {
    const id = search.get(fields.id);
    if (!id || !PLAIN.test(id)) continue;
    const found = { name, id };
    for (const key of ["study_id", "session_id"]) {
      const value = fields[key] ? search.get(fields[key]) : null;
      if (value && PLAIN.test(value)) found[key] = value;
    }
    return found;
  }
  return null;
}

async function fetchStudy(wanted) {
  const path = wanted ? `study?lang=${encodeURIComponent(wanted)}` : "study";
  study = await insist("GET", path, undefined, {
    waiting: (error) => note(error ? t("net.waiting") : ""),
  });
  nameStudy(study.title);
}

async function useLanguage(wanted) {
  lang = wanted;
  await speak(lang);
  await fetchStudy(lang);
}

function keepToken(token, state) {
  useToken(token);
  write("token", token);
  write("platform", platformOf(address)?.id ?? null);
  write("finished", null);
  write("volume", null);
  return state;
}

function forgetToken() {
  useToken(null);
  write("token", null);
  write("finished", null);
  write("token", null, { tab: true });
}

// The sitting that this browser has begun, or null.
async function sittingHere() {
  const passing = read("token", { tab: true });
  const id = platformOf(address)?.id ?? null;
  // Who comes back from the platform after the end, without having taken the code along, sees it again.
  const token = passing ?? read("token") ?? (id && !study.second_sitting ? read("finished") : null);
  if (!token || (id && id !== read("platform"))) return null;
  useToken(token);
  try {
    return await insist("GET", "session");
  } catch (error) {
    if (error.status !== 401) throw error;
    forgetToken();
    return null;
  }
}

async function newSitting() {
  let code = address.get("return_code");
  let problem = null;
  for (;;) {
    if (problem === null) {
      const given = await new Promise((done) => {
        const ask = () =>
          welcome(study, lang, {
            code,
            changeLanguage: async (name) => {
              await useLanguage(name);
              ask();
            },
          }).then(done);
        ask();
      });
      code = given.code;
      sound.wake();
    }
    while (!(await consent(study, lang, { problem }))) {
      await new Promise((again) => goodbye({ again }));
      problem = null;
    }
    sound.wake();
    try {
      const platform = platformOf(address);
      const body = { consent_version: study.consent.version, lang, platform };
      if (code) body.return_code = code;
      const { token, ...state } = await insist("POST", "sessions", body, { tries: 6, waiting });
      history.replaceState(null, "", location.pathname);
      return keepToken(token, state);
    } catch (error) {
      problem = null;
      if (error.code === "consent_changed") {
        await fetchStudy(lang);
        problem = t("consent.changed");
      } else {
        const known = ["already_played", "unknown_return_code", "study_full", "too_early"].includes(error.code);
        await trouble(t("trouble.title"), t(`trouble.${known ? error.code : "other"}`), t("back"));
      }
    }
  }
}

function waiting(error) {
  note(error && lost(error) ? t("net.waiting") : "");
}

const post = (stage, body) => insist("POST", `session/${stage}`, body, { waiting });

async function checkHeadphones(state) {
  let again = false;
  while (state.stage === "headphones") {
    if (!(await headphonesAsked({ again }))) return post("headphones", { answers: null });
    await sound.wake();
    const check = await insist("GET", "session/headphones", undefined, { waiting });
    state = await post("headphones", { answers: await headphoneTrials(sound, check) });
    again = true;
  }
  return state;
}

async function beforePlay(state) {
  while (!["play", "rest", "done", "withdrawn"].includes(state.stage)) {
    if (state.stage === "questions") {
      state = await post("questions", { answers: await questions(study.questions) });
    } else if (state.stage === "volume") {
      const level = await volume(sound);
      write("volume", level);
      state = await post("volume", { level });
    } else if (state.stage === "headphones") {
      state = await checkHeadphones(state);
    } else if (state.stage === "practice") {
      await practiceIntroduced(study.keys);
      await sound.wake();
      state = await post("practice", await practice(sound, study, state.practice));
    }
    if (over) return state;
  }
  return state;
}

async function withdraw() {
  over = true;
  game?.outbox.close();
  progress(null);
  note("");
  hideMenu();
  show("saving", t("withdraw.doing"), [], { centred: true });
  await insist("POST", "session/withdraw", {}, { waiting }).catch((error) => {
    if (error.code !== "withdrawn" && error.status !== 401) throw error;
  });
  // A fresh page: nothing of the sitting goes on behind the last screen.
  forgetToken();
  write("gone", true, { tab: true });
  location.reload();
}

async function finish() {
  if (game) await game.saved();
  let result;
  try {
    result = await insist("POST", "session/finish", {}, { waiting });
  } catch (error) {
    if (error.code !== "missing" || !game) throw error;
    game.take(await insist("GET", "session"));
    await game.play();
    return finish();
  }
  if (over) return undefined;
  // The next player of this browser begins anew; this tab may still be reloaded.
  const token = read("token") ?? read("token", { tab: true }) ?? read("finished");
  write("token", token, { tab: true });
  if (read("platform")) write("finished", token);
  write("token", null);
  hideMenu();
  note("");
  end(study, lang, result);
  return undefined;
}

const outboxOf = ({ session, phases }, told) =>
  new Outbox(session, (slot) => phases.find(({ slots }) => slots.some((one) => one.slot === slot))?.index ?? 0, told);

// Another player begins: what the one before still had to send is sent first, if that can be done.
async function letGo(state) {
  const outbox = outboxOf(state);
  await Promise.race([outbox.empty(), wait(PARTING_S)]);
  outbox.close();
  write(`begun.${state.session}`, null);
  forgetToken();
}

function welcomeBack() {
  return new Promise((done) => {
    show(
      "back",
      t("again.title"),
      [
        el("p", { text: t("again.how") }),
        actions(
          button(t("go_on"), () => done(true), { kind: "main", id: "resume" }),
          button(t("again.new"), () => done(false), { kind: "quiet", id: "anew" }),
        ),
      ],
      { centred: true },
    );
  });
}

// Two pages of one browser would play the same sitting twice; the second waits until the first is closed.
async function alone() {
  if (!navigator.locks) return;
  await new Promise((mine) => {
    const hold = () => {
      mine();
      return new Promise(() => {});
    };
    navigator.locks.request("otoscope.page", { ifAvailable: true }, async (lock) => {
      if (lock) return hold();
      show("elsewhere", t("elsewhere.title"), [el("p", { text: t("elsewhere.how") })], { centred: true });
      navigator.locks.request("otoscope.page", hold);
      return undefined;
    });
  });
}

async function begin() {
  const wished = [address.get("lang"), navigator.languages ?? []];
  await speak(chooseLanguage(...wished, Object.keys(LANGUAGES)));
  await fetchStudy(null);
  await useLanguage(chooseLanguage(...wished, study.languages));
  if (read("gone", { tab: true })) {
    write("gone", null, { tab: true });
    goodbye({ withdrawn: true });
    return;
  }
  await alone();
  let state = await sittingHere();
  const found = state !== null;
  if (found && state.lang !== lang) await useLanguage(state.lang);
  if (state?.stage === "withdrawn") {
    forgetToken();
    goodbye({ withdrawn: true });
    return;
  }
  if (state?.stage === "done") {
    await finish();
    return;
  }
  if (found && !(await welcomeBack())) {
    await letGo(state);
    state = null;
  } else if (found) {
    await sound.wake();
  }
  state ??= await newSitting();
  sound.setLevel(read("volume") ?? sound.level);
  setMenu(study, lang, { opened: () => game?.interrupt(), withdraw });
  const outbox = outboxOf(state, {
    ended: () => {
      game?.interrupt();
      setTimeout(() => location.reload(), 0);
    },
  });
  state = await beforePlay(state);
  if (over) return;
  game = new Game(study, state, sound, outbox);
  outbox.send();
  await game.play();
  if (!over) await finish();
}

addEventListener("beforeunload", (event) => {
  if (game?.playing) event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) game?.interrupt();
});
addEventListener("pagehide", () => game?.interrupt());

async function start() {
  try {
    await begin();
  } catch (error) {
    if (over) return;
    console.error(error);
    note("");
    const again = () => location.reload();
    await trouble(
      t("trouble.title"),
      t(error.code === "withdrawn" ? "withdrawn.how" : "trouble.other"),
      t("try_again"),
      again,
    );
  }
}

start();
