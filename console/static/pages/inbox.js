// What waits for a person: approvals, calls in doubt, what is stuck, and dead letters. Each is decided here, for exactly
// what is shown: an approval goes with the digest of what was read.

import { el, linkTo, copier } from "../parts/dom.js";
import { dialog } from "../parts/dialog.js";
import { difference } from "../parts/difference.js";
import { form } from "../parts/form.js";
import { digits } from "../parts/exact.js";
import { ago, countdown, number } from "../parts/format.js";
import { keyed } from "../parts/keyed.js";
import { signed } from "../parts/person.js";
import { counted, seen, words } from "../parts/words.js";
import { told } from "../waiting.js";
import { mayStand, stand, standings } from "./inbox/standing.js";

const SHOWN = 50;
const KINDS = [["approvals", "Approvals"], ["doubts", "In doubt"], ["stuck", "Stuck"], ["letters", "Dead letters"]];
const EMPTY = {
  approvals: "Nobody is asked for anything.", doubts: "Of every call it is known what came of it.",
  stuck: "Nothing is stuck.", letters: "Every event was taken.",
};

export async function show(view, { query }, context) {
  const { api, live, go } = context;
  const wanted = { kind: KINDS.some(([name]) => name === query.get("kind")) ? query.get("kind") : "", text: query.get("text") ?? "", role: query.get("role") ?? "" };
  const desk = { ...context, functions: new Map(), again: () => soon(0) };
  const found = { approvals: [], doubts: [], stuck: [], letters: [] }, more = { approvals: 0, doubts: 0, stuck: 0, letters: 0 };
  const most = { approvals: SHOWN, doubts: SHOWN, stuck: SHOWN, letters: SHOWN };

  desk.standing = standings(desk);

  const heading = el("h1", {}, "Inbox");
  const search = el("input", { type: "search", "aria-label": "Search the inbox", placeholder: "Search ( / )", value: wanted.text, data: { search: "" }, oninput: () => { wanted.text = search.value; draw(true); } });
  const role = el("select", { "aria-label": "Role that is asked", onchange: () => { wanted.role = role.value; draw(true); } });
  const chips = el("div", { class: "bar", role: "group", "aria-label": "What is shown" });
  const wrong = el("p", { class: "notice bad", role: "alert", hidden: true });
  const parts = Object.fromEntries(KINDS.map(([name, title]) => [name, section(name, title)]));
  const BUILD = { approvals: approval, doubts: doubt, stuck, letters: letter };
  view.append(el("div", { class: "bar spread head" }, heading, el("div", { class: "bar" }, search, role)), chips, wrong,
    ...KINDS.map(([name]) => parts[name].element), desk.standing.element);

  function section(name, title) {
    const top = el("h2", { tabindex: -1 }, title), cards = el("div", { class: "cards" }), foot = el("div", {});
    const list = keyed(cards, { key: (item) => item.key, build: (item) => BUILD[name](item, desk), rest: top });
    return { element: el("section", { class: "part", "aria-label": title }, top, cards, foot), top, title, foot, list };
  }

  function fits(item) {
    if (wanted.role && item.role !== undefined && item.role !== wanted.role) return false;
    return !wanted.text || JSON.stringify(item).toLowerCase().includes(wanted.text.toLowerCase());
  }

  function draw(address = false) {
    const roles = [...new Set(found.approvals.map((one) => one.role).filter(Boolean))].sort();
    if (wanted.role && !roles.includes(wanted.role)) roles.push(wanted.role);
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
      const part = parts[name], all = found[name].filter(fits);
      part.element.hidden = Boolean(wanted.kind) && wanted.kind !== name;
      if (part.element.hidden) continue;
      part.list.show(all.slice(0, most[name]));
      const left = all.length - Math.min(all.length, most[name]);
      const foot = !all.length ? el("p", { class: "muted" }, found[name].length ? "Nothing here fits the search." : EMPTY[name])
        : left || more[name] ? el("div", { class: "bar" },
          left ? el("button", { type: "button", data: { act: "more" }, onclick: () => { most[name] += SHOWN; draw(); } }, `Show ${number(Math.min(left, SHOWN))} more`) : null,
          el("span", { class: "muted" }, `${number(left + more[name])} are not shown`)) : null;
      part.foot.replaceChildren(...[foot].filter(Boolean));
    }
    if (address) go(api.query("/console/inbox", wanted), { replace: true, stay: true });
  }

  function chip(name, title) {
    const count = name ? found[name].length + more[name] : KINDS.reduce((sum, [one]) => sum + found[one].length + more[one], 0);
    return el("button", { type: "button", class: "chip", "aria-pressed": String(wanted.kind === name), onclick: () => { wanted.kind = name; draw(true); } },
      title, " ", el("b", {}, number(count)));
  }

  async function load() {
    const [approvals, doubts, stuckOnes, letters] = await Promise.all([
      api.get("/approvals"), doubtsOf(api), api.get("/executions?status=stuck&limit=200"), api.get("/dead-letters?limit=200"),
    ]);
    found.approvals = approvals.approvals.map((one) => ({ ...one, key: `${one.execution} ${one.op}` }));
    found.doubts = doubts.found;
    found.stuck = stuckOnes.executions.map((one) => ({ id: one.id, function: one.function, awaits: one.awaits, note: one.note, updated: one.updated, key: one.id }));
    found.letters = letters.dead_letters.map((one) => ({ ...one, key: one.id }));
    Object.assign(more, { approvals: approvals.more, doubts: doubts.more, stuck: stuckOnes.cursor ? Math.max(0, (live.counts?.stuck ?? 0) - found.stuck.length) : 0, letters: letters.more });
    told(Object.fromEntries(KINDS.map(([name]) => [name, found[name].length + more[name]])));
  }

  let timer = 0, busy = false, again = false, left = false;
  function soon(pause = 400) {
    if (busy) { again = true; return; }
    clearTimeout(timer);
    timer = setTimeout(renew, pause);
  }
  async function renew() {
    busy = true;
    again = false;
    const began = performance.now();
    try {
      await load();
      wrong.hidden = true;
    } catch (error) {
      wrong.textContent = `What is shown may be old: ${error.message}`;
      wrong.hidden = false;
    }
    busy = false;
    if (left) return;
    draw();
    if (again) soon(Math.max(400, 5 * (performance.now() - began))); // an inbox that is slow to read is read less often
  }

  const served = await api.get("/functions");
  for (const one of served.functions) desk.functions.set(one.name, one);
  await load();
  draw();
  const silent = live.on(() => soon());
  const poll = setInterval(() => { if (live.state === "off" && !document.hidden) soon(0); }, 3000);
  return () => {
    left = true;
    silent();
    clearInterval(poll);
    clearTimeout(timer);
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

function card(title, { facts, body, actions, tone = "" }) {
  return el("article", { class: `card panel ${tone}` },
    el("header", {}, title), el("div", { class: "body" }, el("div", { class: "what" }, body),
      facts && el("dl", { class: "facts side" }, facts.filter(Boolean).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]))),
    el("footer", { class: "bar" }, actions.map(([label, act, tone_, does]) =>
      el("button", { type: "button", class: tone_, data: { act }, onclick: does }, label))));
}

// Approvals

function approval(one, desk) {
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
  desk.again();
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
        desk.again();
      },
    }],
  });
}

// In doubt

function doubt(one, desk) {
  const title = [el("h3", {}, "Did ", el("b", {}, seen(one.name)), " of ", el("b", {}, seen(one.function)), " take effect?"),
    el("span", { class: "muted" }, linkTo(one.execution), " · ", ago(one.since))];
  const rule = one.rule && { "give-up": "Given up by itself", "not-done": "Made again by itself" }[one.rule.then];
  const facts = [
    ["In doubt since", ago(one.since)], ["Attempt", number(one.n ?? 1)],
    ["Key", el("span", { class: "bar tight" }, el("code", {}, seen(one.call)), copier(one.call, "Copy"))],
    one.asked ? ["Asked its own function", counted(one.asked, "time")] : null,
    rule && one.rule.at ? [rule, countdown(one.rule.at)] : null,
  ];
  const body = [el("p", { class: "notice warn" }, seen(one.why || one.error?.message || "Its process ended in the middle.")),
    one.arguments ? el("div", { class: "worded" }, words(one.arguments)) : el("p", { class: "muted" }, "No arguments are known.")];
  const verdict = (name) => () => resolve(one, desk, name);
  return card(title, { facts, body, actions: [
    ["It was done…", "done", "primary", verdict("done")], ["It was not done…", "not-done", "", verdict("not-done")], ["Give up…", "give-up", "quiet", verdict("give-up")],
  ] });
}

function resolve(one, desk, verdict) {
  const output = desk.functions.get(one.name)?.output;
  const known = output && Object.keys(output).length ? output : {};
  const result = verdict === "done" ? form(known, undefined, { label: "What it gave" }) : null;
  const sign = signed({ why: "How you know" });
  const texts = {
    done: ["It was done", "The execution goes on with this result. The call is not made again.", "It was done", "primary"],
    "not-done": ["It was not done", "The call is made again, under the same key. If it has taken effect after all, it happens twice.", "Make it again", "danger"],
    "give-up": ["Give up", "Whoever has ordered the call is told that nobody knows what came of it.", "Give up", "danger"],
  }[verdict];
  return dialog({
    title: `${texts[0]}: ${one.name} of ${one.execution}`,
    body: [el("p", {}, texts[1]), result?.element, sign.element],
    actions: [{ label: "Cancel", value: null }, {
      label: texts[2], tone: texts[3],
      value: async () => {
        const value = result ? { value: result.read() ?? null } : {};
        await desk.api.post(`/resolve/${desk.api.part(one.execution)}`, { op: one.op, verdict, ...value, ...sign.read() });
        desk.say(`${texts[0]}: ${one.name} of ${one.execution}`);
        desk.again();
      },
    }],
  });
}

// Stuck

const LINE = /(^|\s)([^\s:()]+\.\w+:\d+)/;

function stuck(one, desk) {
  const text = seen(one.awaits || one.note || "Its code and its journal disagree."), line = LINE.exec(text)?.[2];
  const [before, ...after] = line ? text.split(line) : [text];
  const verb = (action, title, label, tone, what) => () => {
    const sign = signed();
    return dialog({
      title: `${title} ${one.id}`, body: [el("p", {}, what), sign.element],
      actions: [{ label: "Cancel", value: null }, {
        label, tone,
        value: async () => {
          await desk.api.post(`/${action}/${desk.api.part(one.id)}`, sign.read());
          desk.say(`${title}: ${one.id}`);
          desk.again();
        },
      }],
    });
  };
  return card([el("h3", {}, el("b", {}, seen(one.function)), " does not go on"), el("span", { class: "muted" }, linkTo(one.id), " · ", ago(one.updated))], {
    facts: line ? [["Line", el("code", { class: "codeline" }, line)]] : null,
    body: el("p", { class: "notice bad" }, before, line && el("code", {}, line), after.join(line)),
    actions: [
      ["Resume…", "resume", "primary", verb("resume", "Resume", "Resume", "primary", "It is tried again with the code that is served now. Nothing that is recorded is lost if it is stuck again.")],
      ["Terminate…", "terminate", "quiet", verb("terminate", "Terminate", "Terminate", "danger", "It ends at once: nothing is cleaned up, nothing is undone.")],
    ],
  });
}

// Dead letters

function letter(one, desk) {
  const event = one.event ?? {};
  const asked = (path, title, label, tone, what, after) => () => dialog({
    title, body: el("p", {}, what),
    actions: [{ label: "Cancel", value: null }, {
      label, tone,
      value: async () => {
        const answer = await desk.api.post(`/dead-letters/${path}/${desk.api.part(one.id)}`, {});
        desk.say(after(answer));
        desk.again();
      },
    }],
  });
  return card([el("h3", {}, el("b", {}, seen(one.subscription)), " did not take ", el("b", {}, seen(event.type ?? "an event"))),
    el("span", { class: "muted" }, one.execution ? [linkTo(one.execution), " · "] : null, ago(one.last))], {
    facts: [["Attempts", number(one.attempts)], ["First", ago(one.first)], ["Event", el("code", {}, seen(event.id ?? "–"))],
      event.source ? ["From", seen(event.source)] : null, event.subject ? ["About", seen(event.subject)] : null],
    body: [el("p", { class: "notice bad" }, seen(one.error?.message || one.error?.kind || "It could not be taken.")),
      "data" in event ? el("div", { class: "worded" }, words(event.data)) : el("p", { class: "muted" }, "It has no data that was kept.")],
    actions: [
      ["Send again…", "send", "primary", asked("send", `Send it to ${one.subscription} again`, "Send again", "primary",
        "A new execution begins with the event. It stays here when it does not fit now either.", (answer) => `Sent: ${answer?.execution ?? one.id}`)],
      ["Drop…", "drop", "quiet", asked("drop", "Drop the dead letter", "Drop", "danger", "It is forgotten, and nobody takes the event.", () => "Dropped")],
    ],
  });
}
