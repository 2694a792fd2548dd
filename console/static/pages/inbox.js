// What waits for a person: approvals, calls in doubt, what is stuck, and dead letters. Each is decided here, for exactly
// what is shown: an approval goes with the digest of what was read. Approvals may be many: they come by pages, and only the
// cards near what is in sight are in the document.

import { el } from "../parts/dom.js";
import { blocks } from "../parts/blocks.js";
import { number } from "../parts/format.js";
import { seen } from "../parts/words.js";
import { told } from "../waiting.js";
import { approval } from "./inbox/approvals.js";
import { doubt, letter, stuck } from "./inbox/others.js";
import { standings } from "./inbox/standing.js";

const PAGE = 200, DRY = 20; // executions of a page; pages without a find, after which one is asked whether to look further
const KINDS = [["approvals", "Approvals"], ["doubts", "In doubt"], ["stuck", "Stuck"], ["letters", "Dead letters"]];
const EMPTY = {
  approvals: "Nobody is asked for anything.", doubts: "Of every call it is known what came of it.",
  stuck: "Nothing is stuck.", letters: "Every event was taken.",
};
const BUILD = { approvals: approval, doubts: doubt, stuck, letters: letter };

export async function show(view, { query }, context) {
  const { api, live, go } = context;
  const wanted = { kind: KINDS.some(([name]) => name === query.get("kind")) ? query.get("kind") : "", text: query.get("text") ?? "", role: query.get("role") ?? "" };
  const desk = { ...context, functions: new Map(), again: (id) => (id ? one(id) : soon(0)) };
  const found = { approvals: [], doubts: [], stuck: [], letters: [] }, more = { approvals: 0, doubts: 0, stuck: 0, letters: 0 };
  const known = new Set(); // roles that were seen
  let cursor = null, pages = 1, generation = 0, coming = null, dry = 0, whole = null;
  desk.standing = standings(desk);

  const heading = el("h1", {}, "Inbox");
  const search = el("input", { type: "search", "aria-label": "Search the inbox", placeholder: "Search ( / )", value: wanted.text, data: { search: "" }, oninput: () => { wanted.text = search.value; look(); } });
  const role = el("select", { "aria-label": "Role that is asked", onchange: () => { wanted.role = role.value; look(); } });
  const chips = el("div", { class: "bar", role: "group", "aria-label": "What is shown" });
  const wrong = el("p", { class: "notice bad", role: "alert", hidden: true });
  const parts = Object.fromEntries(KINDS.map(([name, title]) => [name, section(name, title)]));
  view.append(el("div", { class: "bar spread head" }, heading, el("div", { class: "bar" }, search, role)), chips, wrong,
    ...KINDS.map(([name]) => parts[name].element), desk.standing.element);

  function section(name, title) {
    const top = el("h2", { tabindex: -1 }, title), cards = el("div", { class: "cards" }), foot = el("div", {});
    const list = blocks(cards, { key: (item) => item.key, build: (item) => BUILD[name](item, desk), rest: top });
    return { element: el("section", { class: "part", "aria-label": title }, top, cards, foot), top, title, foot, list };
  }

  function fits(item) { // approvals are looked for by the server
    return !wanted.text || JSON.stringify(item).toLowerCase().includes(wanted.text.toLowerCase());
  }

  function draw(address = false) {
    for (const one of found.approvals) if (one.role) known.add(one.role);
    const roles = [...new Set([...known, wanted.role].filter(Boolean))].sort();
    if ([...role.options].slice(1).map((one) => one.value).join("\n") !== roles.join("\n")) {
      role.replaceChildren(el("option", { value: "" }, "Every role"), ...roles.map((one) => el("option", { value: one }, seen(one))));
    }
    role.value = wanted.role;
    role.hidden = !roles.length;
    const chosen = [["", "All"], ...KINDS].map(([name, title]) => chip(name, title));
    if (!chips.children.length) chips.append(...chosen);
    chosen.forEach((one, at) => {
      const there = chips.children[at];
      there.setAttribute("aria-pressed", one.getAttribute("aria-pressed"));
      if (there.textContent !== one.textContent) there.replaceChildren(...one.childNodes);
    });
    for (const [name] of KINDS) {
      const part = parts[name], all = name === "approvals" ? found.approvals : found[name].filter(fits);
      part.element.hidden = Boolean(wanted.kind) && wanted.kind !== name;
      if (part.element.hidden) continue;
      part.list.show(all);
      part.foot.replaceChildren(...[foot(name, all)].filter(Boolean));
    }
    if (address) go(api.query("/console/inbox", wanted), { replace: true, stay: true });
  }

  function foot(name, all) {
    if (name === "approvals" && cursor !== null) {
      return el("div", { class: "bar" }, el("button", { type: "button", data: { act: "more" }, disabled: Boolean(coming), onclick: () => { dry = 0; further(); } }, dry < DRY ? "Show more" : "Look further"),
        el("span", { class: "muted", role: "status" }, coming ? "Loading…" : dry < DRY ? "" : "Nothing among those looked through last."));
    }
    if (!all.length) {
      const hidden = name === "approvals" ? wanted.text || wanted.role : found[name].length;
      return el("p", { class: "muted" }, hidden ? "Nothing here fits the search." : EMPTY[name]);
    }
    return more[name] ? el("p", { class: "muted" }, `${number(more[name])} are not shown`) : null;
  }

  /** How many there are; approvals that the search leaves out count too, when they are known. */
  function count(name) {
    if (name !== "approvals") return [found[name].length + more[name], false];
    return wanted.text || wanted.role ? whole ?? [found.approvals.length + more.approvals, cursor !== null] : whole = [found.approvals.length + more.approvals, cursor !== null];
  }
  function chip(name, title) {
    const counts = name ? [count(name)] : KINDS.map(([one]) => count(one));
    const sum = counts.reduce((total, [many]) => total + many, 0), open = counts.some(([, one]) => one);
    return el("button", { type: "button", class: "chip", "aria-pressed": String(wanted.kind === name), onclick: () => { wanted.kind = name; draw(true); } },
      title, " ", el("b", {}, `${number(sum)}${open ? "+" : ""}`));
  }

  const named = (one) => ({ ...one, key: `${one.execution} ${one.op}` });
  const approvals = (after) => api.get(api.query("/approvals", { limit: PAGE, cursor: after ?? undefined, text: wanted.text.trim() || undefined, role: wanted.role || undefined }));

  /** As many pages as were shown, anew. */
  async function asked() {
    const mine = generation, fresh = new Map();
    let after = null, left = 0, read = 0;
    do {
      const page = await approvals(after);
      if (mine !== generation) return;
      for (const one of page.approvals.map(named)) fresh.set(one.key, one);
      left += page.more;
      after = page.cursor;
      read += 1;
    } while (after !== null && read < pages);
    found.approvals = [...fresh.values()];
    Object.assign(more, { approvals: left });
    cursor = after;
    pages = read;
  }

  /** The next page. Where a search finds nothing for a while, one is asked whether to look further. */
  function further() {
    if (coming || cursor === null || dry >= DRY) return;
    const mine = generation;
    coming = approvals(cursor).then((page) => {
      if (mine !== generation) return;
      const there = new Set(found.approvals.map((one) => one.key));
      const fresh = page.approvals.map(named).filter((one) => !there.has(one.key));
      found.approvals.push(...fresh);
      more.approvals += page.more;
      cursor = page.cursor;
      pages += 1;
      dry = fresh.length ? 0 : dry + 1;
    }).catch((error) => { wrong.textContent = error.message; wrong.hidden = false; dry = DRY; }).finally(() => {
      coming = null;
      if (left) return;
      draw();
      if (inSight) further();
    });
    draw();
  }
  let inSight = false;
  const watching = new IntersectionObserver(([entry]) => { inSight = entry.isIntersecting; if (inSight) further(); }, { rootMargin: "600px 0px" });
  watching.observe(parts.approvals.foot);

  /** What one execution asks: where many are shown, the others need not be read again for it. */
  async function one(id) {
    if (pages <= 1) return soon(0);
    const mine = generation, first = found.approvals.find((item) => item.execution === id);
    try {
      const { approvals: fresh } = await api.get(`/approvals/${api.part(id)}`);
      if (mine !== generation || left || !first) return undefined;
      const at = found.approvals.findIndex((item) => item.execution === id);
      const others = found.approvals.filter((item) => item.execution !== id);
      others.splice(Math.max(at, 0), 0, ...fresh.filter((item) => !wanted.role || item.role === wanted.role).map((item) => named({ execution: id, function: first.function, ...item })));
      found.approvals = others;
      draw();
    } catch { soon(); } // it is gone, perhaps
    return undefined;
  }

  async function load() {
    const [, doubts, stuckOnes, letters] = await Promise.all([
      asked(), doubtsOf(api), api.get("/executions?status=stuck&limit=200"), api.get("/dead-letters?limit=200"),
    ]);
    found.doubts = doubts.found;
    found.stuck = stuckOnes.executions.map((one) => ({ id: one.id, function: one.function, awaits: one.awaits, note: one.note, updated: one.updated, key: one.id }));
    found.letters = letters.dead_letters.map((one) => ({ ...one, key: one.id }));
    Object.assign(more, { doubts: doubts.more, stuck: stuckOnes.cursor ? Math.max(0, (live.counts?.stuck ?? 0) - found.stuck.length) : 0, letters: letters.more });
    const counts = KINDS.map(([name]) => count(name));
    told(counts.reduce((sum, [many]) => sum + many, 0), counts.some(([, open]) => open));
  }

  /** Another search: pages begin anew. */
  let typing = 0;
  function look() {
    generation += 1;
    pages = 1;
    dry = 0;
    draw(true);
    clearTimeout(typing);
    typing = setTimeout(() => soon(0), 200);
  }

  let timer = 0, busy = false, again = false, left = false, took = 0;
  function soon(pause = Math.max(400, 5 * took)) { // an inbox that is slow to read is read less often
    if (busy) { again = true; return; }
    clearTimeout(timer);
    timer = setTimeout(renew, pause);
  }
  async function renew() {
    busy = true;
    again = false;
    const began = performance.now(), mine = generation;
    try {
      await load();
      wrong.hidden = true;
    } catch (error) {
      wrong.textContent = `What is shown may be old: ${error.message}`;
      wrong.hidden = false;
    }
    took = performance.now() - began;
    busy = false;
    if (left) return;
    draw();
    if (mine !== generation) soon(0);
    else if (again) soon();
  }

  const served = await api.get("/functions");
  for (const one of served.functions) desk.functions.set(one.name, one);
  await load();
  draw();
  const silent = live.on(({ ids, all }) => {
    if (pages <= 1 || all) { soon(); return; }
    const there = new Set(found.approvals.map((item) => item.execution)), shown = ids.filter((id) => there.has(id));
    for (const id of shown.slice(0, 10)) one(id);
    if (shown.length < ids.length || shown.length > 10) soon();
  });
  const poll = setInterval(() => { if (live.state === "off" && !document.hidden) soon(0); }, 3000);
  return () => {
    left = true;
    silent();
    clearInterval(poll);
    clearTimeout(timer);
    clearTimeout(typing);
    watching.disconnect();
    for (const [name] of KINDS) parts[name].list.leave();
  };
}

/** Calls in doubt of all executions: each execution is asked for its own. */
async function doubtsOf(api) {
  const page = await api.get("/executions?status=in-doubt&limit=100");
  const found = await Promise.all(page.executions.map(async (head) => {
    const { doubts } = await api.get(`/doubts/${api.part(head.id)}`);
    return doubts.map((one) => ({ ...one, execution: head.id, function: head.function, key: `${head.id} ${one.op}`, call: one.key }));
  }));
  return { found: found.flat().sort((a, b) => a.since - b.since), more: page.cursor ? 1 : 0 };
}
