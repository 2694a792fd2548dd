"""Selecting tools: how long it takes to choose 16 of 1,000 by what a message says, once a turn. Its floor is reading
the descriptions of all of them for the words of the message, without an index."""

from __future__ import annotations

import random
import time
from types import SimpleNamespace

from overwinter.benchmarks.measure import Run, main, percentile
from overwinter.functions.tools.selection import Selected, Selection, words

TOOLS = 1000
VOCABULARY = 3000
SELECTIONS = 500


def texts(count: int, length: int, draw: random.Random) -> list[str]:
    """Texts of made-up words, of which some are frequent, as in a language."""
    return [" ".join(f"word{int(VOCABULARY * draw.random() ** 3)}x" for _ in range(length)) for _ in range(count)]


def measure(run: Run) -> None:
    draw = random.Random(5)
    descriptions = texts(TOOLS, 40, draw)
    tools = {f"tool_{number}": SimpleNamespace(description=text) for number, text in enumerate(descriptions)}
    selected = Selected("desk", Selection(most=16), tools)
    run.progress(f"{SELECTIONS} selections of 16 of {TOOLS:,} tools")
    taken: list[float] = []
    floors: list[float] = []
    for text in texts(100 if run.quick else SELECTIONS, 60, draw):
        started = time.perf_counter()
        names, _ = selected.select(text, ())
        taken.append(time.perf_counter() - started)
        assert len(names) == 16
        started = time.perf_counter()
        asked = set(words(text))
        assert any([any(word in description for word in asked) for description in descriptions])
        floors.append(time.perf_counter() - started)
    run.report("tools.select.1000.ms", percentile(taken, 95) * 1000, "ms", percentile(floors, 95) * 1000)


if __name__ == "__main__":
    main(measure)
