// What changes anywhere, from one stream for the whole page (GET /changes). Whoever listens is told
// {ids, counts, all}: `ids` of executions that changed, `counts` by status, `all` when changes may have been missed
// (the connection was lost, or the tab slept), so that everything shown is to be read again.

import { api } from "./api.js";

const FIRST = 1000, LONGEST = 20000, SILENCE = 60000;
const listeners = new Set();
const watchers = new Set();
const named = new Map(); // ids that are looked at just now, and by how many: told of however old they are
let state = "connecting", counts = null, going = null, missed = false, attempt = null, refused = null;

function settle(next) {
  if (next === state) return;
  state = next;
  for (const watcher of watchers) watcher(state);
}

function tell(change) {
  for (const listener of [...listeners]) {
    try { listener(change); } catch (error) { console.error(error); }
  }
}

async function run(controller) {
  let pause = FIRST;
  while (!controller.signal.aborted) {
    const mine = attempt = new AbortController();
    const asked = api.query("/changes", { id: [...named.keys()] });
    const stop = () => mine.abort();
    controller.signal.addEventListener("abort", stop);
    let alarm = setTimeout(stop, SILENCE); // a connection that died without a word
    try {
      await api.stream(asked, (name, data) => {
        clearTimeout(alarm);
        alarm = setTimeout(stop, SILENCE);
        pause = FIRST;
        settle("on");
        if (missed) {
          missed = false;
          tell({ ids: [], counts, all: true });
        }
        if (name !== "changed") return;
        counts = data.counts ?? counts;
        tell({ ids: data.ids ?? [], counts, all: data.more === true });
      }, { signal: mine.signal });
    } catch (error) {
      if (error.status === 404 || error.status === 401) {
        settle("off");
        if (error.status === 401) refused = controller;
        return;
      }
    } finally {
      clearTimeout(alarm);
      controller.signal.removeEventListener("abort", stop);
    }
    if (controller.signal.aborted) return;
    missed = true;
    if (asked !== api.query("/changes", { id: [...named.keys()] })) continue; // others are looked at now
    settle("lost");
    await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
    pause = Math.min(pause * 2, LONGEST);
  }
}

function begin() {
  if (going) return;
  going = new AbortController();
  run(going);
}

// Who was not let in and then is, by a token that was given later, hears of changes again.
document.addEventListener("entered", () => {
  if (!refused || going !== refused) return;
  refused = going = null;
  missed = true;
  settle("connecting");
  begin();
});

let sleep = 0, renaming = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(sleep);
  if (!document.hidden) begin();
  else sleep = setTimeout(() => { // nobody looks: the server need not look for us
    going?.abort();
    going = null;
    missed = true;
    settle("lost");
  }, 120000);
});

export const live = {
  /** Hears of changes until the function that it answers is called. `id`: one that is to be told of in any case. */
  on(listener, id = null) {
    const name = (by) => {
      if (id === null) return;
      const many = (named.get(id) ?? 0) + by;
      if (many) named.set(id, many);
      else named.delete(id);
      clearTimeout(renaming);
      renaming = setTimeout(() => attempt?.abort(), 50); // the stream begins anew with the other names
    };
    listeners.add(listener);
    name(1);
    begin();
    return () => { if (listeners.delete(listener)) name(-1); };
  },
  /** Hears of the state: connecting, on, lost, off. */
  watch(watcher) {
    watchers.add(watcher);
    watcher(state);
    return () => watchers.delete(watcher);
  },
  get counts() { return counts; },
  get state() { return state; },
};
