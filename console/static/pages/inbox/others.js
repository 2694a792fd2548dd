// What else waits for somebody: calls in doubt, what is stuck, and dead letters.

import { copier, el, linkTo } from "../../parts/dom.js";
import { dialog } from "../../parts/dialog.js";
import { form } from "../../parts/form.js";
import { ago, countdown, number } from "../../parts/format.js";
import { signed } from "../../parts/person.js";
import { counted, seen, words } from "../../parts/words.js";
import { card } from "./card.js";

// In doubt

export function doubt(one, desk) {
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

export function stuck(one, desk) {
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

export function letter(one, desk) {
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
