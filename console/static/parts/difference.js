// What differs between two values, line by line of their JSON (or of two texts), with a word for each line beside its
// colour.

import { el } from "./dom.js";

const MOST = 2000;

export function pretty(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "null";
}

/** Lines as [" " | "-" | "+", text]. */
export function lines(before, after) {
  const old = pretty(before).split("\n").slice(0, MOST), now = pretty(after).split("\n").slice(0, MOST);
  let head = 0, tail = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  const a = old.slice(head, old.length - tail), b = now.slice(head, now.length - tail);
  const found = old.slice(0, head).map((text) => [" ", text]);
  if (a.length * b.length > 1e6) found.push(...a.map((text) => ["-", text]), ...b.map((text) => ["+", text]));
  else found.push(...common(a, b));
  return [...found, ...old.slice(old.length - tail).map((text) => [" ", text])];
}

function common(a, b) {
  const wide = b.length + 1, best = new Uint32Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      best[i * wide + j] = a[i] === b[j] ? best[(i + 1) * wide + j + 1] + 1
        : Math.max(best[(i + 1) * wide + j], best[i * wide + j + 1]);
    }
  }
  const found = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      found.push([" ", a[i]]);
      i += 1;
      j += 1;
    } else if (i < a.length && (j === b.length || best[(i + 1) * wide + j] >= best[i * wide + j + 1])) found.push(["-", a[i++]]);
    else found.push(["+", b[j++]]);
  }
  return found;
}

/** The difference as an element. */
export function difference(before, after) {
  const names = { "-": "removed", "+": "added", " ": "same" };
  return el("div", { class: "difference mono", role: "group", "aria-label": "Difference" },
    lines(before, after).map(([way, text]) => el("div", { class: names[way] },
      el("span", { "aria-hidden": "true" }, way), way === " " ? null : el("span", { class: "hear" }, `${names[way]}: `), text || " ")));
}
