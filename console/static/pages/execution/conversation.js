// A conversation: what people said, what the model thought, said and called, and what came of it. It is made of the
// journal, which is the truth; words that are being said now come from the stream (GET /stream/ID) and stand as a
// draft until their entry is there.

import { part } from "../../api.js";
import { el } from "../../parts/dom.js";
import { FINAL } from "../../parts/status.js";
import { number } from "../../parts/format.js";
import { dialogue } from "./dialogue.js";

const PAGE = 1000, AGAIN = 1500;

export async function open(box, head, { api, say }) {
  const list = el("ol", { class: "talk", "aria-label": "Conversation" });
  const drafts = el("ol", { class: "talk drafts", "aria-label": "Being said now" });
  const note = el("span", { class: "muted" });
  const talk = dialogue();
  const pieces = new Map(); // op → {thoughts, text, item}
  let after = 0, gone = false, reading = null;
  const writing = el("div", {}, head.kind === "agent" ? composer() : "");
  box.append(el("div", { class: "bar spread tabhead" }, note), list, drafts, writing);

  async function read() {
    reading ??= (async () => {
      try {
        for (let next = after; next !== null && !gone;) {
          const page = await api.get(`/history/${part(head.id)}?after=${next}&limit=${PAGE}`);
          for (const entry of page.entries) {
            talk.take(entry);
            if (entry.type === "start") writing.replaceChildren(); // a run, which takes no messages
            if (entry.type === "message") forget(`sent ${entry.id}`);
            if (entry.op && ["model", "routed"].includes(entry.type)) forget(entry.op);
          }
          after += page.entries.length;
          next = page.next;
          draw();
        }
      } finally { reading = null; }
    })();
    return reading;
  }

  function draw() {
    const near = innerHeight + scrollY > document.documentElement.scrollHeight - 120 && list.children.length > 0;
    for (const item of talk.changed()) {
      if (item.element) {
        const fresh = item.draw();
        for (const one of fresh.querySelectorAll("details")) { // what was unfolded stays so
          if ([...item.element.querySelectorAll("details")].find((old) => old.dataset.part === one.dataset.part)?.open) one.open = true;
        }
        item.element.replaceWith(fresh);
        item.element = fresh;
      } else list.append((item.element = item.draw()));
    }
    note.textContent = list.children.length ? `${number(talk.turns)} turn${talk.turns === 1 ? "" : "s"}, ${number(talk.calls)} tool call${talk.calls === 1 ? "" : "s"}, ${number(talk.tokens)} tokens` : "Nothing was said yet.";
    if (near) scrollTo(0, document.documentElement.scrollHeight); // who reads the end stays there
  }

  function forget(op) {
    pieces.get(op)?.item.remove();
    pieces.delete(op);
  }

  function hear(name, data) {
    if (name === "text" || name === "reasoning") {
      if (talk.knows(data.op)) return;
      let piece = pieces.get(data.op);
      if (!piece) {
        const thoughts = el("p", { class: "thought" }), text = el("p", { class: "said" });
        piece = { thoughts, text, item: el("li", { class: "turn model draft" }, el("div", { class: "who" }, "model", el("span", { class: "muted" }, " is saying")), thoughts, text) };
        pieces.set(data.op, piece);
        drafts.append(piece.item);
      }
      piece[name === "text" ? "text" : "thoughts"].append(data.text);
    } else if (name === "reset") {
      forget(data.op);
      if (data.instead) forget(data.instead);
    } else if (name) read().catch(() => {});
  }

  // The stream begins after the entries that are known already: N.0 is the id of what follows the first N of them.
  const controller = new AbortController();
  let last = "", listening = false;
  async function listen() {
    if (listening || gone || FINAL.has(head.status)) return;
    listening = true;
    try {
      const status = await api.stream(`/stream/${part(head.id)}`, (name, data, id) => {
        if (id) last = id;
        hear(name, data);
      }, { signal: controller.signal, last: last || `${after}.0` });
      if (status === 204) return;
    } catch { /* once more below */ } finally { listening = false; }
    if (!gone) setTimeout(listen, AGAIN);
  }

  function composer() {
    const session = head.id.startsWith(`${head.function}/`) ? head.id.slice(head.function.length + 1) : "";
    if (!session || FINAL.has(head.status)) return "";
    const field = el("textarea", { rows: 2, "aria-label": "A message to this session", placeholder: "Write to this session; Ctrl+Enter sends" });
    const send = el("button", { type: "submit", class: "primary" }, "Send");
    let id = crypto.randomUUID?.() ?? String(Math.random());
    const form = el("form", {
      class: "composer",
      onsubmit: async (event) => {
        event.preventDefault();
        if (!field.value.trim()) return;
        send.disabled = true;
        try { // the id makes it count once, also when it is sent again after an error
          await api.post(`/sessions/${encodeURIComponent(head.function)}/${part(session)}`, { content: field.value, id }, { headers: { Prefer: "respond-async" } });
          if (!pieces.has(`sent ${id}`)) { // it stands in the journal when somebody takes it up
            const item = el("li", { class: "turn user draft" }, el("div", { class: "who" }, el("b", {}, "user"), el("span", { class: "muted" }, " sent")), el("p", {}, field.value));
            pieces.set(`sent ${id}`, { item });
            drafts.append(item);
          }
          field.value = "";
          id = crypto.randomUUID?.() ?? String(Math.random());
          await read();
        } catch (error) { say(error.message, "bad"); } finally { send.disabled = false; }
      },
    }, field, send);
    field.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });
    return form;
  }

  await read();
  listen();
  return {
    changed(next) {
      head = next;
      if (FINAL.has(head.status)) { controller.abort(); drafts.replaceChildren(); pieces.clear(); writing.replaceChildren(); }
      return read();
    },
    leave() {
      gone = true;
      controller.abort();
    },
  };
}
