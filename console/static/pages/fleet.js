// What there is: functions, agents and their sessions, budgets and what was spent, models, processes, schedules. Each
// part is read by itself, so one that can't be read now takes nothing from the others.

import { el } from "../parts/dom.js";
import { number } from "../parts/format.js";
import { agents, functions } from "./fleet/functions.js";
import { budgets, spending } from "./fleet/budgets.js";
import { models, processes } from "./fleet/machines.js";
import { schedules } from "./fleet/schedules.js";

/** name, title, what draws it, and how often it is read again at the most (ms; 0: only with the page). */
const PARTS = [
  ["functions", "Functions", functions, 0], ["agents", "Agents and sessions", agents, 4000], ["budgets", "Budgets", budgets, 2000],
  ["spending", "Spending", spending, 0], ["models", "Models", models, 4000], ["processes", "Stores and processes", processes, 4000],
  ["schedules", "Schedules", schedules, 2000],
];

export async function show(view, { query }, context) {
  const { api, live, go } = context;
  let wanted = PARTS.some(([name]) => name === query.get("part")) ? query.get("part") : "", left = false;
  const chips = el("div", { class: "bar", role: "group", "aria-label": "What is shown" });
  const drawn = new Map();
  const served = await api.get("/functions");
  view.append(el("div", { class: "bar spread head" }, el("h1", {}, "Fleet")), chips);
  for (const [name, title, draw, pause] of PARTS) {
    const body = el("div", { class: "fields" }), count = el("b", {});
    const element = el("section", { class: "part", "aria-label": title, hidden: true }, el("h2", {}, title), body);
    const chip = el("button", { type: "button", class: "chip", "aria-pressed": "false", data: { part: name }, onclick: () => choose(wanted === name ? "" : name) }, title, " ", count);
    chips.append(chip);
    view.append(element);
    const state = { element, chip, body, last: 0, timer: 0, busy: false, pause, read: null };
    state.read = async () => {
      if (state.busy || left) return;
      state.busy = true;
      state.last = Date.now();
      try {
        const found = await draw(body, { ...context, served: served.functions, again: state.read });
        if (typeof found === "number") count.textContent = number(found);
      } catch (error) {
        if (left) return;
        if (error.name !== "Problem") console.error(error);
        body.replaceChildren(el("p", { class: `notice ${error.status === 404 ? "" : "bad"}` },
          error.status === 404 ? "This server does not tell of them." : error.message));
      } finally {
        state.busy = false;
      }
    };
    drawn.set(name, state);
  }

  function choose(name, address = true) {
    wanted = name;
    for (const [one, state] of drawn) {
      state.chip.setAttribute("aria-pressed", String(one === wanted));
      const shown = !wanted || one === wanted;
      if (shown && state.element.hidden && state.last === 0) state.read();
      state.element.hidden = !shown;
    }
    if (address) go(api.query("/console/fleet", { part: wanted }), { replace: true, stay: true });
  }

  function renew() {
    for (const state of drawn.values()) {
      if (!state.pause || state.element.hidden || state.timer) continue;
      state.timer = setTimeout(() => {
        state.timer = 0;
        // who is in the middle of it is not disturbed
        if (!document.hidden && !state.body.contains(document.activeElement)) state.read();
      }, Math.max(200, state.last + state.pause - Date.now()));
    }
  }

  choose(wanted, false);
  const silent = live.on(renew), poll = setInterval(renew, 5000);
  return () => {
    left = true;
    silent();
    clearInterval(poll);
    for (const state of drawn.values()) clearTimeout(state.timer);
  };
}
