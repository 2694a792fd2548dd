// Actions on many executions: chosen one by one, or all of the filter. First it is shown what they would touch, then
// it is done, and what came of it is told.

import { el } from "../../parts/dom.js";
import { number } from "../../parts/format.js";
import { statusOf } from "../../parts/status.js";
import { spelled } from "../../parts/seen.js";
import { dialog } from "../../parts/dialog.js";
import { VERBS, act, askSignal, askWhy } from "../../parts/acting.js";
import { part } from "../../api.js";

const AT_ONCE = 6, SHOWN = 8;

export function bulkBar({ api, say, filter, rows, done }) {
  const text = el("span", { class: "muted" });
  const menu = el("select", { "aria-label": "Do to them" }, el("option", { value: "" }, "Do…"),
    [...Object.keys(VERBS), "signal"].map((one) => el("option", { value: one }, VERBS[one]?.label ?? "Signal")));
  const element = el("div", { class: "bar bulk" }, text, menu);
  let choice = new Set();
  menu.addEventListener("change", async () => {
    const verb = menu.value;
    menu.value = "";
    try {
      await (choice.size ? toChosen(verb, [...choice]) : toFilter(verb));
    } catch (error) {
      say(error.message, "bad");
    }
  });
  tell();

  function tell() {
    text.textContent = choice.size ? `${number(choice.size)} chosen` : "All that match:";
  }

  async function toChosen(verb, ids) {
    const heads = ids.map((id) => rows(id));
    const fit = VERBS[verb] ? heads.filter((head) => VERBS[verb].fits(head.status)) : heads;
    const left = heads.length - fit.length;
    if (!fit.length) return say(`None of the ${heads.length} can be ${VERBS[verb].done}.`, "bad");
    const title = `${VERBS[verb]?.label ?? "Signal"} ${fit.length === 1 ? spelled(fit[0].id) : `${fit.length} executions`}`;
    const body = [examples(fit, fit.length), left ? el("p", { class: "muted" }, `${left} of those chosen are left alone: their status does not fit.`) : null];
    const given = VERBS[verb] ? await askWhy(verb, title, body) : await askSignal(fit[0], title);
    if (!given) return undefined;
    return report(verb, await each(fit, (head) => (VERBS[verb] ? act(api, verb, head.id, given) : api.post(`/signal/${part(head.id)}`, given))));
  }

  async function toFilter(verb) {
    const where = filter();
    for (const name of Object.keys(where)) if (Array.isArray(where[name]) && !where[name].length) delete where[name];
    const body = Object.keys(where).length ? { where } : { all: true };
    const event = VERBS[verb] ? {} : await askSignal(null, "Signal all that match");
    if (!event) return;
    const seen = await api.post(`/bulk/${verb}`, { ...body, ...event, preview: true });
    if (!seen.count) { say("There is nothing that this would touch."); return; }
    const many = `${number(seen.count)}${seen.more ? " or more" : ""} execution${seen.count === 1 ? "" : "s"}`;
    const title = `${VERBS[verb]?.label ?? "Signal"} ${many}`;
    const shown = examples((seen.examples ?? []).map((one) => (typeof one === "string" ? { id: one } : one)), seen.count);
    const given = VERBS[verb] ? await askWhy(verb, title, shown)
      : await dialog({ title, body: shown, actions: [{ label: "Not now", value: null }, { label: "Send", value: {} }] });
    if (!given) return;
    const { count } = await api.post(`/bulk/${verb}`, { ...body, ...event, ...given });
    say(`${number(count)} ${VERBS[verb]?.done ?? "signalled"}.`);
  }

  function report(verb, outcomes) {
    const wrong = outcomes.filter((one) => one.error);
    done();
    say(`${outcomes.length - wrong.length} ${VERBS[verb]?.done ?? "signalled"}${wrong.length ? `, ${wrong.length} refused` : ""}.`, wrong.length ? "bad" : "");
    if (!wrong.length) return undefined;
    return dialog({
      title: `${wrong.length} refused`,
      body: el("ul", {}, wrong.slice(0, 50).map(({ head, error }) => el("li", {}, el("span", { class: "mono" }, spelled(head.id)), `: ${error.message}`))),
      actions: [{ label: "Close", value: null }],
    });
  }

  return { element, choose(set) { choice = set; tell(); } };
}

function examples(heads, count) {
  const rest = count - Math.min(heads.length, SHOWN);
  return el("ul", { class: "examples" },
    heads.slice(0, SHOWN).map((head) => el("li", {}, head.status && statusOf(head.status), el("span", { class: "mono" }, spelled(head.id)))),
    rest > 0 ? el("li", { class: "muted" }, `and ${number(rest)} more`) : null);
}

async function each(heads, work) {
  const outcomes = [], left = [...heads];
  const worker = async () => {
    for (let head = left.shift(); head; head = left.shift()) {
      try {
        await work(head);
        outcomes.push({ head });
      } catch (error) {
        outcomes.push({ head, error });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return outcomes;
}
