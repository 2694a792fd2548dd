// A card of the inbox: what is asked, what is to be known about it, and what can be done.

import { el } from "../../parts/dom.js";

export function card(title, { facts, body, actions, tone = "" }) {
  return el("article", { class: `card panel ${tone}` },
    el("header", {}, title), el("div", { class: "body" }, el("div", { class: "what" }, body),
      facts && el("dl", { class: "facts side" }, facts.filter(Boolean).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))),
    el("footer", { class: "bar" }, actions.map(([label, act, tone_, does]) =>
      el("button", { type: "button", class: tone_, data: { act }, onclick: does }, label))));
}
