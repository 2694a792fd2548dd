// Turns of a conversation out of journal entries: each entry either begins an item or completes one. Nothing is
// fetched here.

import { el, linkTo } from "../../parts/dom.js";
import { clockTime, countdown, duration, money, number, when } from "../../parts/format.js";
import { parse } from "../../parts/exact.js";
import { shape } from "../../parts/status.js";
import { pretty } from "../../parts/difference.js";

const LONG = 1600;

export function dialogue() {
  const items = [], calls = new Map(), known = new Set(), said = new Map();
  let dirty = new Set(), turns = 0, tokens = 0, count = 0;
  const touch = (item) => { dirty.add(item); return item; };
  const add = (draw) => {
    const item = { draw, element: null };
    items.push(item);
    return touch(item);
  };
  const aside = (entry, text, tone = "") => add(() => el("li", { class: `aside ${tone}` }, el("span", {}, text), stamp(entry)));

  function model(entry) {
    known.add(entry.op);
    const value = entry.value ?? {};
    const asked = (value.tool_calls ?? []).map((call, at) => ({ call, op: `${entry.op}.${at}`, result: null, waits: null, entry: null, tries: [] }));
    const used = Object.values(value.usage ?? {}).reduce((sum, one) => sum + one, 0);
    tokens += used;
    count += asked.length;
    said.set(entry.op, value.text);
    const item = add(() => el("li", { class: "turn model" },
      el("div", { class: "who" }, el("b", {}, "model"), el("span", { class: "muted" }, ` ${value.model ?? entry.name}`), stamp(entry, [
        duration(entry.ms), used ? `${number(used)} tokens` : "", Number(value.cost) ? money(value.cost) : "", value.finish ?? ""])),
      thoughts(value), value.text ? prose(value.text) : null, value.refusal ? el("p", { class: "notice warn" }, `It refused: ${value.refusal}`) : null,
      entry.error ? el("p", { class: "notice bad" }, entry.error.message) : null, asked.map(callOf)));
    for (const one of asked) {
      one.item = item;
      calls.set(one.op, one);
      if (one.call.id) calls.set(`${entry.op.split(".")[0]}:${one.call.id}`, one);
    }
  }

  function callFor(entry) {
    return calls.get(entry.op) ?? (entry.call ? calls.get(`${String(entry.op).split(".")[0]}:${entry.call}`) : undefined);
  }

  const takes = {
    start: (entry) => { turns += 1; add(() => spoken("input", entry, entry.input, entry.by)); },
    message: (entry) => { turns += 1; add(() => spoken("user", entry, entry.content, entry.by)); },
    model,
    tool: settle,
    child: settle,
    observed: (entry) => {
      const call = callFor(entry);
      if (call && entry.call) { call.result = { text: entry.text, tone: "warn" }; touch(call.item); } else aside(entry, `The model is told: ${entry.text}`, "warn");
    },
    ordered(entry) {
      const call = callFor(entry);
      if (!call) return;
      if (entry.kind === "approval") call.waits = { word: "waits for approval", role: entry.role, until: entry.until };
      if (entry.kind === "child") call.child = entry.id;
      touch(call.item);
    },
    decided(entry) {
      const call = callFor(entry);
      if (!call) return;
      call.waits = null;
      call.decided = `${entry.approved ? "approved" : "denied"}${entry.by ? ` by ${entry.by}` : ""}${entry.reason ? `: ${entry.reason}` : ""}`;
      if (entry.data) call.changed = entry.data;
      touch(call.item);
    },
    retrying(entry) {
      const call = callFor(entry);
      if (call) { call.tries.push(entry.error?.message ?? "failed"); touch(call.item); } else aside(entry, `${entry.name}: attempt ${entry.n} failed, ${entry.error?.message ?? ""}`, "warn");
    },
    doubt(entry) {
      const call = callFor(entry);
      if (!call) return;
      call.waits = { word: "in doubt: nobody knows whether it took effect" };
      touch(call.item);
    },
    resolved(entry) {
      const call = callFor(entry);
      if (!call) return;
      call.waits = null;
      call.decided = `resolved as ${entry.verdict}${entry.by ? ` by ${entry.by}` : ""}`;
      touch(call.item);
    },
    reply(entry) {
      if (entry.error) add(() => el("li", { class: "turn reply" }, el("p", { class: "notice bad" }, entry.error.message ?? "The turn failed.")));
      else if (entry.said === undefined && entry.value !== undefined) add(() => el("li", { class: "turn reply" }, el("div", { class: "who" }, el("b", {}, "reply"), stamp(entry)), shown(entry.value)));
    },
    completed: (entry) => { if (![...said.values()].includes(entry.value)) add(() => el("li", { class: "turn reply" }, el("div", { class: "who" }, el("b", {}, "output"), stamp(entry)), shown(entry.value))); },
    failed: (entry) => add(() => el("li", { class: "turn reply" }, el("p", { class: "notice bad" }, entry.error?.message ?? "It failed."))),
    stuck: (entry) => add(() => el("li", { class: "turn reply" }, el("p", { class: "notice bad" }, entry.error?.message ?? "It is stuck."))),
    handoff: (entry) => aside(entry, `${entry.from} hands the conversation to ${entry.name}`),
    routed: (entry) => aside(entry, `The model call goes to ${entry.name}: ${entry.why}`),
    compacted: (entry) => aside(entry, `The conversation was made to fit by ${entry.name}: ${entry.why}`),
    warned: (entry) => aside(entry, `${Math.round(entry.share * 100)} % of the budget ${entry.budget} is used`, "warn"),
    paused: (entry) => aside(entry, `paused${entry.by ? ` by ${entry.by}` : ""}${entry.reason ? `: ${entry.reason}` : ""}`),
    resumed: (entry) => aside(entry, `resumed${entry.by ? ` by ${entry.by}` : ""}`),
    cancelled: (entry) => aside(entry, `cancelled${entry.reason ? `: ${entry.reason}` : ""}`),
    terminated: (entry) => aside(entry, `terminated${entry.by ? ` by ${entry.by}` : ""}${entry.reason ? `: ${entry.reason}` : ""}`),
  };

  function settle(entry) {
    const call = callFor(entry) ?? [...calls.values()].find((one) => one.child && one.child === entry.id);
    if (!call) return;
    call.waits = null;
    call.entry = entry;
    call.result = entry.error ? { text: entry.error.message, tone: "bad" } : { value: entry.value };
    touch(call.item);
  }

  return {
    take(entry) { takes[entry.type]?.(entry); },
    knows: (op) => known.has(op),
    /** Items to draw since it was asked last. */
    changed() { const found = items.filter((item) => dirty.has(item)); dirty = new Set(); return found; },
    get turns() { return turns; },
    get calls() { return count; },
    get tokens() { return tokens; },
  };
}

function stamp(entry, more = []) {
  return el("span", { class: "stamp" }, more.filter((one) => one && one !== "–").map((one) => [one, " · "]), el("time", { title: when(entry.at) }, clockTime(entry.at)));
}

function spoken(who, entry, content, by) {
  return el("li", { class: "turn user" }, el("div", { class: "who" }, el("b", {}, by || who), stamp(entry)), shown(content));
}

function shown(value) {
  if (typeof value === "string") return prose(value);
  if (Array.isArray(value) && value.some((one) => one?.type)) { // texts beside images, sounds and files
    return value.map((one) => (typeof one === "string" ? prose(one) : one.type === "text" ? prose(one.text ?? "")
      : el("p", {}, el("span", { class: "chip" }, one.type, el("b", {}, one.name ?? one.media_type ?? "")))));
  }
  return el("pre", { class: "box", tabindex: "0" }, pretty(value));
}

function prose(text) {
  if (text.length <= LONG) return el("p", { class: "said" }, text);
  return el("details", { class: "long", data: { part: "prose" } }, el("summary", {}, el("span", { class: "said" }, `${text.slice(0, 400)}…`)), el("p", { class: "said" }, text));
}

function thoughts(value) {
  const text = value.reasoning || value.opaque?.reasoning_content || value.opaque?.reasoning;
  if (typeof text !== "string" || !text) return null;
  return el("details", { class: "thoughts", data: { part: "thoughts" } }, el("summary", { class: "muted" }, "Thoughts"), el("p", { class: "thought" }, text));
}

function callOf(one) {
  const status = one.result ? (one.result.tone === "bad" ? "failed" : "completed") : one.waits ? "waiting" : "running";
  const found = one.result?.value !== undefined ? pretty(one.result.value) : one.result?.text;
  return el("div", { class: "call", data: { status } },
    el("div", { class: "callhead" }, shape(status), el("span", { class: "hear" }, `${status}: `), el("b", { class: "mono" }, one.call.name),
      one.child ? linkTo(one.child, "↳ open") : null, one.entry?.ms === undefined ? null : el("span", { class: "stamp" }, duration(one.entry.ms))),
    args(one.call.arguments), one.changed ? [el("p", { class: "muted" }, "Approved with:"), args(one.changed)] : null,
    one.tries.map((text) => el("p", { class: "bad" }, `Tried: ${text}`)), one.decided ? el("p", { class: "muted" }, one.decided) : null,
    one.waits ? el("p", { class: "warn" }, one.waits.word, one.waits.role ? ` of ${one.waits.role}` : "", one.waits.until ? [", ends ", countdown(one.waits.until)] : null, " ", el("a", { href: "/console/inbox" }, "Inbox")) : null,
    found === undefined ? null : found.length < 160 && !found.includes("\n") ? el("p", { class: `result mono ${one.result.tone ?? ""}` }, found)
      : el("details", { data: { part: `result-${one.op}` } }, el("summary", { class: one.result.tone ?? "muted" }, el("span", { class: "mono cut" }, found.replace(/\s+/g, " ").slice(0, 140))), el("pre", { class: "box", tabindex: "0" }, found)));
}

function args(given) {
  let value = given;
  if (typeof given === "string") {
    try { value = parse(given); } catch { return el("pre", { class: "args" }, given); }
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) return el("pre", { class: "args" }, pretty(value));
  return el("dl", { class: "args" }, Object.entries(value).map(([name, one]) => [el("dt", {}, name), el("dd", { class: "mono" }, typeof one === "string" ? one : JSON.stringify(one))]));
}
