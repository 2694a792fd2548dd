// Approvals: a card with the arguments in plain words, and the dialogs that decide, for exactly what was shown.

import { el, linkTo } from "../../parts/dom.js";
import { dialog } from "../../parts/dialog.js";
import { difference } from "../../parts/difference.js";
import { digits } from "../../parts/exact.js";
import { form } from "../../parts/form.js";
import { ago, countdown } from "../../parts/format.js";
import { signed } from "../../parts/person.js";
import { counted, seen, words } from "../../parts/words.js";
import { card } from "./card.js";
import { mayStand, stand } from "./standing.js";

export function approval(one, desk) {
  const votes = one.votes ?? [], needs = one.needs ?? 1;
  const asked = one.approver ? `${seen(one.approver)} alone` : one.role ? seen(one.role) : "somebody";
  const title = [el("h3", {}, "May ", el("b", {}, seen(one.function)), " call ", el("b", {}, seen(one.what ?? one.name)), "?"),
    el("span", { class: "muted" }, linkTo(one.execution), " · ", ago(one.at))];
  const facts = [
    ["Decides", asked],
    one.requester ? ["Asked by", `${seen(one.requester)}, who may not decide`] : null,
    needs > 1 ? ["Approved", `${votes.length} of ${needs}${votes.length ? `: ${votes.map((vote) => seen(vote.by ?? vote)).join(", ")}` : ""}`] : null,
    one.until ? ["Denied by itself", countdown(one.until)] : null,
    one.escalates ? ["Goes on to", [`${seen(one.escalates.role)} `, countdown(one.escalates.at)]] : null,
    one.reminded ? ["Reminded", `${counted(one.reminded, "time")}`] : null,
    one.moved?.length ? ["Was with", one.moved.map(seen).join(", ")] : null,
    one.standing?.length ? ["Fits", `the standing approval of ${one.standing.map((each) => seen(each.by)).join(", ")}`] : null,
  ];
  const body = [one.why && el("p", { class: "notice warn" }, `Asked once more: ${seen(one.why)}`),
    one.data === undefined || one.data === null ? el("p", { class: "muted" }, "It takes no arguments.") : el("div", { class: "worded" }, words(one.data)),
    one.edited && el("details", { open: true }, el("summary", {}, `Edited by ${seen(one.edited)}`), difference(one.original, one.data))];
  const tool = desk.functions.get(one.what ?? one.name);
  const editable = Boolean(one.version) && one.data && typeof one.data === "object" && !Array.isArray(one.data);
  return card(title, {
    facts, body,
    actions: [
      ["Approve…", "approve", "primary", () => decide(one, desk, true)],
      ["Deny…", "deny", "", () => decide(one, desk, false)],
      ...(mayStand(one) ? [["Later calls too…", "stand", "", () => stand(one, (body) => send(one, desk, body))]] : []),
      ...(editable ? [["Edit…", "edit", "", () => edit(one, desk, tool)]] : []),
      ["Delegate…", "delegate", "quiet", () => delegate(one, desk)],
    ],
  });
}

/** Sends a decision for exactly what was shown. */
async function send(one, desk, body) {
  await desk.api.post(`/decide/${desk.api.part(one.execution)}`, { op: one.op, digest: one.digest, ...(one.role && !one.approver ? { role: one.role } : {}), ...body });
  desk.say(`${body.approved ? "Approved" : "Denied"}: ${one.what ?? one.name} of ${one.execution}`);
  if (body.standing) desk.standing.again();
  desk.again(one.execution);
}

function decide(one, desk, approved) {
  const sign = signed({ must: true, why: approved ? "Reason" : "Reason, which is told to whoever asked" });
  return dialog({
    title: `${approved ? "Approve" : "Deny"} ${one.what ?? one.name} of ${one.execution}`,
    body: [el("div", { class: "worded" }, words(one.data)), sign.element],
    actions: [{ label: "Cancel", value: null }, {
      label: approved ? "Approve" : "Deny", tone: approved ? "primary" : "danger",
      value: () => send(one, desk, { approved, ...sign.read() }),
    }],
  });
}

async function edit(one, desk, tool) {
  let given = one.data;
  for (;;) {
    const fields = form(tool?.kind === "tool" ? tool.input : guessed(one.data), given, { label: one.what });
    const changed = await dialog({
      title: `Edit ${one.what} of ${one.execution}`, wide: true,
      body: [tool ? null : el("p", { class: "muted" }, "The tool is not served here; its fields are taken from the call."), fields.element],
      actions: [{ label: "Cancel", value: null }, { label: "Show what changes", value: () => fields.read() }],
    });
    if (changed === null) return;
    given = changed;
    const sign = signed({ must: true }), same = JSON.stringify(changed) === JSON.stringify(one.data);
    const done = await dialog({
      title: `Approve ${one.what} with these arguments`, wide: true,
      body: [same ? el("p", { class: "notice warn" }, "Nothing is changed: this approves the call as it is.") : difference(one.data, changed), sign.element],
      actions: [{ label: "Cancel", value: null }, { label: "Back", value: "back" }, {
        label: "Approve", value: async () => { await send(one, desk, { approved: true, arguments: changed, ...sign.read() }); return "sent"; },
      }],
    });
    if (done !== "back") return;
  }
}

/** A schema for a call whose tool is not known here. */
function guessed(data) {
  const type = (value) => (Array.isArray(value) || value === null ? {} : digits(value) === undefined && typeof value === "object" ? guessed(value)
    : { type: { string: "string", number: "number", boolean: "boolean", object: "number" }[typeof value] });
  return { type: "object", properties: Object.fromEntries(Object.entries(data).map(([name, value]) => [name, type(value)])), required: Object.keys(data) };
}

function delegate(one, desk) {
  const way = el("select", { name: "way" }, el("option", { value: "role" }, "a role"), el("option", { value: "to" }, "one person alone"));
  const who = el("input", { type: "text", name: "who", maxlength: 200, autofocus: true });
  const sign = signed({ must: true });
  return dialog({
    title: `Let somebody else decide about ${one.what ?? one.name}`,
    body: [el("label", { class: "field" }, el("span", {}, "It is for"), way), el("label", { class: "field" }, el("span", {}, "Name"), who), sign.element],
    actions: [{ label: "Cancel", value: null }, {
      label: "Delegate",
      value: async () => {
        if (!who.value.trim()) throw new Error("Say for whom it is to decide.");
        await desk.api.post(`/delegate/${desk.api.part(one.execution)}`, { op: one.op, digest: one.digest, [way.value]: who.value.trim(), ...sign.read() });
        desk.say(`Delegated to ${who.value.trim()}`);
        desk.again(one.execution);
      },
    }],
  });
}
