// A conversation with an agent, word by word. The first message is sent as a stream, so that its answer is told from its
// first word; from then on the session is followed like any other.

import { el, linkTo } from "../../parts/dom.js";
import { form } from "../../parts/form.js";
import { seen } from "../../parts/words.js";
import { open } from "../execution/conversation.js";

export async function talk(box, query, context) {
  const { api, live, say, functions, address } = context;
  const agents = functions.filter((one) => one.kind === "agent");
  if (!agents.length) {
    box.append(el("p", { class: "empty" }, "No agents are served here."));
    return null;
  }
  const agent = el("select", { name: "agent", onchange: () => begin() }, agents.map((one) => el("option", { value: one.name, selected: one.name === query.get("agent") }, seen(one.name))));
  const session = el("input", { type: "text", name: "session", maxlength: 150, value: query.get("session") || fresh(), onchange: () => begin(), autocomplete: "off", spellcheck: "false" });
  const place = el("span", { class: "muted" }), said = el("div", { class: "talking" }), composer = el("div", {});
  box.append(
    el("div", { class: "bar" }, el("label", { class: "field inline" }, el("span", {}, "Agent"), agent),
      el("label", { class: "field inline" }, el("span", {}, "Session"), session),
      el("button", { type: "button", onclick: () => { session.value = fresh(); begin(); } }, "New session"), place),
    said, composer);
  let view = null, turn = 0, id = "", sending = null;

  function fresh() { return `play-${Date.now().toString(36)}`; }

  /** The session as it is: its conversation when there is one. */
  async function begin(focus = true) {
    const mine = ++turn;
    sending?.abort();
    view?.leave();
    view = null;
    id = `${agent.value}/${session.value.trim()}`;
    address({ agent: agent.value, session: session.value.trim() });
    const served = agents.find((one) => one.name === agent.value);
    said.replaceChildren(el("p", { class: "muted" }, served.description ? seen(served.description) : "Nothing was said yet."));
    place.replaceChildren();
    compose(served);
    const { executions } = await api.get(api.query("/executions", { function: agent.value, prefix: id, limit: 50 }));
    const head = executions.find((one) => one.id === id);
    if (mine === turn && head) await follow(head);
    if (mine === turn && focus) composer.querySelector("textarea, input")?.focus();
  }

  async function follow(head) {
    const mine = turn, body = el("div", {});
    said.replaceChildren(body);
    place.replaceChildren(linkTo(head.id, "Its execution"));
    const made = await open(body, { ...head, kind: "" }, context); // messages are written below
    if (mine === turn) view = made;
    else made.leave();
  }

  function compose(served) {
    const plain = !served.input || !Object.keys(served.input).length || served.input.type === "string";
    const field = plain && el("textarea", { rows: 3, "aria-label": "Message", placeholder: "Write to the agent; Enter sends, Shift+Enter begins a line" });
    const fields = plain ? null : form(served.input, undefined, { label: "Input" });
    const button = el("button", { type: "submit", class: "primary" }, "Send");
    const made = el("form", { class: plain ? "composer" : "fields panel asked", onsubmit: (event) => { event.preventDefault(); sent(); } }, field || fields.element, button);
    async function sent() {
      let content;
      try { content = plain ? field.value.trim() : fields.read(); } catch (error) { return say(error.message, "bad"); }
      if (plain && !content) return;
      button.disabled = true;
      try {
        await post(content);
        if (plain) field.value = "";
      } catch (error) {
        if (error.name !== "AbortError") say(error.message, "bad");
      } finally {
        button.disabled = false;
        if (plain) field.focus();
      }
    }
    if (plain) {
      field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        made.requestSubmit();
      });
    }
    composer.replaceChildren(made);
  }

  /** Sends a message; done when it is accepted. */
  async function post(content) {
    const path = `/sessions/${encodeURIComponent(agent.value)}/${api.part(session.value.trim())}`;
    const body = { content, id: crypto.randomUUID?.() ?? String(Math.random()) };
    if (view) {
      await api.post(path, body, { headers: { Prefer: "respond-async" } });
      await view.changed({ id, function: agent.value, kind: "", status: "running" });
      return;
    }
    // Whoever sends it listens: so the model is asked to say it word by word from the first word on.
    const mine = turn, controller = (sending = new AbortController());
    const response = await api.request("POST", path, { body, headers: { Accept: "text/event-stream" }, signal: controller.signal });
    if (mine === turn) await follow(await api.get(`/executions/${api.part(id)}`));
    drain(response.body, controller);
  }

  async function drain(stream, controller) {
    const reader = stream.getReader();
    try {
      while (!(await reader.read()).done) if (controller !== sending) break;
    } catch { /* the session is followed by itself */ } finally { controller.abort(); }
  }

  const silent = live.on(({ ids, all }) => { if (view && (all || ids.includes(id))) view.changed({ id, function: agent.value, kind: "", status: "idle" }); });
  const poll = setInterval(() => { if (view && live.state === "off") view.changed({ id, function: agent.value, kind: "", status: "idle" }); }, 2000);
  await begin(false);
  return () => {
    turn += 1;
    silent();
    clearInterval(poll);
    sending?.abort();
    view?.leave();
  };
}
