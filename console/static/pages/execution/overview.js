// The timeline as a chart or as its twin in figures, input and output, and what was spent as it grew.

import { part, query } from "../../api.js";
import { copier, el, linkTo } from "../../parts/dom.js";
import { clockTime, countdown, duration, money, number, when } from "../../parts/format.js";
import { seen, spelled, straight } from "../../parts/seen.js";
import { statusOf, FINAL } from "../../parts/status.js";
import { dialog } from "../../parts/dialog.js";
import { pretty } from "../../parts/difference.js";
import { table } from "../../parts/table.js";
import { look, patterns, waterfall, word } from "./waterfall.js";
import { spending } from "./spending.js";

const PAGE = 1000, OFTEN = 5000;

export async function open(box, head, { api, journal }) {
  let timeline = null, list = [], gone = false, way = "chart", pages = 1;
  const path = (after, lines) => query(`/timeline/${part(head.id)}`, { limit: PAGE, after: after || undefined, lines: lines || undefined });
  const coded = head.kind === "workflow" && !head.definition, codes = new Map(); // lines that were learnt stay known
  let why = "";

  const chart = waterfall({ load: () => more(), inspect });
  const figures = twin({ load: () => more(), inspect });
  const place = el("div", {});
  const note = el("span", { class: "muted" }), unknown = el("p", { class: "muted", hidden: true });
  const ways = ["chart", "table"].map((name) => el("button", {
    type: "button", class: "small", "aria-pressed": String(name === way), onclick: () => turn(name),
  }, name === "chart" ? "Chart" : "Table"));
  const grew = el("section", { class: "panel", hidden: true });
  const values = el("div", { class: "values" });
  box.append(patterns(), el("div", { class: "bar spread tabhead" }, el("h2", { class: "hear" }, "Timeline"), note, el("div", { class: "bar ways", role: "group", "aria-label": "Show as" }, ways)), place, unknown, values, grew);

  function turn(name) {
    way = name;
    ways.forEach((button, at) => button.setAttribute("aria-pressed", String((at === 0) === (name === "chart"))));
    place.replaceChildren((name === "chart" ? chart : figures).element);
    show();
  }

  /** All pages that were wanted so far, anew: rows that were open have ended since. `lines`: code lines are looked for,
   *  which the server has to replay the history for; so that is not done at each change. */
  async function read(lines = false) {
    const found = [];
    let page = null, after = 0, next = null;
    for (let at = 0; at < pages; at++) {
      page = await api.get(path(after, lines));
      found.push(...page.rows);
      after = next = page.next ?? null;
      if (next === null) break;
    }
    if (gone) return;
    timeline = FINAL.has(head.status) ? { ...page, to: Math.max(head.updated, page.from) } : page;
    list = keyed(found);
    if (lines) why = page.lines ?? "";
    for (const row of list) {
      if (row.code) codes.set(row.key, row.code);
      else row.code = codes.get(row.key) ?? "";
    }
    show(next);
  }
  let cursor = null;
  function show(next = cursor) {
    if (!timeline) return;
    cursor = next;
    const axis = chart.set(timeline);
    (way === "chart" ? chart : figures).rows.replace(list, cursor);
    grew.hidden = !(timeline.grew?.length > 1);
    if (!grew.hidden) grew.replaceChildren(el("h2", {}, "Tokens and cost"), el("div", { class: "body" }, spending(timeline, axis)));
    const open = list.filter((row) => row.end === null).length;
    note.textContent = `${number(timeline.count ?? list.length)} row${list.length === 1 ? "" : "s"} over ${duration(timeline.to - timeline.from)}${open ? `, ${open} open` : ""}`;
    unknown.hidden = !why;
    unknown.textContent = why && `Not every code line is known: ${why}`;
  }
  async function more() {
    pages += 1;
    await read(coded);
    return { rows: [], cursor };
  }

  async function inspect(row) {
    if (coded && !row.code && !why) { // it came after the others
      await read(true).catch(() => {});
      row = list.find((one) => one.key === row.key) ?? row;
    }
    const facts = [];
    const say = (name, ...value) => { if (value[0]) facts.push(el("dt", {}, name), el("dd", {}, ...value)); };
    say("Status", statusOf(look(row), word(row)));
    say("Operation", el("span", { class: "mono" }, row.op));
    say("Branch", row.branch && spelled(row.branch));
    const place = (at) => at && [el("span", { class: "mono" }, at), " ", copier(at)];
    say("Code", place(row.code));
    say(row.code ? "Failed at" : "Code", place(row.line));
    say("Began", `${when(row.begin)} (${duration(row.begin - timeline.from)} after the beginning)`);
    if (row.status !== "info") say(row.end === null ? "Open for" : row.guessed ? "Took at most" : "Took", duration((row.end ?? timeline.now) - row.begin));
    if (row.end === null && row.until) say("Until", when(row.until), " ", countdown(row.until));
    say("Child", row.child && linkTo(row.child));
    say("Tokens", row.tokens ? number(row.tokens) : "");
    say("Cost", row.cost ? money(row.cost) : "");
    const attempts = (row.attempts ?? []).length > 0 ? el("ol", { class: "attempts" }, row.attempts.map((one) => el("li", {},
      one.begin === null ? "when is not recorded" : `${clockTime(one.begin)}${one.end === null ? "" : `, ${duration(one.end - one.begin)}`}`, one.error ? el("span", { class: "bad" }, ` ${one.error}`) : ""))) : null;
    const entry = el("div", {});
    if (row.entry) {
      api.get(`/history/${part(head.id)}?after=${row.entry - 1}&limit=1`).then(({ entries }) => {
        if (entries.length) entry.replaceChildren(el("h3", {}, `Journal entry ${row.entry}`), el("pre", { class: "box", tabindex: "0" }, straight(pretty(entries[0]))));
      }, () => {});
    }
    return dialog({
      title: `${row.kind} ${spelled(row.name || row.op)}`, wide: true,
      body: [row.error ? el("p", { class: "notice bad" }, seen(row.error)) : null, el("dl", { class: "facts" }, facts), attempts && [el("h3", {}, "Attempts"), attempts], entry],
      actions: [...(row.entry ? [{ label: "Show in the journal", value: "journal" }] : []), { label: "Close", value: null }],
    }).then((chosen) => { if (chosen === "journal") journal(row.entry); });
  }

  turn("chart");
  await Promise.all([read(coded), inputAndOutput(values, head, api)]);
  const timer = setInterval(() => { // what is open grows
    if (!document.hidden && list.length <= PAGE && list.some((row) => row.end === null && !row.wait)) read().catch(() => {});
  }, OFTEN);
  let due = 0;
  return {
    changed(next) {
      const ended = FINAL.has(next.status) !== FINAL.has(head.status);
      head = next;
      clearTimeout(due);
      due = setTimeout(() => read(coded && ended).catch(() => {}), 150);
      return ended ? inputAndOutput(values, head, api) : undefined;
    },
    leave() {
      gone = true;
      clearInterval(timer);
      clearTimeout(due);
      chart.leave();
      figures.leave();
    },
  };
}

function keyed(rows) {
  const seen = new Map();
  return rows.map((row) => {
    const name = `${row.op}|${row.kind}|${row.child}|${row.parent}`, times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    return { ...row, key: times ? `${name}|${times}` : name };
  });
}

/** The same in figures. */
function twin({ load, inspect }) {
  const rows = table({
    label: "Operations in figures", height: 32, tall: 54, load, key: (row) => row.key, opened: inspect, empty: "Nothing has happened yet.",
    columns: [
      { name: "op", title: "Operation", width: "minmax(140px, 1.6fr)", cell: (row) => el("button", { type: "button", class: "row-name", onclick: () => inspect(row) },
        el("span", { class: "kind" }, row.kind), el("span", { class: "cut" }, spelled(row.name || row.op))) },
      { name: "st", title: "Status", width: "112px", cell: (row) => statusOf(look(row), word(row)) },
      { name: "begin", title: "Began", width: "86px", end: true, cell: (row) => clockTime(row.begin) },
      { name: "took", title: "Took", width: "84px", end: true, cell: (row) => (row.status === "info" ? "" : row.end === null ? "open" : duration(row.end - row.begin)) },
      { name: "tries", title: "Attempts", width: "64px", end: true, cell: (row) => (row.status === "info" ? "" : String(row.tried)) },
      { name: "tokens", title: "Tokens", width: "64px", end: true, cell: (row) => (row.tokens ? number(row.tokens) : "") },
      { name: "cost", title: "Cost", width: "72px", end: true, cell: (row) => (row.cost && Number(row.cost) ? money(row.cost) : "") },
      { name: "line", title: "Code", width: "minmax(90px, 1fr)", cell: (row) => (row.child ? linkTo(row.child) : el("span", { class: "mono muted" }, row.code || row.line)) },
    ],
  });
  return { element: rows.element, rows, leave: rows.leave };
}

async function inputAndOutput(box, head, api) {
  const [first, outcome] = await Promise.all([
    api.get(`/history/${part(head.id)}?limit=1`).then(({ entries }) => entries[0], () => null),
    FINAL.has(head.status) ? api.get(`/results/${part(head.id)}`).catch(() => null) : null,
  ]);
  const shown = (name, value) => el("section", { class: "panel" }, el("header", { class: "bar spread" }, el("h2", {}, name), copier(() => pretty(value))),
    el("div", { class: "body" }, el("pre", { class: "box", tabindex: "0" }, straight(pretty(value)))));
  box.replaceChildren(
    ...(first && "input" in first && head.kind !== "schedule" ? [shown("Input", first.input)] : []),
    ...(outcome && "result" in outcome ? [shown("Output", outcome.result)] : []),
    ...(outcome && outcome.error ? [shown("Error", outcome.error)] : []));
}
