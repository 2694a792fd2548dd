// What works: models with how long they take and what they cost, processes with what they hold, and the store.

import { el } from "../../parts/dom.js";
import { ago, bytes, duration, money, number } from "../../parts/format.js";
import { list } from "../../parts/list.js";
import { named, seen } from "../../parts/words.js";

export async function models(body, { api }) {
  const { models: found } = await api.get("/models");
  body.replaceChildren(list("Models", [
    { title: "Model", cell: (one) => seen(one.model ?? one.name) },
    { title: "Calls", end: true, cell: (one) => number(one.calls ?? 0) },
    { title: "Failed", end: true, cell: (one) => (one.failures ? el("span", { class: "bad" }, number(one.failures)) : "0") },
    { title: "Half within", end: true, cell: (one) => duration(one.p50) },
    { title: "95 % within", end: true, cell: (one) => duration(one.p95) },
    { title: "Tokens", end: true, cell: (one) => number(one.tokens ?? 0) },
    { title: "Cost", end: true, cell: (one) => money(one.cost) },
  ], found, "No model was called since this process began."));
  return found.length;
}

export async function processes(body, { api }) {
  const told = await api.get("/processes");
  const found = told.processes ?? told.owners ?? [];
  body.replaceChildren(
    list("Processes", [
      { title: "Process", cell: (one) => el("code", {}, seen(one.owner ?? one.id)) },
      { title: "Leases", end: true, cell: (one) => number(one.leases ?? one.executions ?? 0) },
    ], found, "No process holds an execution now."),
    ...Object.entries(told).filter(([, value]) => value && typeof value === "object" && !Array.isArray(value)).map(([name, value]) => numbers(name, value)),
  );
  return found.length;
}

function numbers(name, group) {
  return el("div", { class: "panel numbers" }, el("h3", {}, named(name)), el("dl", { class: "facts" }, Object.entries(group).map(([key, value]) =>
    [el("dt", {}, named(key)), el("dd", {}, typeof value === "number" ? number(value) : seen(typeof value === "object" ? JSON.stringify(value) : value))])));
}
