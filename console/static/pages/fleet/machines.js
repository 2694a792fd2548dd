// What works: models with how long they take and what they cost; the store, what is due there, and the processes that
// live on it with what they hold.

import { el } from "../../parts/dom.js";
import { countdown, duration, money, number } from "../../parts/format.js";
import { list } from "../../parts/list.js";
import { named, seen } from "../../parts/words.js";

export async function models(body, { api }) {
  const { models: found } = await api.get("/models");
  body.replaceChildren(list("Models of this process", [
    { title: "Model", cell: (one) => seen(one.model) },
    { title: "Calls", end: true, cell: (one) => number(one.calls) },
    { title: "Failed", end: true, cell: (one) => (one.failures ? el("span", { class: "bad" }, number(one.failures)) : "0") },
    { title: "Tried again", end: true, cell: (one) => number(one.retries) },
    { title: "Half within", end: true, cell: (one) => duration(one.p50) },
    { title: "95 % within", end: true, cell: (one) => duration(one.p95) },
    { title: "Tokens", end: true, cell: (one) => number(one.tokens) },
    { title: "Cost", end: true, cell: (one) => `${money(one.cost)}${one.unpriced ? `, ${number(one.unpriced)} without a price` : ""}` },
  ], found, "No model was called since this process began."));
  return found.length;
}

export async function processes(body, { api }) {
  const { processes: found, due, store, engine } = await api.get("/processes");
  body.replaceChildren(
    list("Processes", [
      { title: "Process", cell: (one) => el("span", {}, el("code", {}, seen(one.owner)), one.here ? el("span", { class: "muted" }, " answers you") : null) },
      { title: "Executions held", end: true, cell: (one) => number(one.leases) },
    ], found, "No process lives on this store now."),
    el("div", { class: "cards three" },
      facts("Due", { "waiting to be taken": `${number(due.count)}${due.more ? "+" : ""}`, lag: due.count ? el("span", { class: due.lag > 5000 ? "warn" : "" }, duration(due.lag)) : "none",
        "next wakes": due.next === null ? "nothing does" : countdown(due.next) }),
      facts("Store", { kind: seen(store.kind), address: el("code", {}, seen(store.address)), ...flat(store.numbers) }),
      facts("Engine of this process", flat(engine))));
  return found.length;
}

/** Numbers within numbers under names of their own, as far as people read them. */
function flat(group) {
  return Object.fromEntries(Object.entries(group ?? {}).flatMap(([name, value]) => (value && typeof value === "object"
    ? Object.entries(value).map(([inner, one]) => [`${name} ${inner}`, one]) : [[name, value]]))
    .map(([name, value]) => [named(name), typeof value === "number" ? number(value) : value === null ? "–" : seen(typeof value === "object" ? JSON.stringify(value) : value)]));
}

function facts(title, values) {
  return el("div", { class: "panel numbers" }, el("h3", {}, title), el("dl", { class: "facts" }, Object.entries(values).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])));
}
