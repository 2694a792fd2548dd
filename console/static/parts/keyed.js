// A list of cards that are read again and again: only what has changed is drawn anew, and the focus stays with what it
// was on, or goes to what has taken its place.

/** `key(item)`: its identity. `build(item)`: its element; what can have the focus there has `data-act`.
 *  `rest`: what has the focus when the last item has gone. */
export function keyed(box, { key, build, rest = null }) {
  const drawn = new Map(); // by key: {element, said}
  return {
    show(items) {
      const held = box.contains(document.activeElement) ? document.activeElement : null;
      const card = held?.closest("[data-key]"), at = card ? [...box.children].indexOf(card) : -1;
      const act = held?.dataset.act, kept = new Set(items.map(key));
      for (const [one, { element }] of drawn) {
        if (kept.has(one)) continue;
        element.remove();
        drawn.delete(one);
      }
      let place = box.firstElementChild;
      for (const item of items) {
        const one = key(item), said = JSON.stringify(item), before = drawn.get(one);
        let element = before?.element;
        if (before?.said !== said) {
          element = build(item);
          element.dataset.key = one;
          if (before) {
            if (place === before.element) place = element;
            before.element.replaceWith(element);
          }
          drawn.set(one, { element, said });
        }
        if (element === place) place = place.nextElementSibling;
        else box.insertBefore(element, place);
      }
      if (!held || document.contains(held)) return;
      const now = drawn.get(card?.dataset.key)?.element ?? box.children[Math.min(at, box.children.length - 1)];
      (now?.querySelector(`[data-act="${act}"]`) ?? now?.querySelector("a, button") ?? rest)?.focus({ preventScroll: true });
    },
    get size() { return drawn.size; },
  };
}
