// Trying things out, where the server offers it (`overwinter dev`): talk to an agent, start anything from a form of its
// schema, and walk through what a finished execution has recorded.

import { el } from "../parts/dom.js";
import { talk } from "./playground/talk.js";
import { start } from "./playground/start.js";
import { replay } from "./playground/replay.js";

const TABS = [["talk", "Talk", talk], ["start", "Start", start], ["replay", "Replay", replay]];

export async function show(view, { query }, context) {
  const { api, go } = context;
  view.append(el("div", { class: "bar spread head" }, el("h1", {}, "Playground")));
  const settings = await api.get("/console/settings.json");
  if (!settings.playground) {
    view.append(el("p", { class: "notice" }, "This server has no playground: overwinter dev has one. Everything else works here."));
    return null;
  }
  const { functions } = await api.get("/functions");
  let leave = null, turn = 0;
  const box = el("div", { class: "tabbody", role: "tabpanel", tabindex: -1, "aria-labelledby": "tab-talk", id: "playing" });
  const buttons = TABS.map(([name, title]) => el("button", {
    type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "playing", data: { tab: name }, onclick: () => open(name),
  }, title));
  const tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "What to do", onkeydown: (event) => {
    const at = buttons.indexOf(document.activeElement), step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (at < 0 || !step) return;
    event.preventDefault();
    const next = buttons[(at + step + buttons.length) % buttons.length];
    next.focus();
    next.click();
  } }, buttons);
  view.append(tabs, box);

  async function open(name, given = new URLSearchParams()) {
    const mine = ++turn;
    leave?.();
    leave = null;
    for (const button of buttons) {
      const here = button.dataset.tab === name;
      button.setAttribute("aria-selected", String(here));
      button.tabIndex = here ? 0 : -1;
    }
    box.setAttribute("aria-labelledby", `tab-${name}`);
    box.replaceChildren();
    const address = (values) => go(api.query("/console/playground", { tab: name, ...values }), { replace: true, stay: true });
    address(Object.fromEntries([...given].filter(([key]) => key !== "tab")));
    const [, , draw] = TABS.find(([one]) => one === name);
    const left = await draw(box, given, { ...context, functions, address });
    if (mine === turn) leave = left;
    else left?.();
  }

  await open(TABS.some(([name]) => name === query.get("tab")) ? query.get("tab") : "talk", query);
  return () => {
    turn += 1;
    leave?.();
  };
}
