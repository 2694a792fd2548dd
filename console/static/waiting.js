// How much waits for a person, as a number beside "Inbox" in the navigation. The inbox tells what it has counted; on
// other pages it is asked for, rarely: heads by what they wait for, and the counts that the changes bring.

import { api } from "./api.js";
import { live } from "./live.js";
import { el } from "./parts/dom.js";

const LEAST = 5000, PAGE = 200;
const link = document.querySelector('nav a[data-page="inbox"]');
const badge = el("span", { class: "badge", hidden: true });
link.append(badge);
let timer = 0, last = 0, exact = 0;

function draw(count, open = false) {
  badge.hidden = count === 0;
  badge.textContent = open ? `${count}+` : String(count);
  link.setAttribute("aria-label", count ? `Inbox, ${open ? "more than " : ""}${count} waiting` : "Inbox");
}

/** How much the inbox has found; `open`: there is more. */
export function told(count, open) {
  exact = Date.now();
  draw(count, open);
}

async function count() {
  timer = 0;
  last = Date.now();
  if (document.hidden || last - exact < LEAST) return;
  try {
    const [asked, counts, letters] = await Promise.all([
      api.get(`/executions?awaits=approval&status=waiting&limit=${PAGE}`), live.counts ?? api.get("/counts"), api.get("/dead-letters?limit=1"),
    ]);
    const found = asked.executions.length + (counts["in-doubt"] ?? 0) + (counts.stuck ?? 0) + letters.dead_letters.length + letters.more;
    draw(found, asked.cursor !== null);
  } catch (error) {
    if (error.name !== "Problem") throw error; // who is not let in sees no number
  }
}

live.on(() => { timer ||= setTimeout(count, Math.max(300, last + LEAST - Date.now())); });
count();
