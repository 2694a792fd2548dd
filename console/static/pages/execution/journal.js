// The journal as it is, entry by entry, however long it is. It grows while one looks.

import { part } from "../../api.js";
import { copier, el } from "../../parts/dom.js";
import { bytes, clockTime, duration, when } from "../../parts/format.js";
import { dialog } from "../../parts/dialog.js";
import { fork, forks } from "../../parts/forking.js";
import { seen as shown, spelled, straight } from "../../parts/seen.js";
import { table } from "../../parts/table.js";

const PAGE = 500;
const TYPES = ["start", "message", "event", "step", "model", "tool", "timer", "child", "ordered", "retrying", "decided", "reply", "completed", "failed"];

export async function open(box, head, context) {
  const { api, entry } = context;
  let words = "", type = "", first = null;
  const search = el("input", { type: "search", class: "search", "aria-label": "Search in the entries", data: { search: "" }, placeholder: "Search  ( / )", autocomplete: "off", spellcheck: "false" });
  const types = el("select", { "aria-label": "Type", onchange: () => { type = types.value; rows.begin(); } }, el("option", { value: "" }, "any type"));
  const note = el("span", { class: "muted" });
  const seen = new Set();
  const rows = table({
    label: "Journal", height: 30, tall: 52, key: (row) => row.number, opened: inspect, loaded: told,
    empty: "No entry matches.",
    load: async (after) => {
      const page = await api.get(`/history/${part(head.id)}?after=${after ?? 0}&limit=${PAGE}`);
      return { rows: page.entries.map((one, at) => ({ number: (after ?? 0) + at + 1, entry: one })).filter(matches), cursor: page.next };
    },
    columns: [
      { name: "no", title: "#", width: "44px", end: true, cell: (row) => el("button", { type: "button", class: "row-name", "aria-label": `Entry ${row.number}`, onclick: () => inspect(row) }, String(row.number)) },
      { name: "at", title: "At", width: "86px", cell: (row) => el("span", { title: when(row.entry.at) }, clockTime(row.entry.at)) },
      { name: "ty", title: "Type", width: "96px", cell: (row) => el("span", { class: "entry-type", data: { bad: String("error" in row.entry) } }, row.entry.type) },
      { name: "op", title: "Op", width: "100px", cell: (row) => el("span", { class: "mono" }, row.entry.op ?? "") },
      { name: "nm", title: "Name", width: "minmax(80px, 0.6fr)", cell: (row) => spelled(row.entry.name ?? row.entry.to ?? row.entry.id ?? "") },
      { name: "ms", title: "Took", width: "72px", end: true, cell: (row) => (row.entry.ms === undefined ? "" : duration(row.entry.ms)) },
      { name: "va", title: "What", width: "minmax(120px, 2fr)", cell: (row) => el("span", { class: "mono" }, shown(gist(row.entry))) },
    ],
  });

  function matches({ entry: one }) {
    if (one.type && !seen.has(one.type)) addType(one.type);
    first ??= one.at;
    if (type && one.type !== type) return false;
    return !words || JSON.stringify(one).toLowerCase().includes(words);
  }
  function addType(name) {
    seen.add(name);
    const order = [...seen].sort((a, b) => (TYPES.indexOf(a) + 1 || 99) - (TYPES.indexOf(b) + 1 || 99));
    types.replaceChildren(el("option", { value: "" }, "any type"), ...order.map((one) => el("option", { value: one, selected: one === type }, one)));
  }
  function told(list, cursor) {
    note.textContent = words || type ? `${list.length}${cursor === null ? "" : "+"} of ${head.length}` : `${head.length} entries`;
  }

  async function inspect(row) {
    const forkable = forks(head) && row.number > 1;
    const text = JSON.stringify(row.entry, null, 2), blob = row.entry.blob;
    const chosen = await dialog({
      title: `Entry ${row.number}: ${row.entry.type}`, wide: true,
      body: [el("p", { class: "muted" }, when(row.entry.at), first ? `, ${duration(row.entry.at - first)} after the first` : ""),
        blob ? el("p", { class: "notice" }, `Its field ${blob.field} lies in a blob of ${bytes(blob.size)}.`) : null,
        el("div", { class: "bar" }, copier(text, "Copy as JSON"), row.entry.value !== undefined ? copier(() => JSON.stringify(row.entry.value), "Copy the value") : null),
        el("pre", { class: "box", tabindex: "0" }, straight(text))],
      actions: [...(forkable ? [{ label: "Fork from here", value: "fork" }] : []), { label: "Close", value: null }],
    });
    if (chosen === "fork") await fork(head, context, row.number);
  }

  let pause = 0;
  search.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => { words = search.value.trim().toLowerCase(); rows.begin(); }, 250);
  });
  box.append(el("div", { class: "bar tabhead" }, search, types, note), rows.element);
  await rows.begin();
  if (entry) {
    api.get(`/history/${part(head.id)}?after=${entry - 1}&limit=1`).then(({ entries }) => {
      if (entries.length) inspect({ number: entry, entry: entries[0] });
    }, () => {});
  }
  let reached = head.length;
  return {
    async changed(next) {
      head = next;
      if (rows.cursor === null && next.length > reached) { // all of it is there: what is new comes at the end
        const page = await api.get(`/history/${part(head.id)}?after=${reached}&limit=${PAGE}`);
        const from = reached;
        reached += page.entries.length;
        rows.append(page.entries.map((one, at) => ({ number: from + at + 1, entry: one })).filter(matches));
      }
      told(rows.rows, rows.cursor);
    },
    leave() { clearTimeout(pause); rows.leave(); },
  };
}

/** What an entry says, in a line. */
function gist(entry) {
  if (entry.error) return entry.error.message ?? entry.error.kind ?? "error";
  for (const name of ["value", "input", "content", "text", "data", "why", "reason", "definition"]) {
    if (entry[name] !== undefined && entry[name] !== null) return JSON.stringify(entry[name]).slice(0, 240);
  }
  const { type, op, at, name, ms, args, seed, ...rest } = entry;
  return Object.keys(rest).length ? JSON.stringify(rest).slice(0, 240) : "";
}
