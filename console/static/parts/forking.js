// A form for a fork: from which entry, and for an agent with which words and which model. It goes to the fork then.

import { el, pageOf } from "./dom.js";
import { dialog } from "./dialog.js";
import { person } from "./person.js";
import { part } from "../api.js";

/** Whether one of that kind can be forked. */
export function forks(head) {
  return (head.kind === "agent" || head.kind === "workflow") && !head.definition;
}

/** Asks, makes it and opens it. `at` is the number of the entry from which on it is another one. */
export async function fork(head, { api, go, say }, at = 2) {
  const field = (name, control, ...hint) => el("label", { class: "field" }, el("span", {}, name, ...hint.map((text) => el("i", { class: "muted" }, ` ${text}`))), control);
  const from = el("input", { type: "number", name: "at", min: 2, max: head.length + 1, step: 1, value: at, autofocus: true });
  const words = el("textarea", { rows: 5, name: "instructions", maxlength: 100000, spellcheck: "false" });
  const model = el("input", { name: "model", maxlength: 200, autocomplete: "off", spellcheck: "false", placeholder: "provider/name" });
  const key = crypto.randomUUID?.() ?? String(Math.random());
  const made = await dialog({
    title: `Fork ${head.id}`,
    body: [
      el("p", {}, "Another execution goes on from there, with the code of now. It has no effects: what was recorded answers the same calls, and what was not, and may change something, is not called."),
      field("From entry", from, "those before it are kept; the journal has the numbers"),
      head.kind === "agent" ? field("Instructions", words, "in the place of its own") : null,
      head.kind === "agent" ? field("Model", model, "in the place of its own; its calls are paid for") : null,
    ],
    actions: [{ label: "Not now", value: null }, {
      label: "Fork", tone: "primary",
      value: () => {
        if (!from.checkValidity() || !from.value) throw new Error(`Say from which entry: 2 to ${head.length + 1}.`);
        const body = { at: Number(from.value), by: person() };
        if (words.value.trim()) body.instructions = words.value.trim();
        if (model.value.trim()) body.model = model.value.trim();
        return api.post(`/fork/${part(head.id)}`, body, { headers: { "idempotency-key": key } });
      },
    }],
  });
  if (!made) return;
  say(`${made.id} goes on from entry ${from.value}, without effects.`);
  go(pageOf(made.id));
}
