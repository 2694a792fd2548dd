// What changes anywhere, from one stream for the whole page (GET /changes). Whoever listens is told
// {ids, counts, all}: `ids` of executions that changed, `counts` by status, `all` when changes may have been missed
// (the connection was lost, or the tab slept), so that everything shown is to be read again.

import { api } from "./api.js";

const FIRST = 1000, LONGEST = 20000, SILENCE = 60000;
const listeners = new Set();
const watchers = new Set();
let state = "connecting", counts = null, going = null, missed = false;

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
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    controller.signal.addEventListener("abort", stop);
    let alarm = setTimeout(stop, SILENCE); // a connection that died without a word
    try {
      await api.stream("/changes", (name, data) => {
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
        tell({ ids: data.ids ?? [], counts, all: data.all === true });
      }, { signal: attempt.signal });
    } catch (error) {
      if (error.status === 404 || error.status === 401) {
        settle("off");
        return;
      }
    } finally {
      clearTimeout(alarm);
      controller.signal.removeEventListener("abort", stop);
    }
    if (controller.signal.aborted) return;
    missed = true;
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

let sleep = 0;
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
  /** Hears of changes until the function that it answers is called. */
  on(listener) {
    listeners.add(listener);
    begin();
    return () => listeners.delete(listener);
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
