// Dialogs on <dialog>: modal, closed by Esc, the focus goes back to where it was. Each answers a promise.

import { el } from "./dom.js";
import { seen } from "./seen.js";

/** `actions` are {label, value, tone, check}: the promise is kept with `value` (a function is called for it, and may
 *  throw: then its message is shown and the dialog stays), or null when it is closed. */
export function dialog({ title, body, actions, wide = false }) {
  return new Promise((resolve) => {
    const wrong = el("p", { class: "notice bad", role: "alert", hidden: true });
    const name = `dialog-${Math.random().toString(36).slice(2)}`;
    const form = el("form", { novalidate: true });
    const box = el("dialog", { class: wide ? "wide" : "", "aria-labelledby": name }, form);
    let answer = null;
    const buttons = actions.map((action, at) => el("button", {
      type: at === actions.length - 1 && action.value !== null ? "submit" : "button",
      class: action.tone ?? (at === actions.length - 1 && action.value !== null ? "primary" : ""),
      onclick: (event) => { event.preventDefault(); choose(action); },
    }, action.label));
    const choose = async (action) => {
      wrong.hidden = true;
      for (const button of buttons) button.disabled = true;
      try {
        answer = typeof action.value === "function" ? await action.value() : action.value;
        box.close();
      } catch (error) {
        wrong.textContent = seen(error.message);
        wrong.hidden = false;
      } finally {
        for (const button of buttons) button.disabled = false;
      }
    };
    form.append(el("h2", { id: name }, typeof title === "string" ? seen(title) : title), el("div", { class: "body" }, body), wrong, el("footer", {}, ...buttons));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      choose(actions.at(-1));
    });
    box.addEventListener("close", () => {
      box.remove();
      resolve(answer);
    });
    document.body.append(box);
    box.showModal();
    (box.querySelector("[autofocus]") ?? box.querySelector("input, textarea, select") ?? buttons.at(-1))?.focus();
  });
}

/** Yes (true) or no (null). */
export function confirm({ title, body, action, tone = "primary" }) {
  return dialog({ title, body, actions: [{ label: "Not now", value: null }, { label: action, value: true, tone }] });
}

/** One line of text, or null. */
export function askFor({ title, text = "", label, type = "text", action, value = "", may = false, tone }) {
  const field = el("input", { type, value, autofocus: true, autocomplete: "off", spellcheck: "false" });
  return dialog({
    title,
    body: [text && el("p", {}, text), el("label", { class: "field" }, el("span", {}, label), field)],
    actions: [{ label: "Cancel", value: null }, {
      label: action, tone,
      value: () => {
        if (!may && !field.value) throw new Error(`${label} is empty.`);
        return field.value;
      },
    }],
  });
}
