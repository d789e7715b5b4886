// Progress of a study, for the people who run it. The token is typed in, or stands in the fragment of the address,
// from where it is taken away; it is never part of an address that is sent.

import { Refused } from "./api.js";
import { button, el, line, nameStudy, note, show } from "./dom.js";
import { read, write } from "./keep.js";
import { chooseLanguage, LANGUAGES, speak, t } from "./words.js";

const EVERY_S = 10;
const MISSING = "–";

let token = null;
let board = null;

function tokenOfAddress() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return found;
}

async function ask(path) {
  const answer = await fetch(`api/admin/${path}`, {
    headers: { Authorization: `Bearer ${token}` },
    cache: "no-store",
    credentials: "omit",
  });
  if (!answer.ok)
    throw new Refused(answer.status, await answer.json().catch(() => ({})), answer.headers.get("Retry-After"));
  return answer;
}

function askToken(problem) {
  board = null;
  return new Promise((done) => {
    const field = el("input", {
      class: "field",
      id: "token",
      type: "password",
      autocomplete: "off",
      spellcheck: "false",
      "aria-describedby": problem ? "problem" : null,
      "aria-invalid": problem ? "true" : null,
    });
    const form = el(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          if (field.value.trim()) done(field.value.trim());
        },
      },
      el("label", { for: "token", text: t("admin.token") }),
      field,
      problem ? el("p", { id: "problem", role: "alert", text: problem }) : null,
      el("button", { type: "submit", class: "main", text: t("admin.enter") }),
    );
    show("token", t("admin.title"), [form], { focus: null });
    field.focus();
  });
}

const number = (value, digits = 2) => (typeof value === "number" ? value.toFixed(digits) : MISSING);

function ago(seconds) {
  if (typeof seconds !== "number") return MISSING;
  if (seconds < 100) return t("admin.ago_s", { n: Math.round(seconds) });
  if (seconds < 6000) return t("admin.ago_min", { n: Math.round(seconds / 60) });
  return t("admin.ago_h", { n: Math.round(seconds / 3600) });
}

function table(heads, rows) {
  const cells = (name, values) =>
    values.map((value, n) =>
      el(name, { class: heads[n].kind ?? null, scope: name === "th" ? "col" : null, text: String(value ?? MISSING) }),
    );
  return el(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": heads.label },
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ...cells(
            "th",
            heads.map(({ text }) => text),
          ),
        ),
      ),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, ...cells("td", row)))),
    ),
  );
}

function headed(label, heads) {
  return Object.assign(heads, { label });
}

const count = (label, value, of = "") =>
  el(
    "div",
    {},
    el("dt", { text: label }),
    el("dd", {}, String(value), of ? el("span", { class: "of", text: ` ${of}` }) : null),
  );

function counts(status) {
  return el(
    "dl",
    { class: "counts" },
    count(t("admin.completed"), status.completed, t("admin.of_planned", { n: status.planned })),
    count(t("admin.playing"), status.active),
    count(t("admin.begun"), status.started),
    count(t("admin.withdrawn"), status.withdrawn),
    count(t("admin.responses"), status.responses),
  );
}

function reliability(found) {
  const none = found?.value === null || found?.value === undefined;
  const range = !none && typeof found.low === "number" ? ` (${number(found.low)}-${number(found.high)})` : "";
  const text = none
    ? t("admin.reliability_none", { reason: found?.reason ?? MISSING })
    : `${number(found.value)}${range}`;
  return el(
    "section",
    {},
    el("h2", { text: t("admin.reliability") }),
    el("p", { class: none ? null : "lead", text }),
  );
}

function exclusions(found) {
  const label = t("admin.exclusions");
  if (!found) return el("section", {}, el("h2", { text: label }), el("p", { text: t("admin.exclusions_none") }));
  const heads = headed(label, [
    { text: t("admin.rule") },
    { text: t("admin.limit"), kind: "words" },
    { text: t("admin.hit"), kind: "number" },
    { text: t("admin.judged"), kind: "number" },
  ]);
  const rows = found.rules.map(({ rule, limit, n, n_judged }) => [rule.replaceAll("_", " "), limit, n, n_judged]);
  return el(
    "section",
    {},
    el("h2", { text: label }),
    el("p", { text: t("admin.kept", { kept: found.kept, excluded: found.excluded }) }),
    table(heads, rows),
  );
}

const yesNo = (value) => (value === null || value === undefined ? MISSING : t(value ? "admin.yes" : "admin.no"));

function sessions(list) {
  const label = t("admin.sessions");
  if (!list.length) return el("section", {}, el("h2", { text: label }), el("p", { text: t("admin.nobody") }));
  const heads = headed(label, [
    { text: t("admin.session"), kind: "id" },
    { text: t("admin.stage") },
    { text: t("admin.answered"), kind: "number" },
    { text: t("admin.last") },
    { text: t("admin.language") },
    { text: t("admin.device") },
    { text: t("admin.headphones") },
  ]);
  const recent = [...list].sort((one, other) => (one.last_s_ago ?? Infinity) - (other.last_s_ago ?? Infinity));
  const rows = recent.map((row) => [
    row.sitting > 1 ? `${row.session} (${row.sitting})` : row.session,
    t(`stage.${row.stage}`),
    `${row.answered} / ${row.n_slots}`,
    ago(row.last_s_ago),
    LANGUAGES[row.lang] ?? row.lang,
    row.device,
    yesNo(row.headphones),
  ]);
  return el("section", {}, el("h2", { text: label }), table(heads, rows));
}

async function download(event) {
  const pressed = event.currentTarget;
  pressed.textContent = t("admin.downloading");
  try {
    const answer = await ask("download");
    const name = /filename="?([^";]+)/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "data.zip";
    const link = el("a", { href: URL.createObjectURL(await answer.blob()), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch {
    note(t("admin.unreachable"));
  }
  pressed.textContent = t("admin.download");
}

function leave() {
  write("admin", null, { tab: true });
  location.reload();
}

function draw(status) {
  if (!board) {
    nameStudy(status.title);
    board = el("div", { class: "screen" });
    const head = el(
      "div",
      { class: "actions" },
      button(t("admin.download"), download, { kind: "main", id: "download" }),
      button(t("admin.leave"), leave, { kind: "quiet" }),
    );
    show("progress", `${status.title}: ${t("admin.title")}`, [head, board]);
  }
  const { bar, set } = line(t("admin.completed"));
  set(status.planned ? Math.min(1, status.completed / status.planned) : 0);
  const focused = board.contains(document.activeElement);
  if (focused) return;
  const { free_bytes, database_bytes } = status.disk ?? {};
  board.replaceChildren(
    counts(status),
    bar,
    reliability(status.reliability),
    exclusions(status.exclusions),
    sessions(status.sessions),
    el("p", {
      class: "small",
      text: t("admin.disk", { free: number(free_bytes / 1e9, 1), size: number(database_bytes / 1e6, 1) }),
    }),
  );
}

async function follow() {
  for (;;) {
    try {
      draw(await (await ask("status")).json());
      write("admin", token, { tab: true });
      note("");
    } catch (error) {
      if (error.status === 401) {
        write("admin", null, { tab: true });
        token = await askToken(t("admin.wrong"));
        continue;
      }
      if (!(error instanceof Refused) && !(error instanceof TypeError)) console.error(error);
      if (!board) show("progress", t("admin.title"), []);
      note(t("admin.unreachable"));
    }
    await new Promise((done) => setTimeout(done, 1000 * EVERY_S));
  }
}

async function begin() {
  const asked = new URLSearchParams(location.search).get("lang");
  await speak(chooseLanguage(asked, navigator.languages ?? [], Object.keys(LANGUAGES)));
  token = tokenOfAddress() ?? read("admin", { tab: true }) ?? (await askToken(null));
  await follow();
}

begin();
