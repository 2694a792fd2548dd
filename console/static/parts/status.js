// A status is told by shape, word and colour, so that none of the three is needed.

import { el, svg } from "./dom.js";

const SHAPES = {
  pending: () => [svg("circle", { cx: 6, cy: 6, r: 4, "stroke-dasharray": "2 2", class: "line" })],
  running: () => [svg("path", { d: "M3.2 2v8l6.6-4z", class: "fill" })],
  waiting: () => [svg("circle", { cx: 6, cy: 6, r: 4.2, class: "line" }), svg("path", { d: "M6 3.4V6l1.8 1.2", class: "line" })],
  "in-doubt": () => [svg("path", { d: "M6 1.2 10.8 6 6 10.8 1.2 6z", class: "line" }), svg("path", { d: "M6 4v2.4M6 8v.3", class: "line" })],
  idle: () => [svg("circle", { cx: 6, cy: 6, r: 4.2, class: "line" })],
  paused: () => [svg("path", { d: "M4 2.5v7M8 2.5v7", class: "line thick" })],
  stuck: () => [svg("path", { d: "M6 1.4 11 10.4H1z", class: "line" }), svg("path", { d: "M6 5v2.2M6 8.7v.2", class: "line" })],
  completed: () => [svg("circle", { cx: 6, cy: 6, r: 5, class: "fill" }), svg("path", { d: "m3.6 6.2 1.7 1.7 3.2-3.6", class: "cut" })],
  failed: () => [svg("path", { d: "M1.5 1.5h9v9h-9z", class: "fill" }), svg("path", { d: "m4 4 4 4m0-4L4 8", class: "cut" })],
  cancelled: () => [svg("path", { d: "M1.8 1.8h8.4v8.4H1.8z", class: "line" }), svg("path", { d: "M4 6h4", class: "line" })],
  terminated: () => [svg("circle", { cx: 6, cy: 6, r: 4.2, class: "line" }), svg("path", { d: "m3 3 6 6", class: "line" })],
};
export const STATUSES = Object.keys(SHAPES);
export const FINAL = new Set(["completed", "failed", "cancelled", "terminated"]);

/** Its shape alone; hidden from readers, since the word stands beside it. */
export function shape(status) {
  const drawn = SHAPES[status]?.() ?? SHAPES.idle();
  return svg("svg", { viewBox: "0 0 12 12", width: 12, height: 12, class: "shape", "aria-hidden": "true" }, ...drawn);
}

/** Shape and word. */
export function statusOf(status, word = status) {
  return el("span", { class: "status", data: { status } }, shape(status), el("span", {}, word));
}
