// The screens after the last clip, and those of a player who leaves.

import { actions, button, el, say, show } from "./dom.js";
import { markdown } from "./markdown.js";
import { t } from "./words.js";

function bar(kind, label, count, of) {
  const done = el("div", { class: "bar-done" });
  done.style.inlineSize = `${of ? (100 * count) / of : 0}%`;
  return el(
    "li",
    { class: `bar ${kind}` },
    el("p", { class: "bar-head" }, el("span", { text: label }), el("strong", { text: t("end.of", { count, of }) })),
    el("div", { class: "bar-line", "aria-hidden": "true" }, done),
  );
}

function copied(text) {
  const say_it = () => say(t("end.copied"));
  const old = () => {
    getSelection().selectAllChildren(document.getElementById("code"));
    document.execCommand("copy");
  };
  if (!navigator.clipboard) {
    old();
    say_it();
    return Promise.resolve();
  }
  return navigator.clipboard.writeText(text).catch(old).then(say_it);
}

function codeShown(id, code) {
  const copy = button(t("end.copy"), async () => {
    await copied(code);
    copy.textContent = t("end.copied");
  });
  return el("div", { class: "code" }, el("output", { id, text: code }), copy);
}

const delay = (hours) =>
  hours >= 48 ? t("end.days", { n: Math.round(hours / 24) }) : t("end.hours", { n: Math.round(hours) });

export function end(study, lang, result) {
  const bars = el(
    "ul",
    { class: "bars" },
    bar("right", t("end.hits"), result.hits, result.targets),
    bar("false", t("end.false_alarms"), result.false_alarms, result.firsts),
  );
  const back = result.redirect
    ? el("a", {
        class: "button main",
        id: "redirect",
        href: result.redirect,
        rel: "noreferrer",
        text: t("end.redirect"),
      })
    : null;
  const second = result.return_code
    ? el(
        "section",
        { class: "part" },
        el("h2", { text: t("end.second") }),
        el("p", { text: t("end.second_how", { when: delay(result.return_after_h ?? 0) }) }),
        codeShown("return-code", result.return_code),
      )
    : null;
  show("end", t("end.title"), [
    markdown(result.debrief, lang).body,
    bars,
    el(
      "section",
      { class: "part" },
      el("h2", { text: t("end.code") }),
      codeShown("code", result.code),
      back ? actions(back) : null,
    ),
    second,
    el(
      "section",
      { class: "part" },
      el("h2", { text: t("end.data") }),
      el("p", { text: study.contact ? t("end.data_how_contact", { contact: study.contact }) : t("end.data_how") }),
    ),
  ]);
}

export function goodbye({ withdrawn = false, again = null } = {}) {
  show(
    "goodbye",
    t(withdrawn ? "withdrawn.title" : "declined.title"),
    [
      el("p", { text: t(withdrawn ? "withdrawn.how" : "declined.how") }),
      again ? actions(button(t("declined.back"), again, { kind: "quiet" })) : null,
    ],
    { centred: true },
  );
}

// A thing that does not work: what it is, and what can be done.
export function trouble(title, text, label, act) {
  return new Promise((done) => {
    show(
      "trouble",
      title,
      [
        el("p", { text }),
        act === undefined && !label
          ? null
          : actions(button(label, () => done(act?.()), { kind: "main", id: "again" })),
      ],
      { centred: true },
    );
  });
}
