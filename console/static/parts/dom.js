// Elements. Texts are text nodes and nothing is ever parsed as HTML, whatever a model or a stranger has written.

import { spelled } from "./seen.js";

const SVG = "http://www.w3.org/2000/svg";

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name in PROPERTIES) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
const PROPERTIES = { value: 1, checked: 1, disabled: 1, indeterminate: 1, selected: 1 };

/** `el("a", {href, class, onclick, data: {…}}, "text", child, [children])`. */
export function el(tag, attributes = {}, ...children) {
  return made(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return made(document.createElementNS(SVG, tag), attributes, children);
}

/** The path of an execution's page. */
export function pageOf(id) {
  return `/console/execution/${String(id).split("/").map(encodeURIComponent).join("/")}`;
}

/** A link to an execution. */
export function linkTo(id, text = spelled(id)) {
  return el("a", { href: pageOf(id), class: "mono" }, text);
}

/** A button that copies. `text` may be a function. */
export function copier(text, label = "Copy") {
  const button = el("button", { type: "button", class: "quiet small" }, label);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}
