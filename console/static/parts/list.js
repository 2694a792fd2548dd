// A small table, whole in the document: for lists of tens. On a narrow page it scrolls by itself.

import { el, svg } from "./dom.js";

/** `columns`: {title, hidden (from sight), cell(row) → node or text, end}. The first cell of a row is its heading. */
export function list(label, columns, rows, empty) {
  if (!rows.length) return el("p", { class: "muted" }, empty);
  return el("div", { class: "scroll panel", role: "group", "aria-label": label, tabindex: 0 },
    el("table", { class: "list" }, el("caption", { class: "hear" }, label),
      el("thead", {}, el("tr", {}, columns.map((one) => el("th", { scope: "col", class: one.end ? "end" : "" }, one.hidden ? el("span", { class: "hear" }, one.title) : one.title)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, columns.map((one, at) => at
        ? el("td", { class: one.end ? "end" : "" }, one.cell(row)) : el("th", { scope: "row" }, one.cell(row))))))));
}

/** A bar from 0 to 1: `used`, then `held` beyond it, and a mark where it is warned. `text` says the same in words.
 *  `limit`: 1 is what may be used, and being near it is shown. */
export function meter(used, text, { held = 0, mark = null, limit = false } = {}) {
  const wide = (share) => Math.max(0, Math.min(1, share || 0)) * 100;
  const tone = !limit ? "" : used >= 1 ? "full" : mark !== null && used >= mark ? "near" : "";
  return svg("svg", { class: `meter ${tone}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", role: "img", "aria-label": text },
    svg("rect", { x: 0, y: 0, width: wide(used + held), height: 8, class: "held" }),
    svg("rect", { x: 0, y: 0, width: wide(used), height: 8 }),
    mark !== null && svg("line", { x1: mark * 100, x2: mark * 100, y1: 0, y2: 8 }));
}
