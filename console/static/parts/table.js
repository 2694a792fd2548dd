// A table of any length: pages are fetched by cursor as one scrolls towards the end, and only the rows in sight (and
// the one that has the focus) are in the document. Rows have one height, so that nothing that arrives moves what is
// being read. j and k step through the rows.

import { el } from "./dom.js";

const AROUND = 12, AHEAD = 60, DRY = 20; // pages without a row, after which one is asked whether to look further
const narrow = matchMedia("(max-width: 720px)");

/**
 * `columns`: {name, title, width (of a grid), cell(row) → node or text, end (aligned to the end)}.
 * `key(row)`: its identity. `load(cursor)` → {rows, cursor}; cursor null is the end.
 * `height`, `tall`: of a row, in pixels, also at phone width. `chosen(set)`: rows can be chosen.
 * `empty`: what is said (text or node) when there is none. `opened(row)`: what a click on a row does.
 */
export function table({ label, columns, key, load, height = 36, tall = 62, chosen = null, empty = "Nothing.", opened, loaded }) {
  let rows = [], cursor = null, busy = null, generation = 0, wrong = null, begun = false, dry = 0;
  const at = new Map(), drawn = new Map(), choice = new Set();
  const all = chosen && checkbox("Choose all that are loaded", () => {
    for (const row of rows) all.checked ? choice.add(key(row)) : choice.delete(key(row));
    for (const [one, element] of drawn) element.firstChild.firstChild.checked = choice.has(one);
    tellChoice();
  });
  const head = el("div", { class: "tr th", role: "row" },
    chosen && el("div", { role: "columnheader", class: "td check" }, all),
    columns.map((column) => el("div", { role: "columnheader", class: classOf(column) }, column.title)));
  const body = el("div", { class: "tbody", role: "rowgroup" });
  const foot = el("div", { class: "tfoot", "aria-live": "polite" });
  const grid = el("div", { class: "table", role: "table", "aria-label": label }, el("div", { role: "rowgroup" }, head), body);
  const element = el("div", { class: "tablebox" }, grid, foot);
  grid.style.setProperty("--columns", [chosen && "28px", ...columns.map((column) => column.width ?? "1fr")].filter(Boolean).join(" "));

  function checkbox(name, change) {
    return el("input", { type: "checkbox", "aria-label": name, onchange: change, onclick: (event) => event.stopPropagation() });
  }
  function classOf(column) { return `td ${column.name}${column.end ? " end" : ""}`; }
  function tellChoice() {
    all.checked = choice.size > 0 && choice.size === rows.length;
    all.indeterminate = choice.size > 0 && choice.size < rows.length;
    chosen(choice);
  }
  function rowHeight() { return narrow.matches ? tall : height; }

  function build(row) {
    const one = key(row);
    const made = el("div", { class: "tr", role: "row", data: { key: one } });
    if (chosen) {
      const box = checkbox(`Choose ${one}`, () => {
        box.checked ? choice.add(one) : choice.delete(one);
        tellChoice();
      });
      box.checked = choice.has(one);
      made.append(el("div", { role: "cell", class: "td check" }, box));
    }
    for (const column of columns) made.append(el("div", { role: "cell", class: classOf(column) }, column.cell(row)));
    if (opened) {
      made.classList.add("opens");
      made.addEventListener("click", (event) => {
        if (!event.target.closest("a, button, input") && getSelection().isCollapsed) opened(rows[at.get(one)]);
      });
    }
    return made;
  }

  function fill(made, row) {
    const cells = [...made.children].slice(chosen ? 1 : 0);
    columns.forEach((column, number) => {
      const fresh = cells[number].cloneNode(false);
      fresh.append(...[column.cell(row)].flat(Infinity).filter(Boolean));
      if (fresh.isEqualNode(cells[number])) return; // who reads or has the focus there is not disturbed
      cells[number].replaceChildren(...fresh.childNodes);
    });
  }

  function draw() {
    if (!element.isConnected) return;
    const size = rowHeight(), box = body.getBoundingClientRect();
    body.style.setProperty("--row", `${size}px`);
    body.style.height = `${rows.length * size}px`;
    body.hidden = rows.length === 0;
    const from = Math.max(0, Math.floor(-box.top / size) - AROUND);
    const to = Math.min(rows.length, Math.ceil((innerHeight - box.top) / size) + AROUND);
    const wanted = [];
    for (let index = from; index < to; index++) wanted.push(index);
    const held = at.get(document.activeElement?.closest?.(".tr")?.dataset.key);
    if (held !== undefined && body.contains(document.activeElement)) { // the focus stays alive out of sight
      if (held < from) wanted.unshift(held);
      else if (held >= to) wanted.push(held);
    }
    const keep = new Set(wanted.map((index) => key(rows[index])));
    for (const [one, made] of drawn) {
      if (!keep.has(one)) {
        made.remove();
        drawn.delete(one);
      }
    }
    let place = body.firstChild;
    for (const index of wanted) {
      const one = key(rows[index]);
      let made = drawn.get(one);
      if (!made) drawn.set(one, (made = build(rows[index])));
      if (made === place) place = place.nextSibling;
      else body.insertBefore(made, place);
      if (made.ariaRowIndex !== String(index + 2)) made.ariaRowIndex = String(index + 2);
      made.style.transform = `translateY(${index * size}px)`;
    }
    grid.setAttribute("aria-rowcount", cursor === null ? rows.length + 1 : -1);
    if (cursor !== null && !busy && !wrong && dry < DRY && to + AHEAD > rows.length) more();
  }

  function say() {
    if (wrong) {
      foot.replaceChildren(el("p", { class: "notice bad" }, wrong.message, " ",
        el("button", { type: "button", onclick: () => { wrong = null; more(); } }, "Try again")));
    } else if (busy) foot.replaceChildren(el("p", { class: "muted" }, "Loading…"));
    else if (begun && !rows.length && cursor === null) foot.replaceChildren(el("div", { class: "empty" }, empty));
    else if (dry >= DRY && cursor !== null) {
      foot.replaceChildren(el("p", { class: "muted" }, "Nothing among those looked through last. ",
        el("button", { type: "button", class: "small", onclick: () => { dry = 0; more(); } }, "Look further")));
    } else foot.replaceChildren();
  }

  async function more() {
    const mine = generation;
    busy = load(cursor);
    say();
    try {
      const page = await busy;
      if (mine !== generation) return;
      begun = true;
      for (const row of page.rows) {
        if (at.has(key(row))) continue; // it moved between two pages
        at.set(key(row), rows.length);
        rows.push(row);
      }
      cursor = page.cursor;
      dry = page.rows.length ? 0 : dry + 1;
      loaded?.(rows, cursor);
    } catch (error) {
      if (mine !== generation || error.name === "AbortError") return;
      wrong = error;
    } finally {
      if (mine === generation) busy = null;
    }
    if (mine !== generation) return;
    say();
    draw();
  }

  let waiting = 0;
  function soon() { waiting ||= requestAnimationFrame(() => { waiting = 0; draw(); }); }
  function step(event) {
    if (!rows.length || !element.isConnected || element.closest("[hidden]")) return;
    const focused = at.get(document.activeElement?.closest?.(".tr")?.dataset.key);
    const first = Math.max(0, Math.ceil(-body.getBoundingClientRect().top / rowHeight()));
    const next = focused === undefined ? first : Math.min(rows.length - 1, Math.max(0, focused + event.detail));
    focusRow(next);
  }
  function focusRow(index) {
    const size = rowHeight(), top = body.getBoundingClientRect().top + index * size, sticky = 96;
    if (top < sticky) scrollBy(0, top - sticky);
    else if (top + size > innerHeight - 20) scrollBy(0, top + size - innerHeight + 20);
    draw();
    const made = drawn.get(key(rows[index]));
    (made?.querySelector("a, button") ?? made)?.focus({ preventScroll: true });
  }
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", soon);
  document.addEventListener("step", step);
  const watching = new ResizeObserver(soon);
  watching.observe(element);

  return {
    element, draw,
    get rows() { return rows; },
    get cursor() { return cursor; },
    get choice() { return choice; },
    /** Begins anew with the first page, or with rows that were kept. */
    begin(kept) {
      generation += 1;
      rows = [];
      at.clear();
      choice.clear();
      for (const made of drawn.values()) made.remove();
      drawn.clear();
      cursor = null;
      wrong = busy = null;
      begun = false;
      dry = 0;
      if (chosen) tellChoice();
      if (!kept) return more();
      begun = true;
      rows = kept.rows;
      rows.forEach((row, index) => at.set(key(row), index));
      cursor = kept.cursor;
      say();
      draw();
      return Promise.resolve();
    },
    find(one) { return rows[at.get(one)]; },
    inSight() { return [...drawn.keys()]; },
    /** Rows that come at the end, as they are told (a journal that grows). */
    append(given) {
      for (const row of given) {
        if (at.has(key(row))) continue;
        at.set(key(row), rows.length);
        rows.push(row);
      }
      begun = true;
      say();
      draw();
    },
    /** All rows anew, in a new order perhaps; those in sight keep their elements, and with them the focus. */
    replace(given, next = null) {
      rows = given;
      cursor = next;
      begun = true;
      at.clear();
      rows.forEach((row, index) => at.set(key(row), index));
      for (const [one, made] of drawn) if (at.has(one)) fill(made, rows[at.get(one)]);
      say();
      draw();
    },
    /** A row that changed, in its place. */
    update(row) {
      const index = at.get(key(row));
      if (index === undefined) return false;
      const same = JSON.stringify(rows[index]) === JSON.stringify(row);
      rows[index] = row;
      const made = drawn.get(key(row));
      if (same || !made) return true;
      fill(made, row);
      made.classList.remove("changed");
      void made.offsetWidth;
      made.classList.add("changed");
      return true;
    },
    unchoose() {
      choice.clear();
      for (const made of drawn.values()) if (chosen) made.firstChild.firstChild.checked = false;
      if (chosen) tellChoice();
    },
    leave() {
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
      document.removeEventListener("step", step);
      watching.disconnect();
      generation += 1;
    },
  };
}
