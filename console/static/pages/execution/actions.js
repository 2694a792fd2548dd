// What can be done to one execution. Only what its status allows is offered; the server has the last word.

import { part } from "../../api.js";
import { el } from "../../parts/dom.js";
import { person } from "../../parts/person.js";
import { VERBS, act, askSignal, askWhy } from "../../parts/acting.js";
import { fileName, spelled } from "../../parts/seen.js";
import { FINAL } from "../../parts/status.js";
import { confirm } from "../../parts/dialog.js";
import { fork, forks } from "../../parts/forking.js";

const PAGE = 1000;

export function actionsOf(id, context, done) {
  const { api, say } = context;
  const element = el("div", { class: "bar actions" });
  let head = null, drawn = "";

  async function run(verb) {
    const given = await askWhy(verb, `${VERBS[verb].label} ${spelled(id)}`, null);
    if (!given) return;
    try {
      await act(api, verb, id, given);
    } catch (error) {
      if (verb !== "retry" || error.status !== 409 || FINAL.has(head.status) === false) throw error;
      const repeat = await confirm({ title: "Do it all the same?", action: "Retry all the same", tone: "danger", body: el("p", {}, error.message) });
      if (!repeat) return;
      await act(api, verb, id, { ...given, repeat: true });
    }
    say(`${spelled(id)} is ${VERBS[verb].done}.`);
    done();
  }

  async function signal() {
    const body = await askSignal(head, `Signal ${spelled(id)}`);
    if (!body) return;
    await api.post(`/signal/${part(id)}`, body);
    say(`The event ${body.name} is sent.`);
    done();
  }

  async function download() {
    const lines = [];
    for (let after = 0; after !== null;) {
      const page = await api.get(api.query(`/history/${part(id)}`, { after, limit: PAGE, download: true, reader: person() }));
      for (const entry of page.entries) lines.push(`${JSON.stringify(entry)}\n`);
      after = page.next;
    }
    const link = el("a", {
      href: URL.createObjectURL(new Blob(lines, { type: "application/jsonl" })), download: fileName(id, ".jsonl"),
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say(`${lines.length} entries are saved.`);
  }

  const guarded = (work) => async () => {
    try { await work(); } catch (error) { say(error.message, "bad"); }
  };

  return {
    element,
    draw(found) {
      head = found;
      const verbs = Object.keys(VERBS).filter((verb) => VERBS[verb].fits(head.status));
      const state = `${verbs}${FINAL.has(head.status)}`;
      if (state === drawn) return; // a button that has the focus stays
      drawn = state;
      element.replaceChildren(
        FINAL.has(head.status) ? "" : el("button", { type: "button", onclick: guarded(signal) }, "Signal"),
        ...verbs.map((verb) => el("button", { type: "button", class: verb === "retry" || verb === "resume" ? "primary" : "", onclick: guarded(() => run(verb)) }, VERBS[verb].label)),
        forks(head) ? el("button", { type: "button", onclick: guarded(() => fork(head, context)) }, "Fork") : "",
        el("button", { type: "button", onclick: guarded(download) }, "Download"));
    },
  };
}
