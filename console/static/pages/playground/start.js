// Any function from a form of its schema: a workflow or a run of an agent begins an execution, a tool gives its result.

import { el, linkTo } from "../../parts/dom.js";
import { form } from "../../parts/form.js";
import { pretty } from "../../parts/difference.js";
import { statusOf } from "../../parts/status.js";
import { seen } from "../../parts/words.js";

const PLACE = { workflow: "workflows", agent: "agents", tool: "tools" };

export async function start(box, query, { api, functions, address }) {
  const known = functions.filter((one) => PLACE[one.kind]);
  if (!known.length) {
    box.append(el("p", { class: "empty" }, "Nothing is served here."));
    return null;
  }
  const which = el("select", { name: "function", onchange: () => draw() }, ["workflow", "agent", "tool"].map((kind) => {
    const these = known.filter((one) => one.kind === kind);
    return these.length ? el("optgroup", { label: `${kind}s` }, these.map((one) => el("option", { value: one.name, selected: one.name === query.get("function") }, seen(one.name)))) : null;
  }));
  const place = el("div", { class: "what" }), came = el("div", { class: "cards", "aria-live": "polite" });
  box.append(el("div", { class: "halves" }, el("div", { class: "fields" }, el("label", { class: "field" }, el("span", {}, "Function"), which), place),
    el("section", { class: "fields", "aria-label": "What came of it" }, el("h2", {}, "What came of it"), came)));
  came.append(el("p", { class: "muted" }, "Nothing was started here yet."));
  const stopped = new AbortController();

  function draw() {
    const one = known.find((each) => each.name === which.value);
    address({ function: one.name });
    const fields = form(one.input, undefined, { label: "Input" });
    const wrong = el("p", { class: "notice bad", role: "alert", hidden: true });
    const name = el("input", { type: "text", maxlength: 200, name: "id", autocomplete: "off", spellcheck: "false" });
    const button = el("button", { type: "submit", class: "primary" }, one.kind === "tool" ? "Call it" : "Start it");
    place.replaceChildren(
      one.description && el("p", { class: "muted" }, seen(one.description)),
      one.effect === "irreversible" ? el("p", { class: "notice warn" }, "This tool says of itself that what it does can't be taken back.") : "",
      el("form", { class: "fields panel asked", novalidate: true, onsubmit: (event) => { event.preventDefault(); go(); } }, fields.element ?? el("p", { class: "muted" }, "It takes no input."),
        one.kind === "tool" ? null : el("label", { class: "field" }, el("span", {}, "Id", el("i", { class: "muted" }, " optional")), name), wrong, el("div", { class: "bar" }, button)));

    async function go() {
      wrong.hidden = true;
      button.disabled = true;
      try {
        const path = `/${PLACE[one.kind]}/${encodeURIComponent(one.name)}`, input = fields.read() ?? (one.kind === "tool" ? {} : null);
        const headers = one.kind === "tool" ? {} : { Prefer: "respond-async" };
        const answer = await api.post(one.kind === "tool" ? path : api.query(path, { id: name.value.trim() }), input, { headers, signal: stopped.signal });
        if (came.firstElementChild?.tagName === "P") came.replaceChildren();
        if (one.kind === "tool") came.prepend(result(one.name, statusOf("completed", "answered"), answer));
        else began(one, answer.id);
        name.value = "";
      } catch (error) {
        if (error.name === "AbortError") return;
        wrong.textContent = error.message;
        wrong.hidden = false;
      } finally { button.disabled = false; }
    }
  }

  async function began(one, id) {
    let shown = result(linkTo(id), statusOf("running"), undefined);
    came.prepend(shown);
    for (let again = 0; again < 60 && !stopped.signal.aborted; again++) {
      try {
        const outcome = await api.get(`/results/${api.part(id)}`, { headers: { Prefer: "wait=10" }, signal: stopped.signal });
        const ended = outcome.status !== "running", head = ended ? null : await api.get(`/executions/${api.part(id)}`, { signal: stopped.signal });
        const next = result(linkTo(id), statusOf(head?.status ?? outcome.status), ended ? outcome.result ?? outcome.error?.message ?? null : undefined,
          head?.awaits?.startsWith("approval") ? el("a", { href: `/console/inbox?text=${encodeURIComponent(id)}` }, "It waits for an approval") : head?.awaits ? `It waits: ${seen(head.awaits)}` : null);
        if (!shown.contains(document.activeElement)) { shown.replaceWith(next); shown = next; }
        if (ended) return;
      } catch { return; } // the link beside it leads to all there is
    }
  }

  draw();
  return () => stopped.abort();
}

function result(name, status, value, note = null) {
  return el("article", { class: "card panel" }, el("header", {}, el("h3", {}, name), status),
    el("div", { class: "body" }, el("div", { class: "what" }, note && el("p", {}, note),
      value === undefined ? (note ? null : el("p", { class: "muted" }, "It goes on.")) : el("pre", { class: "box", tabindex: 0 }, pretty(value)))));
}
