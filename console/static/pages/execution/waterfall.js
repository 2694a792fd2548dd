// A timeline as a waterfall: one row for each operation, its attempts as bars, waits hatched, folds as a gap with its
// length. Each row is a table's row with its times in words, so that it reads without being seen.

import { el, svg, linkTo } from "../../parts/dom.js";
import { duration } from "../../parts/format.js";
import { seen, spelled } from "../../parts/seen.js";
import { shape } from "../../parts/status.js";
import { table } from "../../parts/table.js";
import { scale, ticks } from "./scale.js";

const HEIGHT = 30, BAR = 12, LEAST = 0.002;
const GROUPS = new Set(["turn", "branch", "saga", "parallel", "map"]); // rows that others lie below
const ENDS = new Set(["completed", "failed", "cancelled", "terminated", "reply"]); // moments, and how long it took till then
const percent = (share) => `${(share * 100).toFixed(3)}%`;

/** Patterns that all rows share. */
export function patterns() {
  return svg("svg", { width: 0, height: 0, class: "patterns", "aria-hidden": "true" }, svg("defs", {},
    svg("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 6, height: 6, class: "hatch-ground" }), svg("rect", { width: 2.2, height: 6, class: "hatch-line" }))));
}

export function waterfall({ load, inspect }) {
  let axis = scale(0, 1, []), now = 0, marks = [];
  const ruler = el("div", { class: "ruler" });
  const rows = table({
    label: "Timeline of operations", height: HEIGHT, tall: 50, load, key: (row) => row.key, opened: inspect,
    empty: "Nothing has happened yet.",
    columns: [
      { name: "op", title: "Operation", width: "minmax(150px, 25%)", cell: name },
      { name: "bars", title: ruler, width: "1fr", cell: bars },
      { name: "took", title: "Took", width: "88px", end: true, cell: took },
    ],
  });

  function name(row) {
    const button = el("button", { type: "button", class: "row-name", title: seen(row.error || row.name), onclick: () => inspect(row) },
      el("span", { class: "kind" }, row.kind), el("span", { class: "cut" }, spelled(row.name || row.op)));
    const line = el("span", { class: "status indented", data: { status: look(row) } }, shape(look(row)), el("span", { class: "hear" }, `${word(row)}: `), button,
      row.child && el("span", { class: "tochild" }, linkTo(row.child, "↳ open")),
      row.code && el("span", { class: "code mono", title: row.code }, short(row.code)));
    line.style.paddingLeft = `${Math.min(row.depth, 8) * 14}px`;
    return line;
  }

  function took(row) {
    const open = row.end === null || row.end === undefined;
    if (row.status === "info" || ENDS.has(row.kind)) return "";
    return el("span", { class: open ? "muted" : "" }, row.guessed && "≤ ", duration((open ? now : row.end) - row.begin), open && "…");
  }

  function bars(row) {
    const open = row.end === null || row.end === undefined, end = open ? Math.max(now, row.begin) : row.end;
    const drawn = marks.map(({ x }) => svg("line", { x1: percent(x), x2: percent(x), y1: 0, y2: HEIGHT, class: "grid" }));
    const y = (HEIGHT - BAR) / 2;
    for (const fold of axis.folds) drawn.push(svg("rect", { x: percent(fold.x), width: percent(fold.width), y: 0, height: "100%", class: "fold" }));
    const bar = (from, to, kind) => {
      const x = axis.at(from), width = Math.max(axis.at(to) - x, LEAST);
      drawn.push(svg("rect", { x: percent(Math.min(x, 1 - LEAST)), width: percent(width), y, height: BAR, rx: 2, class: `run ${kind}` }));
    };
    const attempts = (row.attempts ?? []).filter((one) => one.begin !== null);
    if (row.status === "info" || ENDS.has(row.kind)) {
      const x = percent(axis.at(row.begin));
      drawn.push(svg("svg", { x, y: HEIGHT / 2, overflow: "visible" }, svg("path", { d: "M0-4 4 0 0 4-4 0z", class: `mark ${look(row)}` })));
    } else if (GROUPS.has(row.kind)) bar(row.begin, end, `group ${open ? "open" : look(row)}`);
    else if (row.wait) bar(row.begin, end, open ? "wait open" : "wait");
    else if (attempts.length > 1) {
      drawn.push(svg("line", { x1: percent(axis.at(row.begin)), x2: percent(axis.at(end)), y1: HEIGHT / 2, y2: HEIGHT / 2, class: "between" }));
      attempts.forEach((one, at) => {
        const last = at === attempts.length - 1;
        bar(one.begin, one.end ?? (last ? end : one.begin), one.error ? "failed" : last ? (open ? "open" : look(row)) : "failed");
      });
    } else bar(row.begin, end, open ? "open" : row.child ? `child ${look(row)}` : look(row));
    if (row.until && row.until > end && row.until < axis.to) drawn.push(svg("line", { x1: percent(axis.at(row.until)), x2: percent(axis.at(row.until)), y1: 4, y2: HEIGHT - 4, class: "until" }));
    return svg("svg", { class: "bars", width: "100%", height: HEIGHT, role: "img", "aria-label": words(row, end, open) }, ...drawn);
  }

  function words(row, end, open) {
    const many = row.tried > 1 ? `, ${row.tried} attempts` : "";
    if (row.status === "info" || ENDS.has(row.kind)) return `${duration(row.begin - axis.from)} after the beginning`;
    return `${duration(row.begin - axis.from)} after the beginning, ${row.wait ? "waited" : "took"} ${duration(end - row.begin)}${open ? " until now" : ""}${many}`;
  }

  function rule() {
    const wide = ruler.clientWidth || 600;
    marks = ticks(axis, Math.max(2, Math.floor(wide / 110)));
    ruler.replaceChildren(svg("svg", { width: "100%", height: 18, "aria-hidden": "true" },
      marks.filter(({ x }) => !axis.folds.some((fold) => Math.abs(x - fold.x - fold.width / 2) * wide < 90)).map(({ at, x }) => svg("text", { x: percent(x), y: 13, class: "tick" }, at === axis.from ? "0" : `+${duration(at - axis.from)}`)),
      axis.folds.map((fold) => svg("text", { x: percent(fold.x + fold.width / 2), y: 13, class: "tick gap", "text-anchor": fold.x > 0.9 ? "end" : "middle" }, `⋯ ${duration(fold.end - fold.begin)}`))),
    el("span", { class: "hear" }, "Course"));
  }
  addEventListener("resize", rule);

  return {
    element: rows.element, rows,
    /** A new axis, which rows are drawn on from then on. */
    set(timeline) {
      now = timeline.now;
      axis = scale(timeline.from, Math.max(timeline.to, timeline.from + 1), timeline.folds ?? []);
      rule();
      return axis;
    },
    leave() { removeEventListener("resize", rule); rows.leave(); },
  };
}

const LOOKS = { open: "running", done: "completed", dropped: "cancelled", info: "idle" };

const short = (place) => place.split("/").at(-1);

/** The shape that fits how an operation stands. */
export function look(row) {
  if (row.status === "open" && row.wait) return "waiting";
  return LOOKS[row.status] ?? row.status;
}

/** … and its word. */
export function word(row) {
  return { open: row.wait ? "waits" : "runs", info: "told" }[row.status] ?? row.status;
}
