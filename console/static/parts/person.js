// Who sits here: said once, kept for this browser, and told with everything that is done (`by`).

import { el } from "./dom.js";

const KEPT = "overwinter.by";

export function person() { return localStorage.getItem(KEPT) ?? ""; }

/** Fields for a dialog: who it is (where nobody has said that yet, or `ask`), and why. `read()` → {by, reason}. */
export function signed({ must = false, why = "Reason", reason = "" } = {}) {
  const by = el("input", { type: "text", value: person(), autocomplete: "name", maxlength: 200, name: "by" });
  const because = el("textarea", { rows: 2, maxlength: 2000, value: reason, name: "reason" });
  return {
    element: el("div", { class: "fields" },
      el("label", { class: "field" }, el("span", {}, why, el("i", { class: "muted" }, " optional")), because),
      el("label", { class: "field" }, el("span", {}, "Your name", must ? null : el("i", { class: "muted" }, " optional")), by)),
    read() {
      by.removeAttribute("aria-invalid");
      if (must && !by.value.trim()) {
        by.setAttribute("aria-invalid", "true");
        by.focus();
        throw new Error("Say who you are: it stands in the journal beside what was decided.");
      }
      localStorage.setItem(KEPT, by.value.trim());
      return { by: by.value.trim(), reason: because.value.trim() };
    },
  };
}
