// What is on the screen while clips play: a circle and three answers. Hears keys, touch, mouse and screen readers
// alike.

import { el, show } from "./dom.js";
import { t } from "./words.js";

export const ANSWERS = ["new", "repeat", "knew"];
const ARROWS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "Space", Enter: "↵" };

const shown = (key) => ARROWS[key] ?? (key.length === 1 ? key.toUpperCase() : key);

export class Board {
  // `pressed(answer, event)` hears every press, early and late ones too.
  constructor(name, heading, keys, pressed) {
    this.pressed = pressed;
    this.held = false;
    this.byKey = new Map(ANSWERS.flatMap((answer) => keys[answer].map((key) => [key.toLowerCase(), answer])));
    this.circle = el("div", { class: "circle", "aria-hidden": "true" });
    this.buttons = ANSWERS.map((answer) => this.answerButton(answer, keys[answer]));
    this.answers = el("div", { class: "answers", role: "group", "aria-label": t("play.question") }, ...this.buttons);
    this.board = el(
      "div",
      { class: "play", role: "application", tabindex: -1, "aria-label": t("play.region"), "data-state": "waiting" },
      this.circle,
      el("p", { class: "asked", "aria-hidden": "true", text: t("play.question") }),
      this.answers,
    );
    this.listening = (event) => this.key(event);
    addEventListener("keydown", this.listening);
    show(name, heading, [this.board], { centred: true, focus: this.board, seen: false });
    this.open(false);
  }

  answerButton(answer, keys) {
    const made = el(
      "button",
      {
        type: "button",
        class: "answer",
        "data-answer": answer,
        "aria-pressed": "false",
        "aria-keyshortcuts": keys.join(" "),
      },
      el("span", { text: t(`answer.${answer}`) }),
      el(
        "span",
        { class: "keys", "aria-hidden": "true" },
        ...keys.slice(0, 2).map((key) => el("kbd", { text: shown(key) })),
      ),
    );
    // A finger or a mouse counts when it goes down; a click without one comes from a keyboard or a screen reader.
    let down = false;
    made.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      down = true;
      this.press(answer, event);
    });
    made.addEventListener("click", (event) => {
      if (!down) this.press(answer, event);
      down = false;
    });
    return made;
  }

  key(event) {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || this.held) return;
    const answer = this.byKey.get(event.key.toLowerCase());
    if (!answer || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    this.press(answer, event);
  }

  press(answer, event) {
    if (!this.held) this.pressed(answer, event);
  }

  // Whether the circle breathes.
  sound(on) {
    this.circle.classList.toggle("sounding", on);
  }

  // Whether answers are taken.
  open(on) {
    this.board.dataset.state = on ? "open" : "waiting";
    for (const one of this.buttons) {
      one.setAttribute("aria-disabled", String(!on));
      if (on) one.setAttribute("aria-pressed", "false");
    }
  }

  choose(answer) {
    this.board.dataset.state = "answered";
    for (const one of this.buttons) {
      const chosen = one.dataset.answer === answer;
      one.setAttribute("aria-pressed", String(chosen));
      one.setAttribute("aria-disabled", String(!chosen));
    }
  }

  close() {
    this.held = true;
    removeEventListener("keydown", this.listening);
  }
}
