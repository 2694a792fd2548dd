// A finished execution, walked through: its journal entry by entry, up to a breakpoint at an operation, with what was
// known, open and waiting at that moment. All of it is made here out of GET /history; nothing runs again.

import { el, linkTo } from "../../parts/dom.js";
import { clockTime, duration, money, number, when } from "../../parts/format.js";
import { FINAL, statusOf } from "../../parts/status.js";
import { table } from "../../parts/table.js";
import { seen, words } from "../../parts/words.js";
import { at, awaited, nextOf } from "./past.js";

const PAGE = 1000, MOST = 100000, SHOWN = 40, WALK = 1200;

export async function replay(box, query, context) {
  const { api, say, address } = context;
  const ids = el("datalist", { id: "finished" });
  const id = el("input", { type: "text", name: "id", list: "finished", value: query.get("id") ?? "", autocomplete: "off", spellcheck: "false", "aria-label": "Execution", placeholder: "id of an execution", data: { search: "" } });
  const body = el("div", { class: "fields" });
  box.append(el("form", { class: "bar", onsubmit: (event) => { event.preventDefault(); load(); } }, id, ids, el("button", { type: "submit" }, "Open")), body);
  let rows = null, walking = 0, turn = 0;
  const { executions } = await api.get(api.query("/executions", { status: [...FINAL], limit: 50 }));
  ids.append(...executions.map((one) => el("option", { value: one.id }, `${one.function}, ${one.status}`)));
  if (!id.value && executions.length) {
    body.append(el("p", { class: "muted" }, "Lately finished:"), el("div", { class: "bar" }, executions.slice(0, 8).map((one) =>
      el("button", { type: "button", class: "chip", onclick: () => { id.value = one.id; load(); } }, statusOf(one.status, seen(one.id))))));
  } else if (!id.value) body.append(el("p", { class: "empty" }, "Nothing has finished yet."));

  async function load(place = 1, stop = "") {
    const mine = ++turn, wanted = id.value.trim();
    if (!wanted) return;
    stand();
    rows?.leave();
    body.replaceChildren(el("p", { class: "muted" }, "Reading its journal…"));
    const entries = [];
    try {
      for (let after = 0; after !== null && entries.length < MOST;) {
        const page = await api.get(api.query(`/history/${api.part(wanted)}`, { after, limit: PAGE }));
        if (mine !== turn) return;
        entries.push(...page.entries);
        after = page.next;
      }
    } catch (error) {
      body.replaceChildren(el("p", { class: "notice bad" }, error.message));
      return;
    }
    walk(wanted, entries, Math.max(1, Math.min(place, entries.length)), stop);
  }

  function stand() { cancelAnimationFrame(walking); walking = 0; }

  function walk(name, entries, first, stopAt) {
    let n = first, stop = stopAt, state = null;
    const where = el("p", { class: "where", role: "status" }), shown = el("div", { class: "fields" });
    const button = (label, act, does, hint) => el("button", { type: "button", data: { act }, title: hint, onclick: does }, label);
    const buttons = {
      first: button("First", "first", () => go(1)), back: button("Back", "back", () => go(n - 1)), step: button("Step", "step", () => go(n + 1)),
      run: button("Run to the breakpoint", "run", run), last: button("Last", "last", () => go(entries.length)),
    };
    buttons.step.className = "primary";
    const row = (index) => ({ n: index + 1, entry: entries[index], here: index + 1 === n, stop: stop !== "" && entries[index].op === stop });
    rows = table({
      label: "Journal", key: (one) => String(one.n), height: 34, tall: 56, opened: (one) => go(one.n),
      columns: [
        { name: "n", title: "Entry", width: "52px", end: true, cell: (one) => el("span", { class: one.here ? "here" : "muted" }, one.here ? el("span", { class: "hear" }, "here: ") : null, String(one.n)) },
        { name: "stop", title: "Stop", width: "44px", cell: (one) => (one.entry.op ? el("button", {
          type: "button", class: "stop", "aria-pressed": String(one.stop), "aria-label": `Breakpoint at ${one.entry.op}`, onclick: () => mark(one.entry.op),
        }) : "") },
        { name: "op", title: "Operation", width: "minmax(0, 0.6fr)", cell: (one) => el("code", {}, seen(one.entry.op ?? "")) },
        { name: "what", title: "What", width: "minmax(0, 1.4fr)", cell: (one) => el("span", {}, one.entry.type, one.entry.name ? el("b", {}, ` ${seen(one.entry.name)}`) : null) },
        { name: "after", title: "After", width: "72px", end: true, cell: (one) => (one.n > 1 ? duration(one.entry.at - entries[one.n - 2].at) : clockTime(one.entry.at)) },
      ],
      load: async () => ({ rows: entries.map((_, index) => row(index)), cursor: null }),
    });
    body.replaceChildren(
      el("div", { class: "bar spread walk" }, el("div", { class: "bar" }, Object.values(buttons)), linkTo(name, "Its execution")),
      where, el("div", { class: "halves" }, rows.element, el("section", { class: "past", "aria-label": "As it was" }, shown)));
    rows.begin().then(draw);

    function go(next) {
      stand();
      n = Math.max(1, Math.min(entries.length, next));
      draw();
    }

    function mark(op) {
      stop = stop === op ? "" : op;
      draw();
    }

    /** Step by step to the next entry of the operation that is marked, in about a second whatever the distance. */
    function run() {
      stand();
      const goal = stop && nextOf(entries, stop, n);
      if (!stop) return say("Mark an operation first: the ring beside it is its breakpoint.");
      if (!goal) return say(`${stop} does not come any more; go back to run to it again.`);
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return go(goal);
      const from = n, began = performance.now();
      const frame = (now) => {
        n = Math.min(goal, from + Math.max(1, Math.ceil((goal - from) * (now - began) / WALK)));
        draw();
        walking = n < goal ? requestAnimationFrame(frame) : 0;
      };
      walking = requestAnimationFrame(frame);
    }

    let drawn = [];
    function draw() {
      const entry = entries[n - 1], next = entries[n];
      state = at(entries, n, state);
      const touched = new Set([...drawn, n, ...(stop === walk.stop ? [] : entries.flatMap((one, index) => (one.op === stop || one.op === walk.stop ? [index + 1] : [])))]);
      for (const one of touched) if (one) rows.update(row(one - 1));
      drawn = [n];
      walk.stop = stop;
      where.replaceChildren(`Entry ${number(n)} of ${number(entries.length)}: `, el("b", {}, [entry.type, entry.name].filter(Boolean).map(seen).join(" ")), ` at ${when(entry.at)}`);
      buttons.first.disabled = buttons.back.disabled = n === 1;
      buttons.step.disabled = buttons.last.disabled = n === entries.length;
      address({ id: name, at: n, stop });
      shown.replaceChildren(...[
        el("div", { class: "bar" }, statusOf(state.status === "running" && awaited(next) ? "waiting" : state.status),
          state.tokens ? el("span", { class: "muted" }, `${number(state.tokens)} tokens, ${money(String(state.cost))} so far`) : null),
        group("This entry", [el("div", { class: "worded" }, words(told(entry)))]),
        group("Waiting", [...state.waiting.values()].map((one) => item(one, [one.why, one.needs > 1 ? ` (${one.votes.size} of ${one.needs})` : "", one.until ? `, until ${when(one.until)}` : ""]))),
        group("Open", [...state.open.values()].map((one) => item(one, one.why))),
        next && awaited(next) ? group("Then", [el("p", {}, `${duration(next.at - entry.at)} later: ${next.type} ${seen(next.name ?? "")}`)]) : null,
        group("Known", latest([...state.known.values()]).map((one) => item(one, one.error !== undefined ? el("span", { class: "bad" }, seen(one.error)) : words(one.value, 2))), state.known.size),
        group("Arrived", latest(state.arrived).map((one) => item(one, words(one.value, 2))), state.arrived.length),
      ].filter(Boolean));
    }
  }

  if (id.value) await load(Number(query.get("at")) || 1, query.get("stop") ?? "");
  return () => {
    turn += 1;
    stand();
    rows?.leave();
  };
}

function latest(all) { return all.slice(-SHOWN).reverse(); }

/** What an entry says beside what stands in its row. */
function told(entry) {
  return Object.fromEntries(Object.entries(entry).filter(([name]) => !["type", "at", "op", "name", "seed", "digest", "args", "version"].includes(name)));
}

function item(one, ...said) {
  return el("div", { class: "known" }, el("code", {}, seen(one.op ?? "")), el("b", {}, seen(one.name ?? "")), el("span", {}, said));
}

function group(title, items, all = items.length) {
  if (!items.length) return title === "This entry" || title === "Known" ? el("div", {}, el("h2", {}, title), el("p", { class: "muted" }, "nothing yet")) : null;
  return el("div", { class: "fields" }, el("h2", {}, title, all > 1 ? el("span", { class: "muted" }, ` ${number(all)}`) : null), items,
    all > items.length && el("p", { class: "muted" }, `and ${number(all - items.length)} before them`));
}
