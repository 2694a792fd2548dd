// The shell: routes under /console/, the theme, keys that work everywhere, and what is said to everybody. A page is
// pages/NAME.js with `show(view, parameters, context)`, which answers the function that is called when it is left.

import { api } from "./api.js";
import { live } from "./live.js";
import "./waiting.js";
import { el, svg } from "./parts/dom.js";
import { dialog } from "./parts/dialog.js";
import { seen } from "./parts/seen.js";

const ROOT = "/console/";
const PAGES = ["inbox", "fleet", "playground"];
const KEYS = [
  ["/", "to the search field"], ["g then e", "executions"], ["g then i", "inbox"], ["g then f", "fleet"],
  ["g then p", "playground"], ["j, k", "next, previous row"], ["Enter", "open what is focused"],
  ["Esc", "close a dialog"], ["?", "these keys"],
];
const view = document.getElementById("view");
const said = document.getElementById("said");
const context = { api, live, go, say };
let leave = null, showing = 0, current = null;

/** Which page a path is, and its parameters. */
function route(location) {
  const path = location.pathname.startsWith(ROOT) ? location.pathname.slice(ROOT.length) : "";
  const query = new URLSearchParams(location.search);
  if (path.startsWith("execution/")) {
    const id = path.slice("execution/".length).split("/").map(decoded).join("/");
    return { name: "execution", id, query };
  }
  const name = path.replace(/\/$/, "");
  return { name: PAGES.includes(name) ? name : name === "" ? "executions" : "", id: "", query };
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

async function render(focus) {
  const mine = ++showing;
  const to = route(location);
  leave?.();
  leave = null;
  current = to.name;
  mark(to.name === "execution" ? "executions" : to.name);
  remember(to);
  const page = el("div", { class: `page ${to.name}` });
  try {
    if (!to.name) throw new Error("There is no such page here.");
    const module = await import(`./pages/${to.name}.js`);
    if (mine !== showing) return;
    view.replaceChildren(page);
    const left = await module.show(page, { id: to.id, query: to.query }, context);
    if (mine !== showing) { left?.(); return; }
    leave = left ?? null;
  } catch (error) {
    if (mine !== showing) return;
    if (error.name !== "Problem") console.error(error);
    page.replaceChildren(el("h1", {}, "That did not work"), el("p", { class: "notice bad" }, error.message));
    view.replaceChildren(page);
  }
  const heading = page.querySelector("h1");
  document.title = heading ? `${heading.dataset.title ?? heading.textContent} · overwinter` : "overwinter";
  if (focus && heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
}

/** Goes to a path of the console. `replace`: in the place of this one in the history; `stay`: only the address
 *  changes, the page that is shown has seen to it itself. */
function go(path, { replace = false, stay = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  if (stay) return remember(route(location));
  scrollTo(0, 0);
  return render(true);
}

/** A word for everybody: shown for a while, and read out. `tone` "bad" for what went wrong. */
let hush = 0;
function say(text, tone = "") {
  clearTimeout(hush);
  said.replaceChildren(el("p", { class: `toast ${tone}` }, seen(text)));
  hush = setTimeout(() => said.replaceChildren(), tone === "bad" ? 9000 : 5000);
}

function mark(name) {
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// Filters survive: a page's link in the navigation leads back to where one was on it.
function remember({ name }) {
  const link = document.querySelector(`nav a[data-page="${name}"]`);
  for (const other of document.querySelectorAll("nav a")) {
    if (other === link) other.href = other.dataset.page === "executions" ? ROOT : ROOT + other.dataset.page;
  }
  if (link) link.dataset.last = location.pathname + location.search;
  for (const other of document.querySelectorAll("nav a[data-last]")) if (other !== link) other.href = other.dataset.last;
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.("a[href]");
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.classList.contains("skip")) {
    event.preventDefault();
    view.focus();
  } else if (link.pathname.startsWith(ROOT)) {
    event.preventDefault();
    go(link.pathname + link.search);
  }
});
addEventListener("popstate", () => render(true));

let chord = 0;
document.addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented) return;
  if (event.target.closest("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
  const key = event.key, second = Date.now() - chord < 1500;
  chord = 0;
  const page = second && { e: "executions", i: "inbox", f: "fleet", p: "playground" }[key];
  if (page) document.querySelector(`nav a[data-page="${page}"]`).click();
  else if (key === "g") chord = Date.now();
  else if (key === "/") view.querySelector("[data-search]")?.focus();
  else if (key === "j" || key === "k") document.dispatchEvent(new CustomEvent("step", { detail: key === "j" ? 1 : -1 }));
  else if (key === "?") showKeys();
  else return;
  event.preventDefault();
});

function showKeys() {
  const rows = KEYS.map(([key, does]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, does)]).flat();
  dialog({ title: "Keys", body: el("dl", { class: "keys" }, ...rows), actions: [{ label: "Close", value: null }] });
}

// Theme: as the system has it, or as chosen here.
const THEMES = ["system", "light", "dark"];
const button = document.getElementById("theme");
function theme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  const half = { system: "M8 2a6 6 0 0 1 0 12z", light: "", dark: "M8 2a6 6 0 0 1 0 12A6 6 0 0 1 8 2z" }[name];
  button.replaceChildren(svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    svg("circle", { cx: 8, cy: 8, r: 6, fill: "none", stroke: "currentColor", "stroke-width": 1.5 }),
    svg("path", { d: half, fill: "currentColor" })));
  button.title = `Theme: ${{ system: "as the system has it", light: "light", dark: "dark" }[name]}`;
  button.setAttribute("aria-label", button.title);
  localStorage.setItem("overwinter.theme", name);
}
theme(THEMES.includes(localStorage.getItem("overwinter.theme")) ? localStorage.getItem("overwinter.theme") : "system");
button.addEventListener("click", () => {
  theme(THEMES[(THEMES.indexOf(localStorage.getItem("overwinter.theme")) + 1) % THEMES.length]);
});
document.getElementById("keys").addEventListener("click", showKeys);

const light = document.getElementById("live");
live.watch((state) => {
  light.dataset.state = state;
  light.lastChild.textContent = { on: "live", lost: "reconnecting", connecting: "connecting", off: "not live" }[state];
});

history.scrollRestoration = "manual"; // pages know better when they are as long as they were
render(false);
