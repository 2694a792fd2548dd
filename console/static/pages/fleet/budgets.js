// Budgets: accounts of tenants, users and agents with a bar for each limit, day by day where one looks; and what was
// spent, by whom.

import { el } from "../../parts/dom.js";
import { dialog } from "../../parts/dialog.js";
import { ago, countdown, duration, money, number } from "../../parts/format.js";
import { list, meter } from "../../parts/list.js";
import { signed } from "../../parts/person.js";
import { seen } from "../../parts/words.js";

const EVER = { hour: "an hour", day: "a day", month: "a month", "": "for ever" };
const UNITS = { tokens: "tokens", cost: "", model_calls: "model calls", tool_calls: "tool calls", iterations: "answers", time: "" };
const FEW = 5000;

/** An amount in its unit, in words. */
function amount(unit, value) {
  if (unit === "cost") return money(String(value ?? "0"));
  if (unit === "time") return duration(Number(value ?? 0));
  return `${number(Number(value ?? 0))} ${UNITS[unit] ?? unit}`;
}

const chosen = { kind: "", by: "agent", days: "7", open: new Set() };

export async function budgets(body, context) {
  const { api } = context;
  const found = [];
  let next = "";
  do {
    const page = await api.get(api.query("/budgets", { after: next, limit: 200 }));
    found.push(...page.budgets);
    next = page.next;
  } while (next && found.length < 1000);
  const kind = el("select", { "aria-label": "Whose budgets", onchange: () => { chosen.kind = kind.value; draw(); } },
    [["", "Everybody's"], ["tenant", "Tenants"], ["user", "Users"], ["agent", "Agents"]].map(([value, text]) => el("option", { value, selected: value === chosen.kind }, text)));
  const cards = el("div", { class: "cards two" });
  function draw() {
    const shown = found.filter((one) => !chosen.kind || one.account.startsWith(`${chosen.kind}:`));
    cards.replaceChildren(...shown.map((one) => account(one, context)));
    if (!shown.length) cards.append(el("p", { class: "muted" }, found.length ? "None of these has one." : "No account is limited or used yet."));
  }
  draw();
  body.replaceChildren(...(found.length ? [el("div", { class: "bar" }, kind)] : []), cards);
  return found.length;
}

function account(one, context) {
  const bars = one.windows.flatMap((window) => Object.entries(window.most ?? {}).map(([unit, most]) => {
    const spent = window.spent[unit] ?? 0, open = window.open[unit] ?? 0, share = Number(spent) / Number(most);
    const text = `${amount(unit, spent)} of ${amount(unit, most)}`;
    return el("div", { class: "limit" },
      el("span", {}, text, el("span", { class: "muted" }, ` ${EVER[window.window] ?? window.window}`)),
      el("span", { class: "end" }, `${Math.round(share * 100)} %`),
      meter(share, `${text} ${EVER[window.window] ?? window.window}`, { held: Number(open) / Number(most), mark: window.warn ?? null, limit: true }),
      window.ends && el("small", { class: "muted" }, "begins anew ", countdown(window.ends)));
  }));
  const free = one.windows.filter((window) => !window.most && Object.keys(window.spent).length);
  const days = el("details", { open: chosen.open.has(one.account), ontoggle: () => past(days, one, context) }, el("summary", {}, "Day by day"));
  const everyone = one.account.endsWith(":*");
  return el("article", { class: "card panel", data: { key: one.account } },
    el("header", {}, el("h3", {}, el("b", {}, seen(one.account))), one.frozen && el("span", { class: "status bad" }, `frozen by ${seen(one.frozen.by || "somebody")} `, ago(one.frozen.at))),
    el("div", { class: "body" }, el("div", { class: "what" },
      one.frozen?.reason && el("p", { class: "notice warn" }, seen(one.frozen.reason)),
      everyone ? el("p", {}, "For each of them: ", Object.entries(one.limits).map(([window, { most }]) => `${Object.entries(most).map(([unit, value]) => amount(unit, value)).join(", ")} ${EVER[window]}`).join("; ")) : bars,
      free.length ? el("p", { class: "muted" }, "Used without a limit: ", free.map((window) => `${Object.entries(window.spent).map(([unit, value]) => amount(unit, value)).join(", ")} ${EVER[window.window]}`).join("; ")) : null,
      everyone ? null : days)),
    el("footer", { class: "bar" },
      everyone || !bars.length ? null : el("button", { type: "button", class: "small", data: { act: "raise" }, onclick: () => raise(one, context) }, "Raise…"),
      el("button", { type: "button", class: "small", data: { act: "freeze" }, onclick: () => freeze(one, context) }, one.frozen ? "Unfreeze…" : "Freeze…")));
}

const place = (api, account, verb = "") => `/budgets/${api.part(account)}${verb && `/${verb}`}`;

async function past(details, one, { api }) {
  if (!details.open) { chosen.open.delete(one.account); return; }
  chosen.open.add(one.account);
  const told = await api.get(`${place(api, one.account)}?past=true`);
  const today = one.windows.filter((window) => window.window === "day").map((window) => [window.key, window.spent]);
  const days = [...Object.entries(told.past ?? {}).filter(([key]) => /^\d{4}-\d\d-\d\d( |$)/.test(key)), ...today].sort(([a], [b]) => (a < b ? 1 : -1)).slice(0, 31);
  const spent = (record) => Number((record.spent ?? record).cost ?? 0), tokens = (record) => Number((record.spent ?? record).tokens ?? 0);
  const of = days.some(([, record]) => spent(record)) ? spent : tokens, most = Math.max(...days.map(([, record]) => of(record)), 1e-12);
  details.replaceChildren(details.firstElementChild, days.length ? el("div", { class: "days" }, days.map(([key, record]) => {
    const text = of === spent ? money(String(spent(record))) : `${number(tokens(record))} tokens`;
    return [el("span", {}, key), meter(of(record) / most, `${key}: ${text}`), el("span", { class: "end" }, text)];
  })) : el("p", { class: "muted" }, "Nothing was used on any day."));
}

function raise(one, { api, say, again }) {
  const limits = one.windows.flatMap((window) => Object.keys(window.most ?? {}).map((unit) => [window.window, unit]));
  const which = el("select", { name: "which" }, limits.map(([window, unit], at) => el("option", { value: String(at) }, `${unit.replace("_", " ")} ${EVER[window]}`)));
  const more = el("input", { type: "text", inputmode: "decimal", autofocus: true, name: "more" });
  const sign = signed();
  return dialog({
    title: `Raise ${one.account}`,
    body: [el("p", {}, "More in the window of now, and in none after it."), el("label", { class: "field" }, el("span", {}, "Which limit"), which),
      el("label", { class: "field" }, el("span", {}, "By how much"), more), sign.element],
    actions: [{ label: "Cancel", value: null }, {
      label: "Raise",
      value: async () => {
        const [window, unit] = limits[Number(which.value)];
        if (!(Number(more.value) > 0)) throw new Error("Say by how much, as a number above 0.");
        await api.post(place(api, one.account, "raise"), { window, most: { [unit]: unit === "cost" ? more.value.trim() : Number(more.value) }, ...sign.read() });
        say(`Raised ${one.account}`);
        again();
      },
    }],
  });
}

function freeze(one, { api, say, again }) {
  const verb = one.frozen ? "unfreeze" : "freeze", sign = signed();
  return dialog({
    title: `${one.frozen ? "Unfreeze" : "Freeze"} ${one.account}`,
    body: [el("p", {}, one.frozen ? "Calls are paid from it again." : "Nothing more is held for it: calls that it would pay for are refused. What is under way is settled."), sign.element],
    actions: [{ label: "Cancel", value: null }, {
      label: one.frozen ? "Unfreeze" : "Freeze", tone: one.frozen ? "primary" : "danger",
      value: async () => {
        await api.post(place(api, one.account, verb), sign.read());
        say(`${one.frozen ? "Unfroze" : "Froze"} ${one.account}`);
        again();
      },
    }],
  });
}

// What was spent

/** All of it: a page is what some of the journals say. */
async function spent(api, by, since) {
  const sums = new Map();
  for (let cursor = ""; cursor !== null;) {
    const page = await api.get(api.query("/spending", { by, since, cursor }));
    for (const one of page.spending) {
      const sum = sums.get(one.of) ?? { of: one.of, cost: 0, tokens: 0, answers: 0, unpriced: 0 };
      for (const name of ["cost", "tokens", "answers", "unpriced"]) sum[name] += Number(one[name]);
      sums.set(one.of, sum);
    }
    cursor = page.cursor;
  }
  return [...sums.values()].sort((a, b) => b.cost - a.cost || b.tokens - a.tokens);
}

export async function spending(body, { api, again }) {
  const choice = (name, label, options) => {
    const made = el("select", { "aria-label": label, onchange: () => { chosen[name] = made.value; again(); } },
      options.map(([value, text]) => el("option", { value, selected: value === chosen[name] }, text)));
    return made;
  };
  const bar = el("div", { class: "bar" },
    choice("by", "By whom", ["agent", "user", "tenant", "model", "day"].map((name) => [name, `By ${name}`])),
    choice("days", "Since when", [["1", "Last day"], ["7", "Last 7 days"], ["30", "Last 30 days"], ["", "Ever"]]));
  const held = document.activeElement, focus = body.contains(held) ? held.getAttribute("aria-label") : null;
  async function read() {
    const since = chosen.days && new Date(Date.now() - Number(chosen.days) * 86400000).toISOString().slice(0, 16) + "Z";
    const found = await spent(api, chosen.by, since);
    if (chosen.by === "day") found.sort((a, b) => (a.of < b.of ? 1 : -1));
    const most = Math.max(...found.map((one) => Number(one.cost)), 1e-12);
    body.replaceChildren(bar, list(`Spending by ${chosen.by}`, [
      { title: chosen.by[0].toUpperCase() + chosen.by.slice(1), cell: (one) => seen(one.of || "nobody's") },
      { title: "Cost", end: true, cell: (one) => money(one.cost) },
      { title: "Share", hidden: true, cell: (one) => meter(Number(one.cost) / most, `${money(one.cost)} of ${money(String(most))} at the most`) },
      { title: "Tokens", end: true, cell: (one) => number(one.tokens) },
      { title: "Answers", end: true, cell: (one) => number(one.answers) },
      { title: "Without a price", end: true, cell: (one) => (one.unpriced ? number(one.unpriced) : "") },
    ], found, "Nothing was spent in that time."));
    if (focus) body.querySelector(`[aria-label="${focus}"]`)?.focus();
  }
  const counts = await api.get("/counts"), all = Object.values(counts).reduce((sum, one) => sum + one, 0);
  if (all <= FEW || focus) return read();
  body.replaceChildren(bar, el("p", {}, `It is read from the journals of ${number(all)} executions. `, el("button", { type: "button", onclick: read }, "Read them")));
}
