"""Checks of the store: that it opens and writes, how long a durable write takes, which executions need help, and
whether the clock has gone backwards. Nothing is left behind."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..security.address import shown
from ..state.errors import OverwinterError, StoreError
from ..state.quantities import span
from ..state.records import IN_DOUBT, Filter
from ..state.store import PROBE
from . import reach
from .checks import Check

if TYPE_CHECKING:
    from ..state.store import Store

WRITES = 9
SLOW_WRITE_MS = 50
OVERDUE_MS = 10_000
LITTLE_SPACE = 1 << 30
NO_SPACE = 64 << 20
FIRST_DAY = 1_704_067_200_000  # 2024: no machine of ours has an earlier date


async def store_checks(dsn: str) -> list[Check]:
    """All checks of the store that its state allows."""
    path = reach.sqlite_path(dsn)
    found = [] if path is None else [_space(path)]
    if path is not None and not path.exists():
        return [*found, _absent(path)]
    try:
        async with reach.opened(dsn) as store:
            found.append(_opened(dsn, path))
            found += [Check(*remark) for remark in await store.survey()]
            found.append(await _writes(store))
            found += [check async for check in _executions(store)]
            found.append(await _clock(store))
    except OverwinterError as error:
        found.append(Check("store", "fail", str(error)))
    return found


def _absent(path: Path) -> Check:
    folder = path.resolve().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return Check("store", "fail", f"{path} can't be made: {folder} is no folder that may be written")
    return Check("store", "ok", f"none yet at {path}; it is made when it is first needed")


def _space(path: Path) -> Check:
    folder = path.resolve().parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check("disk", "warn", f"{folder}: {error.strerror}")
    from .view.text import size

    if free < NO_SPACE:
        return Check("disk", "fail", f"{size(free)} free", "Free space: nothing can be accepted without it.")
    state, advice = ("warn", "It will be full soon.") if free < LITTLE_SPACE else ("ok", "")
    return Check("disk", state, f"{size(free)} free", advice)


def _opened(dsn: str, path: Path | None) -> Check:
    if path is None:
        return Check("store", "ok", shown(dsn))
    from .view.text import size

    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.close()
    except sqlite3.Error as error:
        return Check("store", "warn", f"{path}: {error}")
    return Check("store", "ok", f"{path}, {size(_bytes(path))}, schema {version}")


def _bytes(path: Path) -> int:
    """The store's files together: what is not yet in the main file lies in the log beside it."""
    return sum(file.stat().st_size for file in (path, Path(f"{path}-wal")) if file.exists())


async def _writes(store: Store) -> Check:
    """The middle of a few durable writes, each one commit."""
    took: list[float] = []
    try:
        for number in range(WRITES):
            begun = time.perf_counter()
            await store.put(PROBE, "probe", str(number))
            took.append((time.perf_counter() - begun) * 1000)
        await store.remove(PROBE, "probe")
    except StoreError as error:
        return Check("writes", "fail", str(error))
    middle = sorted(took)[WRITES // 2]
    detail = f"a durable write takes {middle:.2g}ms (slowest of {WRITES}: {max(took):.2g}ms)"
    if middle > SLOW_WRITE_MS:
        return Check("writes", "warn", detail, "The disk is slow at making data durable: use a local SSD.")
    return Check("writes", "ok", detail)


async def _executions(store: Store) -> AsyncIterator[Check]:
    from ..orchestrator.reading import Reading

    counts: Mapping[str, int] = await Reading(store).counts()
    listed = ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)
    yield Check("executions", "ok", listed or "none yet")
    if counts.get("stuck"):
        yield await _stuck(store, counts["stuck"])
    if counts.get(IN_DOUBT):
        advice = "overwinter doubts lists the calls; overwinter resolve ID says what came of one"
        yield Check("doubts", "warn", f"{counts[IN_DOUBT]:,} wait for somebody who knows what came of a call", advice)
    if counts.get("failed"):
        advice = "overwinter ps --status failed; to go on: overwinter retry --where status=failed"
        yield Check("failed", "warn", f"{counts['failed']:,} ended with an error", advice)
    overdue = await store.due(_now() - OVERDUE_MS, 1000)
    if overdue:
        some = ", ".join(overdue[:3]) + (" …" if len(overdue) > 3 else "")
        advice = "overwinter dev FILE takes them up; the file must hold their functions."
        yield Check("overdue", "warn", f"{len(overdue):,} are due and no process takes them: {some}", advice)


async def _stuck(store: Store, count: int) -> Check:
    from ..orchestrator.protocol.stuck import DAMAGED, QUARANTINED, REASONS
    from ..orchestrator.reading import Reading

    kinds: dict[str, int] = {}
    for word in (QUARANTINED, DAMAGED):
        kinds[word] = len((await Reading(store).page(Filter(("stuck",), awaits=word), limit=count)).heads)
    kinds[""] = count - sum(kinds.values())
    named = "; ".join(f"{number:,} {word}: {REASONS[word]}" for word, number in kinds.items() if number > 0)
    named = named.replace(" :", ":")
    advice = "overwinter ps --status stuck; fix what it says, then: overwinter resume --where status=stuck"
    return Check("stuck", "warn", named, advice)


async def _clock(store: Store) -> Check:
    from ..orchestrator.reading import Reading

    now = _now()
    newest = await Reading(store).list(limit=100)
    ahead = max((head.updated - now for head in newest), default=0)
    if now < FIRST_DAY:
        return Check("clock", "fail", time.strftime("%Y-%m-%d"), "Set the clock: timers follow it.")
    if ahead > 2000:
        advice = "Timers follow the clock: keep the machines in step (NTP)."
        return Check("clock", "warn", f"{span(ahead)} behind the newest change in the store", advice)
    return Check("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S %Z"))


def _now() -> int:
    return time.time_ns() // 1_000_000
