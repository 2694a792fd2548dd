// All executions: filters that live in the address, rows that follow what happens, and what can be done to many.

import { query as withQuery, part } from "../api.js";
import { el, linkTo, pageOf } from "../parts/dom.js";
import { ago, countdown, duration, money, number, short } from "../parts/format.js";
import { seen, spelled } from "../parts/seen.js";
import { STATUSES, FINAL, statusOf, shape } from "../parts/status.js";
import { table } from "../parts/table.js";
import { bulkBar } from "./executions/bulk.js";

const PAGE = 100;
const AGES = [["", "any age"], ["15m", "begun in 15 min"], ["1h", "begun in 1 hour"], ["1d", "begun in 1 day"], ["7d", "begun in 7 days"],
  ["-1h", "older than 1 hour"], ["-1d", "older than 1 day"], ["-7d", "older than 7 days"]];
const UNIT = { m: 60000, h: 3600000, d: 86400000 };
const MORE = [["prefix", "Id begins with"], ["parent", "Child of"], ["awaits", "Waits for"], ["session", "Session"], ["cost", "Cost at least, $"]];
const KINDS = ["workflow", "agent"], ORDERS = [["", "newest first"], ["oldest", "oldest first"]];
let kept = null; // what was loaded, for who comes back

/** The filter of the API that the address means. */
export function filterOf(query, now = Date.now()) {
  const filter = { status: query.getAll("status") };
  for (const name of ["text", "function", "kind", ...MORE.map(([one]) => one)]) {
    if (query.get(name)) filter[name] = query.get(name);
  }
  const age = /^(-?)(\d+)([mhd])$/.exec(query.get("age") ?? "");
  if (age) filter[age[1] ? "before" : "since"] = now - Number(age[2]) * UNIT[age[3]];
  return filter;
}

export async function show(view, { query }, { api, live, go, say }) {
  let filter = filterOf(query), search = location.search;
  const order = () => (new URLSearchParams(location.search).get("order") === "oldest" ? "oldest" : undefined);
  const stale = new Set();
  const total = el("span", { class: "muted" });
  const chips = el("div", { class: "bar chips", role: "group", "aria-label": "Statuses" });
  const fresh = el("button", { type: "button", class: "fresh", hidden: true, onclick: again });
  const bulk = bulkBar({ api, say, filter: () => filter, rows: (id) => rows.find(id), done: () => rows.unchoose() });
  const rows = table({
    label: "Executions", height: 38, tall: 66,
    key: (row) => row.id, opened: (row) => go(pageOf(row.id)), chosen: (set) => bulk.choose(set),
    load: async (cursor) => {
      const page = await api.get(withQuery("/executions", { ...filter, order: order(), cursor, limit: PAGE }));
      return { rows: page.executions, cursor: page.cursor };
    },
    empty: el("div", {}, el("p", {}, "No execution matches."), el("p", { class: "muted" },
      "Start one: ", el("code", {}, "overwinter invoke NAME"), ", or POST /workflows/NAME.")),
    columns: [
      { name: "st", title: "Status", width: "108px", cell: (row) => statusOf(row.status) },
      { name: "id", title: "Id", width: "minmax(140px, 2fr)", cell: (row) => linkTo(row.id) },
      { name: "fn", title: "Function", width: "minmax(90px, 1fr)", cell: (row) => spelled(row.function) },
      { name: "says", title: "What it waits for, or says", width: "minmax(120px, 1.6fr)", cell: doing },
      { name: "spent", title: "Cost", width: "82px", end: true, cell: (row) => (Number(row.cost) ? money(row.cost) : "") },
      { name: "took", title: "Took", width: "84px", end: true, cell: (row) => (FINAL.has(row.status) ? duration(row.updated - row.created) : "") },
      { name: "age", title: "Begun", width: "72px", end: true, cell: (row) => ago(row.created, { suffix: false }) },
    ],
  });

  view.append(
    el("div", { class: "bar spread head" }, el("h1", {}, "Executions"), total),
    filters(api, query, change), el("div", { class: "bar acts" }, chips, bulk.element), fresh, rows.element);

  function change(name, value) {
    const next = new URLSearchParams(location.search);
    next.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) if (one) next.append(name, one);
    const text = next.toString();
    go(`/console/${text ? `?${text}` : ""}`, { replace: true, stay: true });
    filter = filterOf(next);
    search = location.search;
    drawChips(live.counts ?? counted);
    again();
  }

  let counted = {};
  function drawChips(counts) {
    counted = counts;
    const sum = Object.values(counts).reduce((one, other) => one + other, 0);
    total.textContent = `${number(sum)} in all`;
    const focused = document.activeElement?.dataset?.chip;
    const chip = (name, count, pressed, press) => el("button", {
      type: "button", class: "chip", "aria-pressed": String(pressed), data: { chip: name, status: name }, onclick: press,
    }, name !== "all" && shape(name), name, el("b", {}, short(count)));
    const on = new Set(filter.status);
    chips.replaceChildren(chip("all", sum, on.size === 0, () => change("status", [])),
      ...STATUSES.filter((one) => counts[one] || on.has(one)).map((one) => chip(one, counts[one] ?? 0, on.has(one), () => {
        on.has(one) ? on.delete(one) : on.add(one);
        change("status", [...on]);
      })));
    if (focused) chips.querySelector(`[data-chip="${focused}"]`)?.focus({ preventScroll: true });
  }

  function again() {
    fresh.hidden = true;
    stale.clear();
    return rows.begin();
  }

  // Live: rows in sight are read again at once, others when they come into sight; what is new is offered, so that
  // nothing moves under who reads.
  let looking = 0;
  const forget = live.on(({ ids, counts, all }) => {
    if (counts) drawChips(counts);
    if (all) for (const row of rows.rows) stale.add(row.id);
    for (const id of ids) if (rows.find(id)) stale.add(id);
    if (all || ids.some((id) => !rows.find(id))) looking ||= setTimeout(lookForNew, 700);
  });
  async function lookForNew() {
    if (order() && rows.cursor !== null) { looking = 0; return; } // it comes when one scrolls there
    try {
      const page = await api.get(withQuery("/executions", { ...filter, limit: 50 }));
      const unseen = page.executions.filter((row) => !rows.find(row.id)).length;
      if (unseen && !rows.rows.length) again();
      else if (unseen) {
        fresh.textContent = `${unseen === page.executions.length && page.cursor ? `${unseen} and more` : unseen} new: show`;
        fresh.hidden = false;
      }
    } catch { /* the next change looks again */ } finally { looking = 0; }
  }
  let reading = 0;
  const reread = setInterval(() => {
    if (!stale.size || document.hidden) return;
    for (const id of rows.inSight()) {
      if (reading >= 4) return;
      if (!stale.delete(id)) continue;
      reading += 1;
      api.get(`/executions/${part(id)}`).then((row) => rows.update(row), () => {}).finally(() => { reading -= 1; });
    }
  }, 150);

  api.get("/counts").then(drawChips, (error) => say(error.message, "bad"));
  const from = kept?.search === location.search ? kept : null;
  rows.begin(from ?? undefined);
  if (from) {
    for (const row of from.rows) stale.add(row.id);
    requestAnimationFrame(() => scrollTo(0, from.y));
    lookForNew();
  }
  const place = () => { y = scrollY; };
  let y = from?.y ?? 0;
  addEventListener("scroll", place, { passive: true });
  return () => {
    kept = { search, rows: rows.rows, cursor: rows.cursor, y };
    removeEventListener("scroll", place);
    clearInterval(reread);
    clearTimeout(looking);
    forget();
    rows.leave();
  };
}

function doing(row) {
  if (!row.awaits) return seen(row.note || "");
  const what = row.wake ? row.awaits.replace(/ until \S+$/, "") : row.awaits; // how long yet says it better
  return el("span", {}, seen(what), row.wake && [" ", countdown(row.wake)]);
}

function filters(api, query, change) {
  let pause = 0;
  const later = (name, control) => control.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => change(name, control.value.trim()), 300);
  });
  const search = el("input", { type: "search", class: "search", "aria-label": "Search in ids, functions and what they say", data: { search: "" },
    placeholder: "Search  ( / )", value: query.get("text") ?? "", autocomplete: "off", spellcheck: "false" });
  later("text", search);
  const pick = (name, label, options) => el("select", { "aria-label": label, onchange: (event) => change(name, event.target.value) },
    options.map(([value, text]) => el("option", { value, selected: query.get(name) === value }, text)));
  const known = el("span", {}, pick("function", "Function", [["", "any function"], ...(query.get("function") ? [[query.get("function"), query.get("function")]] : [])]));
  api.get("/functions").then(({ functions }) => {
    const names = new Set([...functions.map((one) => one.name), query.get("function")].filter(Boolean));
    const focused = known.contains(document.activeElement);
    known.replaceChildren(pick("function", "Function", [["", "any function"], ...[...names].sort().map((one) => [one, one])]));
    if (focused) known.firstChild.focus();
  }, () => {});
  const more = MORE.map(([name, label]) => {
    const control = el("input", { value: query.get(name) ?? "", inputmode: name === "cost" ? "decimal" : null, autocomplete: "off", spellcheck: "false" });
    later(name, control);
    return el("label", { class: "field" }, el("span", {}, label), control);
  });
  const kinds = pick("kind", "Kind", [["", "any kind"], ...KINDS.map((one) => [one, one])]);
  const open = query.has("kind") || MORE.some(([name]) => query.get(name));
  return el("div", { class: "filters" },
    el("div", { class: "bar" }, search, known, pick("age", "Age", AGES), pick("order", "Order", ORDERS), el("details", { open }, el("summary", { class: "muted" }, "More filters"),
      el("div", { class: "bar morefilters" }, more, el("label", { class: "field" }, el("span", {}, "Kind"), kinds)))));
}
