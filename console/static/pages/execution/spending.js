// What was spent as it grew: tokens as an area, cost as a line, over the same time.

import { el, svg } from "../../parts/dom.js";
import { clockTime, money, number } from "../../parts/format.js";

const WIDE = 1000, TALL = 120;

/** On the axis of the timeline, so that its folds are folds here too. */
export function spending({ grew, from, to }, axis) {
  const last = grew.at(-1), tokens = Math.max(last[1], 1), cost = Number(last[2]);
  const x = (ms) => axis.at(ms) * WIDE;
  const steps = (value, most) => {
    let path = `M${x(from).toFixed(1)} ${TALL}`, before = TALL;
    for (const point of grew) {
      const y = TALL - (value(point) / most) * (TALL - 8);
      path += `L${x(point[0]).toFixed(1)} ${before.toFixed(1)}L${x(point[0]).toFixed(1)} ${y.toFixed(1)}`;
      before = y;
    }
    return [`${path}L${WIDE} ${before.toFixed(1)}`, before];
  };
  const [area] = steps((point) => point[1], tokens);
  const line = cost > 0 ? steps((point) => Number(point[2]), cost)[0] : null;
  const told = `${number(last[1])} tokens and ${money(last[2])} until ${clockTime(last[0])}`;
  return el("figure", { class: "spending" },
    el("figcaption", { class: "bar" },
      el("span", { class: "key tokens" }, `${number(last[1])} tokens`), el("span", { class: "key cost" }, `${money(last[2])} cost`)),
    svg("svg", { viewBox: `0 0 ${WIDE} ${TALL}`, preserveAspectRatio: "none", width: "100%", height: 96, role: "img", "aria-label": told },
      axis.folds.map((fold) => svg("rect", { x: fold.x * WIDE, width: fold.width * WIDE, y: 0, height: TALL, class: "fold" })),
      svg("path", { d: `${area}L${WIDE} ${TALL}Z`, class: "area" }), svg("path", { d: area, class: "tokens" }),
      line && svg("path", { d: line, class: "cost" })),
    el("div", { class: "bar spread muted axis" }, el("span", {}, clockTime(from)), el("span", {}, clockTime(to))));
}
