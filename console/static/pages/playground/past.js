// What was known at any place of a journal: a pure fold of its entries, as docs/journal.md tells them. Nothing is
// fetched and nothing is drawn here.

const OUTSIDE = new Set(["message", "event", "decided", "delegated", "callback", "beat", "child", "answered", "resolved", "cancel", "paused", "resumed", "retry", "terminated", "timer", "deliver", "run", "changed", "withdrawn"]);
const FINAL = new Set(["completed", "failed", "cancelled", "terminated"]);
const KEPT = new Set(["step", "model", "tool", "summary", "check", "hook", "listed"]);

/** `{n, status, known, open, waiting, arrived, tokens, cost, turns}` after no entry at all. */
export function begun() {
  return { n: 0, status: "pending", known: new Map(), open: new Map(), waiting: new Map(), arrived: [], tokens: 0, cost: 0, turns: 0 };
}

/** Takes in the next entry; changes the state that it is given. */
export function step(state, entry) {
  state.n += 1;
  const { op, type } = entry;
  if (state.status !== "paused" || type === "resumed") state.status = "running";
  if (KEPT.has(type)) {
    ended(state, op);
    const value = type === "model" ? said(entry.value) : entry.value;
    state.known.set(op, { op, name: entry.name, kind: type, at: entry.at, ms: entry.ms, ...(entry.error ? { error: entry.error.message ?? String(entry.error) } : { value }) });
    if (type === "model") spend(state, entry.value);
  } else if (type === "begun") state.open.set(op, { op, name: entry.name, why: `attempt ${entry.n} has begun`, at: entry.at });
  else if (type === "retrying") {
    state.open.delete(op);
    state.waiting.set(op, { op, name: entry.name, why: `attempt ${entry.n} failed: ${entry.error?.message ?? "an error"}`, until: entry.until, at: entry.at });
  } else if (type === "doubt") {
    state.open.delete(op);
    state.waiting.set(op, { op, name: entry.name, why: "in doubt: nobody knows whether it took effect", until: entry.rule?.at, at: entry.at });
  } else if (type === "sent") sent(state, entry);
  else if (type === "ordered") ordered(state, entry);
  else if (type === "child") came(state, entry, childOf(state, entry), "child");
  else if (type === "callback") came(state, entry, op, "callback");
  else if (type === "decided") decided(state, entry);
  else if (type === "resolved") {
    state.waiting.delete(op);
    if (entry.verdict === "done") state.known.set(op, { op, name: entry.name ?? "", kind: "resolved", at: entry.at, value: entry.value });
  } else if (type === "timer") {
    ended(state, op);
    if (entry.kind !== "retry") state.known.set(op, { op, name: entry.name || entry.kind, kind: "timer", at: entry.at, value: `${entry.kind} is over` });
  } else if (type === "event" || type === "message") {
    if (type === "message") state.turns += 1;
    state.arrived.push({ name: entry.name ?? "message", value: entry.data ?? entry.content, at: entry.at, by: entry.by });
  } else rest(state, entry);
  return state;
}

function rest(state, entry) {
  if (entry.type === "start") state.turns = 1;
  else if (entry.type === "reply") state.status = "idle";
  else if (entry.type === "paused") state.status = "paused";
  else if (entry.type === "stuck") state.status = "stuck";
  else if (FINAL.has(entry.type)) {
    state.status = entry.type;
    state.open.clear();
    state.waiting.clear();
  }
}

function ended(state, op) {
  state.open.delete(op);
  state.waiting.delete(op);
}

/** Of an answer: its words, and what it calls. */
function said(value) {
  const calls = (value?.tool_calls ?? []).map((one) => `calls ${one.name} ${one.arguments}`);
  return calls.length ? [...(value.text ? [value.text] : []), ...calls] : value?.text ?? value;
}

function spend(state, value) {
  for (const count of Object.values(value?.usage ?? {})) state.tokens += count;
  state.cost += Number(value?.cost ?? 0);
}

function sent(state, entry) {
  if (entry.until) state.waiting.set(entry.op, { op: entry.op, name: entry.name, why: "another process makes the call", until: entry.until, at: entry.at });
  else if (state.open.get(entry.op)?.kind === "publish") ended(state, entry.op);
}

function ordered(state, entry) {
  const { op, kind } = entry, one = { op, name: entry.what ?? entry.name ?? entry.id, kind, at: entry.at };
  if (kind === "approval") state.waiting.set(op, { ...one, why: `${entry.role ?? "somebody"} is to approve it`, until: entry.until, needs: entry.needs ?? 1, votes: new Set(), data: entry.data });
  else if (kind === "callback") state.waiting.set(op, { ...one, why: "an outside system is to complete it", until: entry.until });
  else if (kind === "child" && !entry.detached) state.waiting.set(op, { ...one, why: "a child works on it", child: entry.id });
  else if (kind === "publish") state.open.set(op, { ...one, why: "an event goes out" });
}

function childOf(state, entry) {
  return entry.op ?? [...state.waiting.values()].find((one) => one.child === entry.id)?.op ?? entry.id;
}

function came(state, entry, op, kind) {
  const before = state.waiting.get(op);
  ended(state, op);
  state.known.set(op, { op, name: before?.name ?? entry.id ?? kind, kind, at: entry.at, ...(entry.error ? { error: entry.error.message ?? String(entry.error) } : { value: entry.value }) });
}

function decided(state, entry) {
  const asked = state.waiting.get(entry.op);
  if (asked?.votes && entry.approved) {
    asked.votes.add(entry.by);
    if (asked.votes.size < asked.needs) return;
  }
  state.waiting.delete(entry.op);
  state.known.set(entry.op, { op: entry.op, name: asked?.name ?? "approval", kind: "approval", at: entry.at, value: `${entry.approved ? "approved" : "denied"}${entry.by ? ` by ${entry.by}` : ""}` });
}

/** The state after the first `n` entries. `from`: one that is not further, to go on with. */
export function at(entries, n, from = null) {
  const state = from && from.n <= n ? from : begun();
  while (state.n < n) step(state, entries[state.n]);
  return state;
}

/** Whether nothing was done before an entry but to wait for it. */
export function awaited(entry) { return OUTSIDE.has(entry?.type); }

/** The place (number of entries) right after the next entry of an operation (or of what lies within it) beyond `n`;
 *  0 when there is none. */
export function nextOf(entries, op, n) {
  for (let index = n; index < entries.length; index++) {
    const one = entries[index].op;
    if (one === op || (typeof one === "string" && one.startsWith(`${op}.`))) return index + 1;
  }
  return 0;
}
