"""Long-term memory: a question to 50,000 memories with vectors of 1,024 numbers, by words and by meaning, in process.

The memories lie in a store of SQLite; the first question reads them all (``load_s``), the others ask the store for what
has changed and search. The vectors are drawn, so the model costs nothing. Floor: the one product of numpy's over the
same vectors, which compares them all.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
import time
from array import array
from collections.abc import Mapping, Sequence
from pydoc_data.topics import topics
from typing import Any

import numpy

from overwinter import Memory
from overwinter.benchmarks.measure import Run, main, percentile
from overwinter.functions.memory.scope import Scope
from overwinter.functions.memory.stored import Entry, Stored, Vector
from overwinter.functions.models.port import Usage
from overwinter.functions.models.vectors import Embeddings
from overwinter.state.opening import open_store
from overwinter.state.store import Store

LENGTH = 1024
PROSE = re.findall(r"[A-Za-z]+", " ".join(topics.values()))


class Drawn:
    """Draws a vector for each text."""

    name = "drawn"

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, settings: Mapping[str, Any] = {}
    ) -> Embeddings:
        return Embeddings([drawn(text).tolist() for text in texts], Usage(), "0", self.name)


def drawn(seed: str) -> array[float]:
    draw = numpy.random.default_rng(list(seed.encode()))
    return array("f", draw.standard_normal(LENGTH, dtype=numpy.float32).tobytes())


def text(draw: random.Random) -> str:
    """Some words of English prose that every Python brings along."""
    first = draw.randrange(len(PROSE) - 14)
    return " ".join(PROSE[first : first + 14])


async def fill(run: Run, store: Store, count: int) -> None:
    """Memories as ``Stored`` writes them, many at a time, without a change noted for each."""
    draw, scope = random.Random(7), Scope("bench", "ann")
    left = iter(range(count))

    async def worker() -> None:
        for number in left:
            if number % 10_000 == 0:
                run.progress(f"{number:,} of {count:,} are remembered")
            told = {"text": text(draw), "at": number, "by": ""}
            vector = {"model": "drawn", "f32": base64.b64encode(drawn(str(number)).tobytes()).decode()}
            await store.put(scope.place, f"m/{number:08d}", json.dumps(told))
            await store.put(scope.place, f"v/{number:08d}", json.dumps(vector))

    await asyncio.gather(*(worker() for _ in range(64)))
    await Stored(store, scope).write(Entry("last", text(draw), count), Vector("drawn", drawn("last")))


async def recall(run: Run, dsn: str, count: int, rounds: int) -> None:
    store = open_store(dsn)
    await store.open()
    try:
        await fill(run, store, count)
        memory = Memory("bench", embedding=Drawn()).of("ann", store=store)
        draw, taken, worked, least = random.Random(8), list[float](), list[float](), list[float]()
        started = time.perf_counter()
        await memory.recall(text(draw))
        run.report("memory.recall.50k.load_s", time.perf_counter() - started, "s")
        rows = numpy.random.default_rng(9).standard_normal((count, LENGTH), dtype=numpy.float32)
        for number in range(rounds):
            asked = numpy.frombuffer(drawn(f"asked {number}"), dtype=numpy.float32)
            started = time.perf_counter()
            numpy.argpartition(rows @ asked, count - 5)
            least.append(time.perf_counter() - started)
            used, started = time.process_time(), time.perf_counter()
            assert len(await memory.recall(text(draw))) == 5
            taken.append(time.perf_counter() - started)
            worked.append(time.process_time() - used)
        run.report("memory.recall.50k.cpu_ms", percentile(worked, 50) * 1000, "ms")
        run.report("memory.recall.50k.p95_ms", percentile(taken, 95) * 1000, "ms", percentile(least, 95) * 1000)
    finally:
        await store.close()


def measure(run: Run) -> None:
    count, rounds = (5_000, 40) if run.quick else (50_000, 200)
    asyncio.run(recall(run, run.place.dsn("memory"), count, rounds))


if __name__ == "__main__":
    main(measure)
