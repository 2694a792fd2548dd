// Times, durations, money and sizes as people read them. Times that are shown relative to now keep up by themselves.

import { el } from "./dom.js";

const UNITS = [["d", 86400000], ["h", 3600000], ["min", 60000], ["s", 1000]];
const absolute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const plain = new Intl.NumberFormat();
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

/** 250 ms, 1.4 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "–";
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < 60000) return `${Math.floor(ms / 1000)} s`;
  const first = UNITS.findIndex(([, size]) => ms >= size);
  const [name, size] = UNITS[first], [below, small] = UNITS[first + 1];
  const rest = Math.floor((ms % size) / small);
  return rest ? `${Math.floor(ms / size)} ${name} ${rest} ${below}` : `${Math.floor(ms / size)} ${name}`;
}

/** One unit only, for columns: 14 s, 3 min, 2 h, 5 d. */
export function age(ms) {
  if (ms < 1000) return "now";
  const [name, size] = UNITS.find(([, one]) => ms >= one);
  return `${Math.floor(ms / size)} ${name}`;
}

export function when(ms) { return absolute.format(ms); }
export function clockTime(ms) { return clock.format(ms); }
export function number(n) { return plain.format(n); }
export function short(n) { return n < 10000 ? plain.format(n) : compact.format(n); }

/** US dollars of a decimal text; small amounts keep the digits that matter. Unknown is said. */
export function money(cost) {
  if (cost === null || cost === undefined || cost === "") return "–";
  const value = Number(cost);
  if (value === 0) return "$0";
  if (Math.abs(value) < 0.01) return `$${value.toPrecision(2).replace(/0+$/, "")}`;
  return `$${value.toFixed(value < 1 ? 3 : 2)}`;
}

export function bytes(n) {
  if (n < 1000) return `${n} B`;
  return n < 1e6 ? `${(n / 1000).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}

/** How long ago, keeping up; the whole time as its title. */
export function ago(ms, { suffix = true } = {}) {
  return ticking(ms, suffix ? "ago" : "age");
}

/** How long until, keeping up; "due" when it has come. */
export function countdown(ms) {
  return ticking(ms, "until");
}

function ticking(ms, way) {
  const element = el("time", { datetime: new Date(ms).toISOString(), title: when(ms), data: { at: ms, way } });
  tick(element, Date.now());
  return element;
}

function tick(element, now) {
  const past = now - Number(element.dataset.at), way = element.dataset.way;
  const text = way === "until" ? (past >= 0 ? "due" : `in ${duration(Math.ceil(-past / 1000) * 1000)}`)
    : way === "ago" && past >= 1000 ? `${age(past)} ago` : age(Math.max(past, 0));
  if (element.textContent !== text) element.textContent = text;
}

setInterval(() => {
  if (document.hidden) return;
  const now = Date.now();
  for (const element of document.querySelectorAll("time[data-way]")) tick(element, now);
}, 1000);
