// What can be done to executions: the verbs, what each does in words, and a form for a signal.

import { el } from "./dom.js";
import { dialog } from "./dialog.js";
import { form } from "./form.js";
import { FINAL } from "./status.js";
import { part } from "../api.js";

export const VERBS = {
  pause: { label: "Pause", does: "Nothing new is begun until it is resumed; what runs now ends.", done: "paused",
    fits: (status) => !FINAL.has(status) && status !== "paused" },
  resume: { label: "Resume", does: "It goes on where it stopped; a stuck one is tried again.", done: "resumed",
    fits: (status) => status === "paused" || status === "stuck" },
  retry: { label: "Retry", does: "A failed execution is opened again from the operation that failed.", done: "opened again",
    fits: (status) => status === "failed" },
  cancel: { label: "Cancel", does: "It is asked to clean up and end.", done: "asked to end", tone: "danger",
    fits: (status) => !FINAL.has(status) },
  terminate: { label: "Terminate", does: "It ends at once and cleans nothing up. This is final.", done: "ended", tone: "danger",
    fits: (status) => !FINAL.has(status) },
};

/** Asks who and why; {by, reason}, or null. */
export function askWhy(verb, title, body) {
  const by = el("input", { value: localStorage.getItem("overwinter.by") ?? "", maxlength: 200, autocomplete: "name" });
  const reason = el("input", { maxlength: 2000, autofocus: true, autocomplete: "off" });
  return dialog({
    title,
    body: [el("p", {}, VERBS[verb].does), body,
      el("label", { class: "field" }, el("span", {}, "Reason", el("i", { class: "muted" }, " optional")), reason),
      el("label", { class: "field" }, el("span", {}, "By", el("i", { class: "muted" }, " optional")), by)],
    actions: [{ label: "Not now", value: null }, {
      label: VERBS[verb].label, tone: VERBS[verb].tone ?? "primary",
      value: () => {
        localStorage.setItem("overwinter.by", by.value);
        return { by: by.value, reason: reason.value };
      },
    }],
  });
}

/** A signal: an event for `wait_for`. `head` is the execution, or null when it is for several. Answers its body. */
export function askSignal(head, title) {
  const known = /^event (.+)$/.exec(head?.awaits ?? "")?.[1] ?? "";
  const example = example_of(head);
  const name = el("input", { value: known, maxlength: 200, autocomplete: "off", spellcheck: "false" });
  const data = form({}, example, { label: "Data" });
  return dialog({
    title,
    body: [el("p", {}, "An event for what waits for one of its name. It is kept until somebody takes it."),
      el("label", { class: "field" }, el("span", {}, "Name"), name), data.element],
    actions: [{ label: "Not now", value: null }, {
      label: "Send", tone: "primary",
      value: () => {
        if (!name.value) throw new Error("A signal needs the name of the event.");
        return { name: name.value, data: data.read() ?? null, id: crypto.randomUUID?.() ?? String(Math.random()) };
      },
    }],
  });
}

function example_of(head) {
  try { return head?.takes ? JSON.parse(head.takes) : undefined; } catch { return undefined; }
}

/** Does one verb to one execution. */
export function act(api, verb, id, body) {
  return api.post(`/${verb}/${part(id)}`, body);
}
