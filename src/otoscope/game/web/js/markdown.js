// Headings, lists, paragraphs and **strong** words of a text that the study's owner wrote, as text nodes only.

import { el } from "./dom.js";

function inline(text) {
  return text
    .split(/\*\*(.+?)\*\*/g)
    .map((part, place) => (place % 2 ? el("strong", { text: part }) : document.createTextNode(part)));
}

function joined(lines, lang) {
  return lines.join(/^(zh|ja)/.test(lang) ? "" : " ");
}

// Give the title (the first `# ` heading, or null) and the elements of the rest.
export function markdown(source, lang) {
  let title = null;
  const made = [];
  for (const block of source.replace(/\r\n?/g, "\n").split(/\n\s*\n/)) {
    let paragraph = [];
    let list = null;
    const close = () => {
      if (paragraph.length) made.push(el("p", {}, ...inline(joined(paragraph, lang))));
      paragraph = [];
    };
    for (const row of block.split("\n")) {
      const text = row.trim();
      const heading = /^(#{1,4})\s+(.*)$/.exec(text);
      const item = /^[-*]\s+(.*)$/.exec(text);
      if (heading) {
        close();
        list = null;
        if (heading[1].length === 1 && title === null && !made.length) title = heading[2];
        else made.push(el(heading[1].length < 3 ? "h2" : "h3", {}, ...inline(heading[2])));
      } else if (item) {
        close();
        if (!list) made.push((list = el("ul")));
        list.append(el("li", {}, ...inline(item[1])));
      } else if (text && list) {
        list.lastElementChild.append(document.createTextNode(" "), ...inline(text));
      } else if (text) {
        paragraph.push(text);
      }
    }
    close();
  }
  return { title, body: el("div", { class: "prose" }, ...made) };
}
