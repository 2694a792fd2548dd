// Values in plain words, for people who decide: names without underscores, yes and no, lists and what lies in them.

import { el } from "./dom.js";
import { digits } from "./exact.js";
import { seen } from "./seen.js";

export { seen };

const DEEPEST = 4, MOST = 100, LONG = 400;
const plain = new Intl.NumberFormat(undefined, { maximumFractionDigits: 12 });
/** order_id → order id, orderId → order id. */
export function named(name) {
  return seen(name).replaceAll("_", " ").replace(/([a-z])([A-Z])/g, (_, one, two) => `${one} ${two.toLowerCase()}`).trim() || seen(name);
}

/** A value as an element: a definition list for an object, a list for a list, a text for all else. */
export function words(value, depth = 0) {
  if (value === null || value === undefined) return el("span", { class: "muted" }, "nothing");
  if (value === true) return "yes";
  if (value === false) return "no";
  if (typeof value === "number") return exactly(value);
  if (digits(value) !== undefined) return plain.format(BigInt(digits(value)));
  if (typeof value === "string") return value === "" ? el("span", { class: "muted" }, "empty") : text(seen(value));
  if (depth >= DEEPEST) return el("code", {}, seen(JSON.stringify(value)));
  if (Array.isArray(value)) {
    if (!value.length) return el("span", { class: "muted" }, "none");
    return el("ul", { class: "plain" }, value.slice(0, MOST).map((one) => el("li", {}, words(one, depth + 1))),
      value.length > MOST && el("li", { class: "muted" }, `and ${plain.format(value.length - MOST)} more`));
  }
  const names = Object.keys(value);
  if (!names.length) return el("span", { class: "muted" }, "nothing");
  return el("dl", { class: "facts" }, names.slice(0, MOST).map((name) => [
    el("dt", { title: name }, named(name)), el("dd", {}, words(value[name], depth + 1)),
  ]), names.length > MOST && [el("dt", {}, "…"), el("dd", { class: "muted" }, `and ${plain.format(names.length - MOST)} more`)]);
}

/** A number with its separators, unless they would round it. */
function exactly(value) {
  const said = plain.format(value), rounded = Number(value.toFixed(12));
  return Math.abs(value) < 1e15 && rounded === value ? said : String(value);
}

function text(whole) {
  if (whole.length <= LONG) return el("span", { class: "text" }, whole);
  return el("details", {}, el("summary", {}, `${whole.slice(0, 120)} … `,
    el("span", { class: "muted" }, `(${plain.format(whole.length)} characters)`)), el("pre", { class: "box", tabindex: 0 }, whole));
}

/** "3 approvals", "1 approval". */
export function counted(number, one, many = `${one}s`) {
  return `${plain.format(number)} ${number === 1 ? one : many}`;
}
