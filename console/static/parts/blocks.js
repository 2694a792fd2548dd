// A list of cards of any length and of any heights: in blocks, of which only those near what is in sight are in the
// document. A block that is not keeps the height that it had, so that nothing moves.

import { el } from "./dom.js";
import { keyed } from "./keyed.js";

const SIZE = 20, GUESS = 190, NEAR = "1200px 0px";

/** As `keyed`: `key(item)`, `build(item)`, `rest`. */
export function blocks(box, { key, build, rest = null }) {
  const made = [];
  let items = [];
  const watching = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const block = made.find((one) => one.element === target);
      if (!block || block.near === isIntersecting) continue;
      block.near = isIntersecting;
      draw(block);
    }
  }, { rootMargin: NEAR });

  function own(block) {
    const at = made.indexOf(block) * SIZE;
    return items.slice(at, at + SIZE);
  }
  function draw(block) {
    const mine = own(block);
    if (block.near || block.element.contains(document.activeElement)) {
      block.element.style.height = "";
      block.list.show(mine);
    } else if (block.list.size) {
      block.element.style.height = `${block.element.offsetHeight}px`;
      block.list.show([]);
    } else block.element.style.height = `${mine.length * GUESS}px`;
  }

  return {
    show(given) {
      items = given;
      const wanted = Math.ceil(items.length / SIZE);
      while (made.length > wanted) {
        const gone = made.pop();
        const held = gone.element.contains(document.activeElement);
        watching.unobserve(gone.element);
        gone.element.remove();
        if (held) (made.at(-1)?.element.querySelector("a, button") ?? rest)?.focus({ preventScroll: true });
      }
      for (const block of made) if (block.near || block.list.size) draw(block);
      while (made.length < wanted) {
        const element = el("div", { class: "block" });
        const block = { element, near: made.length === 0, list: keyed(element, { key, build, rest }) };
        made.push(block);
        box.append(element);
        draw(block);
        watching.observe(element);
      }
    },
    leave() { watching.disconnect(); },
  };
}
