// The one screen: making elements, changing from one screen to the next, speaking to screen readers.

export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "text") made.textContent = value;
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export const button = (text, onclick, { kind = "", ...rest } = {}) =>
  el("button", { type: "button", class: kind, onclick, text, ...rest });

export const actions = (...children) => el("div", { class: "actions" }, ...children);

let titleOfStudy = "";

export function nameStudy(title) {
  titleOfStudy = title;
}

// Show a screen. Its heading takes the focus, so that a screen reader begins there, and names the page.
export function show(name, heading, children, { centred = false, focus = null, seen = true, large = false } = {}) {
  const kinds = [seen ? "" : "unseen", large ? "title" : ""].filter(Boolean).join(" ");
  const head = el("h1", { tabindex: -1, class: kinds || null, text: heading });
  const screen = el(
    "div",
    { class: `screen${centred ? " centred" : ""}`, "data-screen": name },
    head,
    ...children.filter(Boolean),
  );
  document.getElementById("screen").replaceChildren(screen);
  document.title = heading === titleOfStudy || !titleOfStudy ? heading : `${heading} – ${titleOfStudy}`;
  document.documentElement.dataset.screen = name;
  document.getElementById("voice").textContent = "";
  scrollTo(0, 0);
  (focus ?? head).focus({ preventScroll: true });
  return screen;
}

// Say something to a screen reader only.
export function say(text) {
  const voice = document.getElementById("voice");
  voice.textContent = "";
  setTimeout(() => {
    voice.textContent = text;
  }, 50);
}

// A quiet line at the foot of the page; empty takes it away.
export function note(text) {
  const place = document.getElementById("note");
  if (place.textContent !== text) place.textContent = text;
}

export function progress(share, label) {
  const bar = document.getElementById("progress");
  bar.hidden = share === null;
  if (share === null) return;
  bar.setAttribute("aria-label", label);
  bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  bar.firstElementChild.style.inlineSize = `${100 * share}%`;
}

export function line(label) {
  const done = el("div", { class: "line-done" });
  const bar = el(
    "div",
    {
      class: "line",
      role: "progressbar",
      "aria-label": label,
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": 0,
    },
    done,
  );
  const set = (share) => {
    done.style.inlineSize = `${100 * share}%`;
    bar.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  };
  return { bar, set };
}

export const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
