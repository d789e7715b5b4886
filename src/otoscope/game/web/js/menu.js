// The quiet menu: whom to ask, the consent once more, and withdrawing, which is asked twice.

import { actions, button, el } from "./dom.js";
import { markdown } from "./markdown.js";
import { t } from "./words.js";

function dialog(name, heading, children) {
  const made = el(
    "dialog",
    { "aria-labelledby": `${name}-title`, "data-dialog": name },
    el("div", { class: "screen" }, el("h2", { id: `${name}-title`, text: heading }), ...children.filter(Boolean)),
  );
  made.addEventListener("close", () => made.remove());
  document.body.append(made);
  made.showModal();
  return made;
}

// `opened` is called before it shows, `withdraw` once the player has said so twice.
export function setMenu(study, lang, { opened = () => {}, withdraw = null } = {}) {
  const open = document.getElementById("menu");
  open.hidden = false;
  open.textContent = t("menu.open");
  open.onclick = () => {
    opened();
    const box = dialog("menu", t("menu.title"), [
      study.contact ? el("p", { text: t("menu.contact", { contact: study.contact }) }) : null,
      actions(
        button(t("menu.close"), () => box.close(), { kind: "main", id: "menu-close" }),
        button(t("menu.consent"), () => reread(study, lang)),
        withdraw ? button(t("menu.withdraw"), () => sure(box, withdraw), { id: "withdraw" }) : null,
      ),
    ]);
  };
}

export function hideMenu() {
  document.getElementById("menu").hidden = true;
}

function reread(study, lang) {
  const { title, body } = markdown(study.consent.text, lang);
  const box = dialog("consent", title ?? t("consent.title"), [
    body,
    actions(button(t("menu.close"), () => box.close(), { kind: "main" })),
  ]);
}

function sure(menu, withdraw) {
  menu.close();
  const box = dialog("withdraw", t("withdraw.title"), [
    el("p", { text: t("withdraw.how") }),
    actions(
      button(t("withdraw.stay"), () => box.close(), { kind: "main", id: "stay" }),
      button(
        t("withdraw.do"),
        () => {
          box.close();
          withdraw();
        },
        { id: "withdraw-now" },
      ),
    ),
  ]);
}
