// The headphone check: which of three tones is softest, one of them in antiphase. Over loudspeakers the antiphase
// tone fades in the air and is taken for the softest. After Woods, Siegel, Traer, McDermott (2017).

import { actions, button, el, say, show } from "./dom.js";
import { tone } from "./tones.js";
import { t } from "./words.js";

const LEAD_S = 0.4;

// Resolves with whether the player has headphones on.
export function headphonesAsked({ again = false } = {}) {
  return new Promise((done) => {
    show(
      "headphones-asked",
      again ? t("headphones.again") : t("headphones.title"),
      [
        el("p", { text: again ? t("headphones.again_how") : t("headphones.how") }),
        actions(
          button(t("headphones.on"), () => done(true), { kind: "main", id: "headphones-on" }),
          button(t("headphones.none"), () => done(false), { id: "headphones-none" }),
        ),
        el("p", { class: "small", text: t("headphones.fine") }),
      ],
      { centred: true },
    );
  });
}

// Resolves with the chosen interval of every trial. A pause of the page begins the trial anew.
export async function headphoneTrials(sound, check) {
  const answers = [];
  for (const [n, trial] of check.trials.entries()) answers.push(await oneTrial(sound, check, trial, n));
  return answers;
}

function oneTrial(sound, check, trial, n) {
  return new Promise((done) => {
    let undo = [];
    let sources = [];
    let ready = false;
    const choose = (place) => {
      if (!ready) return;
      ready = false;
      stop();
      removeEventListener("keydown", key);
      done(place);
    };
    const buttons = Array.from({ length: trial.intervals }, (_, place) =>
      button(String(place + 1), () => choose(place), {
        "aria-label": t("headphones.tone", { n: place + 1 }),
        "aria-disabled": "true",
        "data-interval": place,
      }),
    );
    const key = (event) => {
      if (event.repeat || document.querySelector("dialog[open]")) return;
      const place = Number(event.key) - 1;
      if (buttons[place]) choose(place);
    };
    const stop = () => {
      for (const one of undo) one();
      for (const one of sources) one.stop();
      undo = [];
      sources = [];
      for (const one of buttons) one.classList.remove("sounding");
    };
    const play = async () => {
      stop();
      if (!(await sound.wake())) return;
      let time = sound.now + LEAD_S;
      buttons.forEach((one, place) => {
        const gain_db = place === trial.quiet ? check.quiet_db : 0;
        const buffer = tone(sound.context, {
          hz: check.tone_hz,
          seconds: check.tone_s,
          gain_db,
          antiphase: place === trial.antiphase,
        });
        sources.push(sound.start(buffer, time));
        undo.push(sound.at(time, () => one.classList.add("sounding")));
        undo.push(sound.at(time + check.tone_s, () => one.classList.remove("sounding")));
        time += check.tone_s + check.pause_s;
      });
      undo.push(
        sound.at(time - check.pause_s, () => {
          ready = true;
          for (const one of buttons) one.setAttribute("aria-disabled", "false");
          say(t("headphones.which"));
        }),
      );
    };
    addEventListener("keydown", key);
    const screen = show(
      "headphones",
      t("headphones.which"),
      [
        el("div", { class: "three", role: "group", "aria-label": t("headphones.which") }, ...buttons),
        actions(button(t("headphones.replay"), play, { kind: "quiet", id: "replay" })),
        el("p", { class: "small", text: t("headphones.count", { n: n + 1, of: check.trials.length }) }),
      ],
      { centred: true },
    );
    screen.dataset.trial = n;
    play();
  });
}
