// The screens before the first clip: welcome, consent, questions, volume.

import { actions, button, el, say, show } from "./dom.js";
import { markdown } from "./markdown.js";
import { tune } from "./tones.js";
import { LANGUAGES, t } from "./words.js";

// Resolves with {code}: the return code that was typed, or null.
export function welcome(study, lang, { changeLanguage, code }) {
  return new Promise((done) => {
    const languages = el(
      "nav",
      { class: "languages", "aria-label": t("welcome.language") },
      ...study.languages
        .filter((name) => name in LANGUAGES)
        .map((name) =>
          button(LANGUAGES[name], () => changeLanguage(name), {
            kind: "quiet",
            lang: name,
            "aria-current": name === lang ? "true" : null,
          }),
        ),
    );
    const field = el("input", {
      class: "field",
      id: "return-code",
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      maxlength: 64,
      value: code ?? "",
    });
    const second = study.second_sitting
      ? el(
          "details",
          { open: Boolean(code) },
          el("summary", { text: t("welcome.second") }),
          el("div", {}, el("label", { for: "return-code", text: t("welcome.code") }), field),
        )
      : null;
    const go = button(t("welcome.go"), () => done({ code: field.value.trim() || null }), { kind: "main", id: "go" });
    show(
      "welcome",
      study.title,
      [
        el("div", { class: "circle sounding", "aria-hidden": "true" }),
        el("p", { class: "lead", text: t("welcome.about", { minutes: study.minutes }) }),
        actions(go),
        study.languages.length > 1 ? languages : null,
        second,
      ],
      { centred: true, large: true },
    );
  });
}

// Resolves with whether the player agrees.
export function consent(study, lang, { problem = null } = {}) {
  return new Promise((done) => {
    const { title, body } = markdown(study.consent.text, lang);
    const agree = study.minimum_age ? t("consent.agree_age", { age: study.minimum_age }) : t("consent.agree");
    show("consent", title ?? t("consent.title"), [
      problem ? el("p", { role: "alert", text: problem }) : null,
      body,
      actions(
        button(agree, () => done(true), { kind: "main", id: "agree" }),
        button(t("consent.decline"), () => done(false), { id: "decline" }),
      ),
      el("p", { class: "small", text: t("consent.version", { version: study.consent.version }) }),
    ]);
  });
}

function asked(question, given) {
  const name = `q-${question.id}`;
  if (question.kind === "choice") {
    const choices = [
      ...question.choices.map(({ value, text }) => ({ value, text, aside: false })),
      { value: "", text: t("questions.rather_not"), aside: true },
    ];
    const inputs = choices.map(({ value }) =>
      el("input", { type: "radio", name, value, checked: given === value || (given === null && value === "") }),
    );
    const field = el(
      "fieldset",
      { class: "choices", "aria-labelledby": "asked" },
      ...choices.map(({ text, aside }, n) =>
        el("label", { class: `choice${aside ? " aside" : ""}` }, inputs[n], el("span", { text })),
      ),
    );
    return { field, read: () => inputs.find((input) => input.checked)?.value || null };
  }
  const number = question.kind === "number";
  const input = el(number || (question.max_length ?? 0) <= 200 ? "input" : "textarea", {
    class: "field",
    id: name,
    "aria-labelledby": "asked",
    autocomplete: "off",
    type: number ? "number" : null,
    inputmode: number ? "decimal" : null,
    step: number ? "any" : null,
    min: question.min,
    max: question.max,
    maxlength: number ? null : question.max_length,
  });
  input.value = given ?? "";
  const read = () => {
    const text = input.value.trim();
    if (!text) return null;
    return number ? Number(text) : text;
  };
  return { field: input, read, valid: () => input.reportValidity() };
}

// Resolves with {id: value or null}; one question on the screen at a time.
export async function questions(list) {
  const answers = {};
  let place = 0;
  while (place < list.length) {
    const question = list[place];
    const before = question.id in answers ? answers[question.id] : undefined;
    const { field, read, valid = () => true } = asked(question, before);
    const step = await new Promise((done) => {
      const form = el(
        "form",
        {
          class: "question",
          novalidate: true,
          onsubmit: (event) => {
            event.preventDefault();
            if (!valid()) return;
            answers[question.id] = read();
            done(1);
          },
        },
        field,
        actions(
          el("button", { type: "submit", class: "main", id: "next", text: t("go_on") }),
          question.kind === "choice"
            ? null
            : button(t("questions.rather_not"), () => {
                answers[question.id] = null;
                done(1);
              }),
          place ? button(t("back"), () => done(-1), { kind: "quiet" }) : null,
        ),
      );
      const count = t("questions.count", { n: place + 1, of: list.length });
      const screen = show("questions", question.text, [
        form,
        el("p", { class: "small", text: `${count} ${t("questions.free")}` }),
      ]);
      screen.querySelector("h1").id = "asked";
    });
    place += step;
  }
  return answers;
}

// Resolves with the level, 0 to 1.
export function volume(sound) {
  return new Promise((done) => {
    let playing = null;
    const slider = el("input", {
      type: "range",
      id: "level",
      min: 0,
      max: 100,
      step: 1,
      value: Math.round(100 * sound.level),
      "aria-label": t("volume.level"),
      oninput: () => sound.setLevel(Number(slider.value) / 100),
    });
    const circle = el("div", { class: "circle", "aria-hidden": "true" });
    const stop = () => {
      playing?.stop();
      playing = null;
      circle.classList.remove("sounding");
      play.textContent = t("volume.play");
    };
    const begin = async () => {
      if (!(await sound.wake())) return;
      const source = sound.context.createBufferSource();
      source.buffer = tune(sound.context);
      source.loop = true;
      source.connect(sound.gain);
      source.start();
      playing = source;
      circle.classList.add("sounding");
      play.textContent = t("volume.stop");
      play.classList.remove("main");
      go.setAttribute("aria-disabled", "false");
    };
    const play = button(t("volume.play"), () => (playing ? stop() : begin()), { id: "tune", kind: "main" });
    const go = button(
      t("volume.good"),
      () => {
        if (go.getAttribute("aria-disabled") === "true") {
          say(t("volume.first"));
          return;
        }
        stop();
        done(sound.level);
      },
      { kind: "main", id: "good", "aria-disabled": "true" },
    );
    show(
      "volume",
      t("volume.title"),
      [
        circle,
        el("p", { text: t("volume.how") }),
        el(
          "div",
          { class: "slider" },
          el("span", { text: t("volume.soft"), "aria-hidden": "true" }),
          slider,
          el("span", { text: t("volume.loud"), "aria-hidden": "true" }),
        ),
        actions(play, go),
        el("p", { class: "small", text: t("volume.care") }),
      ],
      { centred: true },
    );
  });
}
