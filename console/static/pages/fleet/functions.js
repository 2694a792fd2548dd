// Functions by kind, and of each agent its sessions and runs.

import { el, linkTo } from "../../parts/dom.js";
import { ago } from "../../parts/format.js";
import { list } from "../../parts/list.js";
import { statusOf } from "../../parts/status.js";
import { counted, seen } from "../../parts/words.js";

const PAGE = 200, AT_ONCE = 4, NEWEST = 3;
const ORDER = ["agent", "workflow", "tool"];

export function functions(body, { served }) {
  const rank = (one) => (ORDER.indexOf(one.kind) + ORDER.length + 1) % (ORDER.length + 1);
  const rows = [...served].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  body.replaceChildren(list("Functions", [
    { title: "Name", cell: (one) => el("a", { href: `/console/?function=${encodeURIComponent(one.name)}` }, seen(one.name)) },
    { title: "Kind", cell: (one) => one.kind },
    { title: "What it does", cell: (one) => el("span", { class: "clamp" }, seen(one.description || "–")) },
    { title: "Effect", cell: (one) => one.effect ?? "" },
    { title: "Approved by", cell: (one) => seen(one.approval ?? "") },
  ], rows, "Nothing is served here."));
  return rows.length;
}

export async function agents(body, { api, served }) {
  const names = served.filter((one) => one.kind === "agent").map((one) => one.name), found = new Map();
  for (let at = 0; at < names.length; at += AT_ONCE) {
    await Promise.all(names.slice(at, at + AT_ONCE).map(async (name) => {
      found.set(name, await api.get(api.query("/executions", { function: name, limit: PAGE })));
    }));
  }
  body.replaceChildren(list("Agents", [
    { title: "Agent", cell: (name) => el("a", { href: `/console/?function=${encodeURIComponent(name)}` }, seen(name)) },
    { title: "Sessions and runs", end: true, cell: (name) => `${found.get(name).executions.length}${found.get(name).cursor ? "+" : ""}` },
    { title: "By status", cell: (name) => byStatus(found.get(name).executions) },
    { title: "Newest", cell: (name) => newest(name, found.get(name).executions) },
  ], names, "No agents are served here."));
  return names.length;
}

function byStatus(heads) {
  const counts = new Map();
  for (const { status } of heads) counts.set(status, (counts.get(status) ?? 0) + 1);
  if (!counts.size) return el("span", { class: "muted" }, "none yet");
  return el("span", { class: "bar" }, [...counts].map(([status, count]) => statusOf(status, `${count} ${status}`)));
}

function newest(name, heads) {
  const shown = [...heads].sort((a, b) => b.updated - a.updated).slice(0, NEWEST);
  return el("span", { class: "bar" }, shown.map((head) => el("span", {},
    linkTo(head.id, seen(head.id.startsWith(`${name}/`) ? head.id.slice(name.length + 1) : head.id)), " ", el("span", { class: "muted" }, ago(head.updated)))),
  heads.length > shown.length && el("span", { class: "muted" }, `and ${counted(heads.length - shown.length, "other")}`));
}
