// The axis of a timeline: milliseconds to a share of the width. Stretches in which nothing but waiting happened are
// folds, which are as wide as a fold is and not as they are long. Pure.

const FOLD = 0.035, FOLDS = 0.35; // of the width: one fold, and all of them at the most
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 15000, 30000, 60000, 120000, 300000, 600000,
  900000, 1800000, 3600000, 7200000, 14400000, 43200000, 86400000, 172800000, 604800000];

/** `from`, `to` in ms, `folds` [{begin, end}] in order. */
export function scale(from, to, folds) {
  const inside = folds.map(({ begin, end, why }) => ({ begin: Math.max(begin, from), end: Math.min(end, to), why }))
    .filter((fold) => fold.end > fold.begin).sort((one, other) => one.begin - other.begin);
  const folded = inside.reduce((sum, fold) => sum + fold.end - fold.begin, 0);
  const plain = Math.max(to - from - folded, 1);
  const wide = inside.length ? Math.min(FOLD, FOLDS / inside.length) : 0;
  const each = (1 - wide * inside.length) / plain; // share of one ms outside of folds
  const at = (ms) => {
    let share = 0, last = from;
    for (const fold of inside) {
      if (ms <= fold.begin) break;
      share += (fold.begin - last) * each;
      if (ms < fold.end) return share + wide * (ms - fold.begin) / (fold.end - fold.begin);
      share += wide;
      last = fold.end;
    }
    return Math.min(1, Math.max(0, share + (Math.max(ms, from) - last) * each));
  };
  return { at, from, to, folds: inside.map((fold) => ({ ...fold, x: at(fold.begin), width: wide })), each };
}

/** Where the axis says a time: [{at, x}], at most about `many`, none within a fold or too near to another one. */
export function ticks(axis, many) {
  const step = STEPS.find((one) => one * axis.each >= 1 / many) ?? STEPS.at(-1);
  const found = [];
  const within = (ms) => axis.folds.find((fold) => ms > fold.begin && ms < fold.end);
  for (let ms = axis.from, guard = 0; ms <= axis.to && guard < 400; ms += step, guard++) {
    const fold = within(ms);
    if (fold) ms = axis.from + Math.ceil((fold.end - axis.from) / step) * step;
    if (ms > axis.to) break;
    const x = axis.at(ms);
    const near = found.length && x - found.at(-1).x < 0.7 / many;
    const crowded = axis.folds.some((one) => x > one.x - 0.04 && x < one.x + one.width + 0.01);
    if (!near && !crowded && x < 0.95) found.push({ at: ms, x });
  }
  return found;
}
