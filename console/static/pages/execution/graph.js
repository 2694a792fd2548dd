// The graph of a state machine with the path that was taken, as the server draws it (GET /graph/ID).

import { part } from "../../api.js";
import { el } from "../../parts/dom.js";

export async function open(box, head, { api }) {
  const image = el("img", { alt: `States of ${head.function}, with the path taken` });
  const size = el("div", { class: "bar ways", role: "group", "aria-label": "Size" },
    [["Fit", "fit"], ["Full size", "full"]].map(([label, name]) => el("button", {
      type: "button", class: "small", "aria-pressed": String(name === "fit"),
      onclick: (event) => {
        frame.dataset.size = name;
        for (const one of size.children) one.setAttribute("aria-pressed", String(one === event.target));
      },
    }, label)));
  const frame = el("div", { class: "panel graphbox", data: { size: "fit" }, tabindex: "0", role: "group", "aria-label": "Graph" }, image);
  const save = el("a", { class: "button small", download: `${head.id.replace(/[^\w.-]+/g, "_")}.svg` }, "Save as SVG");
  const told = el("details", { class: "muted" }, el("summary", {}, "The graph in words"));
  box.append(el("div", { class: "bar spread tabhead" }, size, save), frame, told);

  async function read() {
    const drawn = await api.get(`/graph/${part(head.id)}`, { headers: { Accept: "image/svg+xml" } });
    const source = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(drawn)}`;
    if (image.src !== source) image.src = save.href = source;
    const words = plain(/<desc[^>]*>([^<]*)<\/desc>/.exec(drawn)?.[1] ?? "");
    const from = told.querySelector("pre") ?? told.appendChild(el("pre", { class: "box", tabindex: "0" }));
    if (from.textContent !== words) from.textContent = words;
  }
  await read();
  return {
    changed: (next) => { head = next; return read(); },
    leave() {},
  };
}

function plain(text) {
  const names = { amp: "&", lt: "<", gt: ">", quot: '"' };
  return text.replace(/&(amp|lt|gt|quot);/g, (_, name) => names[name]);
}
