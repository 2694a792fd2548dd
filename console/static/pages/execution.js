// One execution: what it is and waits for, what can be done to it, and tabs for its timeline, its conversation, the
// graph of a state machine, and its journal. Everything is read again when it changes.

import { part } from "../api.js";
import { el, linkTo } from "../parts/dom.js";
import { ago, countdown, duration, money, number, short } from "../parts/format.js";
import { seen, spelled } from "../parts/seen.js";
import { FINAL, statusOf } from "../parts/status.js";
import { actionsOf } from "./execution/actions.js";

const TABS = {
  timeline: { label: "Timeline", fits: () => true, load: () => import("./execution/overview.js") },
  conversation: { label: "Conversation", fits: (head) => head.kind === "agent", load: () => import("./execution/conversation.js") },
  graph: { label: "Graph", fits: (head) => Boolean(head.definition), load: () => import("./execution/graph.js") },
  journal: { label: "Journal", fits: () => true, load: () => import("./execution/journal.js") },
};

export async function show(view, { id, query }, context) {
  const { api, live, go } = context;
  const path = `/executions/${part(id)}`;
  let head = await api.get(path);
  const names = Object.keys(TABS).filter((name) => TABS[name].fits(head));
  let current = null, opened = null, opening = 0, gone = false, entryWanted = 0;

  const title = el("h1", { class: "mono" }, spelled(id));
  const crumbs = el("p", { class: "crumbs" });
  const facts = el("dl", { class: "strip" });
  const notice = el("div", {});
  const actions = actionsOf(id, context, () => read());
  const panel = el("div", { role: "tabpanel", id: "panel", tabindex: "-1" });
  const tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "Views of this execution", onkeydown: arrows },
    names.map((name) => el("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "panel", data: { tab: name }, onclick: () => choose(name),
    }, TABS[name].label)));
  view.append(crumbs, el("div", { class: "bar spread head" }, title, actions.element), facts, notice, tabs, panel);
  draw();
  await choose(names.includes(query.get("tab")) ? query.get("tab") : query.get("tab") ? "timeline" : names.includes("conversation") ? "conversation" : "timeline", true);

  function draw() {
    const known = [];
    const say = (name, ...value) => known.push(el("div", {}, el("dt", {}, name), el("dd", {}, ...value)));
    say("Status", statusOf(head.status));
    say("Function", spelled(head.function), el("span", { class: "muted" }, ` ${head.kind}`));
    say("Begun", ago(head.created));
    if (FINAL.has(head.status)) say("Took", duration(head.updated - head.created));
    else say("Changed", ago(head.updated));
    say("Entries", short(head.length));
    if (head.tokens) say("Tokens", number(head.tokens));
    if (Number(head.cost)) say("Cost", money(head.cost));
    if (head.awaits) say("Waits for", seen(head.wake ? head.awaits.replace(/ until \S+$/, "") : head.awaits), head.wake && head.status === "waiting" ? [el("span", { class: "muted" }, " "), countdown(head.wake)] : null);
    if (head.note) say("Says", seen(head.note));
    if (head.deaths) say("Processes that died", String(head.deaths));
    if (head.definition) say("Definition", el("span", { class: "mono", title: head.definition }, head.definition.slice(0, 15)));
    facts.replaceChildren(...known);
    crumbs.replaceChildren(el("a", { href: document.querySelector('nav a[data-page="executions"]').getAttribute("href") }, "Executions"),
      head.parent ? [" / ", linkTo(head.parent)] : []);
    crumbs.append(" /");
    actions.draw(head);
    tell();
  }

  async function tell() {
    if (!["failed", "stuck", "in-doubt", "cancelled", "terminated"].includes(head.status)) return notice.replaceChildren();
    if (head.status === "in-doubt") {
      return notice.replaceChildren(el("div", { class: "notice warn" }, "Nobody knows whether a call took effect. ",
        el("a", { href: "/console/inbox" }, "The inbox"), " asks what came of it."));
    }
    try {
      const { error } = await api.get(`/results/${part(id)}`);
      if (error) notice.replaceChildren(el("div", { class: `notice ${head.status === "failed" || head.status === "stuck" ? "bad" : ""}` },
        el("b", {}, error.kind ? `${error.kind.split(".").at(-1)}: ` : ""), seen(error.message ?? head.status),
        error.op ? el("span", { class: "muted" }, ` (operation ${error.op})`) : null));
      else notice.replaceChildren();
    } catch { notice.replaceChildren(); }
    return undefined;
  }

  async function choose(name, first = false) {
    if (name === current) return;
    const mine = ++opening;
    opened?.leave?.();
    opened = null;
    current = name;
    if (!first) {
      const next = new URLSearchParams(location.search);
      next.set("tab", name);
      go(`${location.pathname}?${next}`, { replace: true, stay: true });
    }
    for (const tab of tabs.children) {
      const on = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    panel.setAttribute("aria-labelledby", `tab-${name}`);
    const box = el("div", { class: `tab ${name}` });
    panel.replaceChildren(box);
    try {
      const module = await TABS[name].load();
      const made = await module.open(box, head, { ...context, journal: (entry) => { entryWanted = entry; choose("journal"); }, entry: takeEntry() });
      if (mine !== opening || gone) made?.leave?.();
      else opened = made;
    } catch (error) {
      if (mine === opening) box.replaceChildren(el("p", { class: "notice bad" }, error.message));
    }
  }
  function takeEntry() {
    const entry = entryWanted;
    entryWanted = 0;
    return entry;
  }

  function arrows(event) {
    const at = names.indexOf(current);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const name = names[(next + names.length) % names.length];
    choose(name);
    tabs.querySelector(`[data-tab="${name}"]`).focus();
  }

  // One reading at a time; what changes meanwhile is read once more after it.
  let reading = false, again = false;
  async function read() {
    if (reading) { again = true; return; }
    reading = true;
    try {
      do {
        again = false;
        const found = await api.get(path);
        if (gone) return;
        const changed = found.version !== head.version || found.length !== head.length || found.status !== head.status;
        head = found;
        draw();
        if (changed) await opened?.changed?.(head);
      } while (again && !gone);
    } catch { /* what is shown stays; the next change tries again */ } finally { reading = false; }
  }
  const forget = live.on(({ ids, all }) => { if (all || ids.includes(id)) read(); }, id);
  return () => {
    gone = true;
    forget();
    opened?.leave?.();
  };
}
