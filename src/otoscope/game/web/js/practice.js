// The practice: a few tunes that the server made for it, with a word after each answer.

import { Board } from "./board.js";
import { actions, button, el, show } from "./dom.js";
import { Run } from "./run.js";
import { t } from "./words.js";

const GAP_S = 0.1;
const SEEN_S = 0.8; // how long a chosen answer is seen before the word about it

export function practiceIntroduced(keys) {
  return new Promise((done) => {
    const rows = ["new", "repeat", "knew"].map((answer) =>
      el("li", {}, el("strong", { text: t(`answer.${answer}`) }), document.createTextNode(t(`practice.${answer}`))),
    );
    show("practice-introduced", t("practice.title"), [
      el("div", { class: "prose" }, el("p", { text: t("practice.how") }), el("ul", {}, ...rows)),
      actions(button(t("practice.go"), () => done(keys), { kind: "main", id: "practise" })),
    ]);
  });
}

// What is said about an answer: a heading, and a hint or null.
function verdict(repeat, answer) {
  const kind = repeat ? "repeat" : "new";
  const heading = t(`practice.${answer === kind ? "right" : "other"}_${kind}`);
  if (answer === "timeout") return [heading, t("practice.hint_timeout")];
  if (answer === "knew") return [heading, t("practice.hint_knew")];
  return [heading, null];
}

// Resolves with {correct, total}.
export async function practice(sound, study, clips) {
  await sound.load(clips.map(({ clip }) => clip));
  let correct = 0;
  for (const [n, { clip, repeat }] of clips.entries()) {
    let run;
    const board = new Board("practice", t("practice.title"), study.keys, (answer, event) => run.press(answer, event));
    let given = "timeout";
    run = new Run(sound, board, {
      slots: [{ slot: n, clip }],
      timing: { ...study.timing, gap_s: study.timing.window_s + GAP_S },
      base_s: 0,
      begun: () => {},
      answered: (row) => {
        given = row.answer;
        setTimeout(() => run.stop(), 1000 * SEEN_S);
      },
    });
    await run.play();
    board.close();
    if (given === (repeat ? "repeat" : "new")) correct += 1;
    const [heading, hint] = verdict(repeat, given);
    await new Promise((done) => {
      const last = n === clips.length - 1;
      show(
        "practice-said",
        heading,
        [
          hint ? el("p", { text: hint }) : null,
          actions(button(t(last ? "go_on" : "practice.next"), () => done(), { kind: "main", id: "next" })),
          el("p", { class: "small", text: t("practice.count", { n: n + 1, of: clips.length }) }),
        ],
        { centred: true },
      );
    });
  }
  return { correct, total: clips.length };
}
