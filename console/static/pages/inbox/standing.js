// Standing approvals: what somebody who approves a call says of later ones like it. It is given in two steps, of which the
// second says in plain words what nobody will be asked any more; and those that are good now are listed and revoked.

import { el, linkTo } from "../../parts/dom.js";
import { dialog } from "../../parts/dialog.js";
import { digits } from "../../parts/exact.js";
import { ago, countdown, number, when } from "../../parts/format.js";
import { signed } from "../../parts/person.js";
import { named, seen, words } from "../../parts/words.js";

const UNITS = { m: ["minutes", 60_000], h: ["hours", 3_600_000], d: ["days", 86_400_000] };
const AMOUNT = /^\+?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i, MANY = 5000;

/** Whether later calls like it can be spoken of: it is a tool's, and was not given on to be decided this once. */
export function mayStand(one) {
  return Boolean(one.version) && !one.approver && !(one.moved?.length);
}

/** The arguments that an amount can bound, with what each is in this call. */
function amounts(data) {
  if (!data || typeof data !== "object" || Array.isArray(data)) return [];
  return Object.entries(data).map(([name, value]) => [name, digits(value) ?? (typeof value === "number" || typeof value === "string" ? String(value) : "")])
    .filter(([, value]) => AMOUNT.test(value));
}

/** Asks for what it is to be good, says what that means, and sends it with the approval. `send(body)` decides. */
export async function stand(one, send) {
  let said = { where: "session", count: "1", unit: "d", what: "all", most: {} };
  for (;;) {
    const step = terms(one, said);
    const wanted = await dialog({
      title: `Approve ${seen(one.what)}, and later calls too`, wide: true, body: step.element,
      actions: [{ label: "Cancel", value: null }, { label: "Show what that means", value: () => step.read() }],
    });
    if (wanted === null) return;
    said = wanted.said;
    const sign = signed({ must: true });
    const done = await dialog({
      title: `What nobody is asked any more about ${seen(one.what)}`, wide: true,
      body: [...meaning(one, wanted), sign.element],
      actions: [{ label: "Cancel", value: null }, { label: "Back", value: "back" }, {
        label: "Approve this and later calls",
        value: async () => { await send({ approved: true, standing: wanted.standing, ...sign.read() }); return "sent"; },
      }],
    });
    if (done !== "back") return;
  }
}

function terms(one, said) {
  const where = select("where", [["session", `this execution, as long as it lives`], ["here", "this execution, for a time"],
    ...(one.shared ? [["all", `all executions of ${seen(one.function)}, for a time`]] : [])], said.where);
  const count = el("input", { type: "number", name: "count", min: 1, max: 9999, step: 1, value: said.count, "aria-label": "How long" });
  const unit = select("unit", Object.entries(UNITS).map(([name, [title]]) => [name, title]), said.unit);
  unit.setAttribute("aria-label", "Unit");
  const time = el("div", { class: "field lasts" }, el("span", {}, "For"), el("div", { class: "bar tight nowrap" }, count, unit));
  const found = amounts(one.data);
  const what = select("what", [["all", "every call of it, whatever its arguments"], ["exactly", "calls with exactly these arguments"],
    ...(found.length ? [["most", "calls up to an amount"]] : [])], said.what);
  const limits = found.map(([name, value]) => [name, value, el("input", { type: "text", inputmode: "decimal", name: `most-${name}`, value: Object.hasOwn(said.most, name) ? said.most[name] : "" })]);
  const bounds = el("fieldset", { class: "fields" }, el("legend", {}, "The most of each"), limits.map(([name, value, control]) =>
    el("label", { class: "field" }, el("span", {}, named(name), el("i", { class: "muted" }, " optional")), control,
      el("small", { class: "muted" }, `${seen(value)} in this call; empty: not looked at`))));
  const shows = () => { time.hidden = where.value === "session"; bounds.hidden = what.value !== "most"; };
  where.addEventListener("change", shows);
  what.addEventListener("change", shows);
  shows();
  return {
    element: el("div", { class: "fields" }, el("div", { class: "worded" }, words(one.data)),
      el("label", { class: "field" }, el("span", {}, "Where it is good"), where), time, el("label", { class: "field" }, el("span", {}, "For which calls"), what), bounds),
    read() {
      const most = Object.fromEntries(limits.map(([name, , control]) => [name, control.value.trim()]).filter(([, text]) => text));
      const given = { where: where.value, count: count.value, unit: unit.value, what: what.value, most };
      const standing = { lasts: "session" };
      if (given.where !== "session") {
        if (!/^[1-9]\d{0,3}$/.test(given.count)) refuse(count, "Say for how long, as a whole number.");
        standing.lasts = `${given.count}${given.unit}`;
      }
      if (given.where === "all") standing.for_all = true;
      if (given.what === "exactly") standing.exactly = true;
      if (given.what === "most") {
        for (const [name, value, control] of limits) {
          if (!Object.hasOwn(most, name)) continue;
          if (!AMOUNT.test(most[name])) refuse(control, `The most of ${named(name)} is to be a number of 0 or more.`);
          if (Number(most[name]) < Number(value)) refuse(control, `${named(name)} of this call is ${value}: the call itself has to be within it.`);
        }
        if (!Object.keys(most).length) refuse(limits[0][2], "Say the most of at least one argument.");
        standing.up_to = most;
      }
      return { standing, said: given };
    },
  };
}

function select(name, options, value) {
  return el("select", { name }, options.map(([one, title]) => el("option", { value: one, selected: one === value }, title)));
}

function refuse(control, text) {
  control.setAttribute("aria-invalid", "true");
  control.focus();
  throw new Error(text);
}

/** What nobody is asked any more, in sentences. */
function meaning(one, { standing, said }) {
  const tool = el("b", {}, seen(one.what)), who = one.role ? seen(one.role) : "anybody";
  const until = said.where === "session" ? null : Date.now() + Number(said.count) * UNITS[said.unit][1];
  const where = standing.for_all ? ["in ", el("b", {}, `every execution of ${seen(one.function)}`), ", also those that have yet to begin,"]
    : ["in ", el("b", {}, seen(one.execution))];
  const limits = Object.entries(standing.up_to ?? {}).map(([name, most], at) => [at ? " and " : "", named(name), " is a number from 0 up to ", el("b", {}, seen(most))]);
  const needs = one.needs ?? 1;
  return [
    el("p", { class: "notice warn" }, tool, " is called ", where, needs > 1 ? " without a question to you " : ` without asking ${who} `,
      until === null ? "as long as it lives" : ["until ", el("b", {}, when(until))],
      standing.exactly ? ", when it is called with exactly these arguments." : limits.length ? [", when ", limits, "."] : [", ", el("b", {}, "whatever its arguments"), "."]),
    standing.exactly ? el("div", { class: "worded" }, words(one.data)) : null,
    el("ul", { class: "plain" },
      needs > 1 ? el("li", {}, `It counts as yours alone: ${number(needs - 1)} more still have to approve each call.`) : null,
      limits.length ? el("li", {}, "A call that is over, or leaves out one of these, is asked about.") : null,
      el("li", {}, "Another version of the tool, and another role, are asked about anew. What waits already waits on."),
      el("li", {}, "Each call is written down with your name. It can be revoked below the inbox, under Standing approvals.")),
  ];
}

/** Those that are good now; read when somebody looks. */
export function standings(desk) {
  const body = el("div", { class: "body" });
  const element = el("details", { class: "part panel standing" }, el("summary", {}, "Standing approvals"), body);
  const all = () => Object.values(desk.live.counts ?? {}).reduce((sum, one) => sum + one, 0);
  element.addEventListener("toggle", () => {
    if (!element.open) return;
    if (all() <= MANY) { read(); return; }
    body.replaceChildren(el("p", {}, `The journals of ${number(all())} executions have to be read for it. `, el("button", { type: "button", class: "small", onclick: () => read() }, "Look through them")));
  });

  async function read() {
    if (!body.children.length) body.replaceChildren(el("p", { class: "muted" }, "Loading…"));
    try {
      const { standing, more } = await desk.api.get("/standing");
      body.replaceChildren(standing.length ? el("ul", { class: "plain" }, standing.map((one) => line(one))) : el("p", { class: "muted" }, "There is none: every call that wants an approval is asked about."),
        ...(more ? [el("p", { class: "muted" }, `and ${number(more)} more`)] : []));
    } catch (error) {
      body.replaceChildren(el("p", { class: "notice bad" }, error.message));
    }
  }

  function line(one) {
    const limits = Object.entries(one.up_to ?? {}).map(([name, most]) => `${named(name)} up to ${seen(most)}`).join(", ");
    return el("li", { class: "bar spread" },
      el("span", {}, el("b", {}, seen(one.what)), one.for_all ? [" in all of ", el("b", {}, seen(one.function))] : [" in ", linkTo(one.execution)],
        `, ${one.exactly ? "with exactly the same arguments" : limits || "whatever its arguments"}, `, one.until ? ["ends ", countdown(one.until)] : "as long as it lives",
        el("span", { class: "muted" }, ` · ${seen(one.by)}${one.role ? ` as ${seen(one.role)}` : ""}, `, ago(one.at))),
      el("button", { type: "button", class: "small", onclick: () => revoke(one) }, "Revoke…"));
  }

  function revoke(one) {
    const sign = signed({ must: true });
    return dialog({
      title: `Revoke the standing approval of ${seen(one.what)}`,
      body: [el("p", {}, "What is asked from then on waits for somebody again."), sign.element],
      actions: [{ label: "Cancel", value: null }, {
        label: "Revoke", tone: "danger",
        value: async () => {
          await desk.api.post(`/revoke/${desk.api.part(one.for_all ? one.function : one.execution)}`, { standing: one.id, ...sign.read() });
          desk.say(`Revoked: ${seen(one.what)}`);
          await read();
        },
      }],
    });
  }

  return { element, again: () => { if (element.open && body.querySelector("ul, .muted")) read(); } };
}
