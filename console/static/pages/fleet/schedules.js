// Schedules: when they run next, how the last run ended, and pause, resume, run now.

import { el, linkTo } from "../../parts/dom.js";
import { dialog } from "../../parts/dialog.js";
import { ago, countdown, number, when } from "../../parts/format.js";
import { list } from "../../parts/list.js";
import { signed } from "../../parts/person.js";
import { statusOf } from "../../parts/status.js";
import { seen } from "../../parts/words.js";

const WORDS = { active: "running", paused: "paused", stuck: "stuck", leaving: "cancelled" };

export async function schedules(body, context) {
  const { schedules: found } = await context.api.get("/schedules");
  body.replaceChildren(list("Schedules", [
    { title: "Name", cell: (one) => linkTo(one.id, seen(one.name)) },
    { title: "Runs", cell: (one) => seen(one.function) },
    { title: "When", cell: (one) => el("span", {}, el("code", {}, seen(one.when)), one.zone && el("span", { class: "muted" }, ` ${one.zone}`)) },
    { title: "Status", cell: (one) => statusOf(WORDS[one.status] ?? "idle", one.status) },
    { title: "Next", cell: (one) => (one.next ? el("span", {}, countdown(Date.parse(one.next)), el("span", { class: "muted" }, ` ${when(Date.parse(one.next))}`)) : "–") },
    { title: "Last", cell: last },
    { title: "So far", end: true, cell: (one) => `${number(one.runs)}${one.failures ? `, ${number(one.failures)} failed` : ""}` },
    { title: "What can be done", hidden: true, cell: (one) => el("span", { class: "bar nowrap" },
      one.status === "paused" ? verb(one, "resume", "Resume", context) : verb(one, "pause", "Pause", context), verb(one, "run", "Run now", context)) },
  ], found, "There are no schedules."));
  return found.length;
}

function last(one) {
  if (one.running.length) return el("span", {}, "running: ", one.running.slice(0, 2).map((id) => [linkTo(id), " "]));
  if (!one.last) return el("span", { class: "muted" }, "not yet");
  return el("span", {}, linkTo(one.last.id, statusOf(one.last.status)), " ", el("span", { class: "muted" }, ago(Date.parse(one.last.at))));
}

function verb(one, name, label, { api, say, again }) {
  const does = { pause: "No run begins until it is resumed.", resume: "It goes on with its next time.", run: "A run begins now, beside its times." }[name];
  return el("button", {
    type: "button", class: "small", data: { act: `${name} ${one.name}` }, "aria-label": `${label}: ${one.name}`,
    onclick: () => {
      const sign = signed();
      return dialog({
        title: `${label}: ${one.name}`, body: [el("p", {}, does), name === "run" ? null : sign.element],
        actions: [{ label: "Cancel", value: null }, {
          label,
          value: async () => {
            const { by, reason } = sign.read();
            const answer = await api.post(`/schedules/${encodeURIComponent(one.name)}/${name}`, name === "run" ? { by } : { by, reason });
            say(name === "run" ? `Begun: ${answer?.run ?? one.name}` : `${label}d: ${one.name}`);
            again();
          },
        }],
      });
    },
  }, label);
}
