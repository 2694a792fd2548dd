// Texts whose every character is seen: for what people compare, decide about or copy.

// What is not seen, or turns the direction of what follows, is shown by its number.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|[\u{e0000}-\u{e0fff}]/gu;
// In an id also what looks like a space and is another one; and spaces in a row, which look like one.
const SPACES = /[\t\n\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/gu, RUNS = /^ +| +$| {2,}/g;

const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

const numbered = (one) => `⟨U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;

/** A text whose every character is seen. */
export function seen(text) {
  return String(text ?? "").replace(UNSEEN, numbered);
}

/** A text that is read as it is, but for what turns the direction of what follows. */
export function straight(text) {
  return String(text ?? "").replace(TURNING, numbered);
}

/** An id, or a name: two that differ never look alike by their spaces. */
export function spelled(id) {
  return seen(id).replace(SPACES, numbered).replace(RUNS, (run) => `⟨${run.length} space${run.length === 1 ? "" : "s"}⟩`);
}

/** A name for a file, of an id in any script. */
export function fileName(id, end) {
  const name = String(id).replace(UNSEEN, "_").replace(/[\s/\\:*?"<>|]+/gu, "_").replace(/^[.~-]+/, "_").slice(0, 120);
  return `${name || "_"}${end}`;
}
