// What the page says, in the language of the player.

export const LANGUAGES = { en: "English", "zh-Hant": "繁體中文" };

const TRIES = 6;

let strings = {};

export function chooseLanguage(asked, wanted, offered) {
  const known = offered.filter((lang) => lang in LANGUAGES);
  for (const name of [asked, ...wanted]) {
    if (!name) continue;
    const found = known.find((lang) => lang.toLowerCase() === name.toLowerCase());
    if (found) return found;
    const near = /^zh/i.test(name) ? "zh-Hant" : name.split("-")[0].toLowerCase();
    if (known.includes(near)) return near;
  }
  return known[0] ?? "en";
}

async function fetchStrings(lang) {
  for (let n = 1; ; n += 1) {
    try {
      const answer = await fetch(`static/strings/${lang}.json`);
      if (answer.ok) return await answer.json();
      throw new Error(`strings of ${lang}: ${answer.status}`);
    } catch (error) {
      if (n >= TRIES) throw error;
      await new Promise((done) => setTimeout(done, 500 * 2 ** n));
    }
  }
}

export async function speak(lang) {
  strings = await fetchStrings(lang);
  document.documentElement.lang = lang;
  document.documentElement.dir = "ltr";
}

// Give a string with its {places} filled in.
export function t(key, values = {}) {
  const text = strings[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
