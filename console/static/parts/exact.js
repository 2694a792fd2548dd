// JSON whose whole numbers stay as they were written. JavaScript's own numbers are exact up to 2^53; a larger one, like an
// account's, would be shown, sent and saved as another. Such a number is held as the text that it was (JSON.rawJSON).

const LONG = /\d{16}/, WHOLE = /^[+-]?\d+$/;

/** The value of a JSON text. */
export function parse(text) {
  if (!JSON.rawJSON || !LONG.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_, value, { source }) =>
    (typeof value === "number" && WHOLE.test(source) && String(value) !== source ? JSON.rawJSON(source) : value));
}

/** The digits of a number that is held as its text; undefined of all else. */
export function digits(value) {
  return JSON.isRawJSON?.(value) ? value.rawJSON : undefined;
}

/** A whole number as somebody typed it. Throws an Error where it could not be sent as it is. */
export function whole(text) {
  const number = Number(text), typed = text.trim();
  if (Number.isSafeInteger(number) || !WHOLE.test(typed)) return number;
  if (!JSON.rawJSON) throw new Error("is too large for this browser to send it exactly.");
  return JSON.rawJSON(BigInt(typed.replace("+", "")).toString());
}
