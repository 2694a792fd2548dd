"""What every workload shares: results, medians, interleaved rounds, a scratch folder, child processes.

A workload is a file with ``measure(run)``; it is run in an interpreter of its own and talks to ``run.py`` in JSON
lines: ``{"progress": text}`` and ``{"result": {...}}``. Alone, it prints the same lines for people to read.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from overwinter.benchmarks.places import PLACES, Place

Floor = TypeVar("Floor")
Product = TypeVar("Product")


class Result(NamedTuple):
    """One figure beside the floor measured in the same run (None: there is none)."""

    id: str
    value: float
    unit: str
    floor: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None


class Run:
    """How a workload is run: where, on which store, how long, and whom to tell."""

    def __init__(self, scratch: Path, place: Place, quick: bool) -> None:
        self.scratch = scratch
        self.place = place
        self.quick = quick

    def progress(self, text: str) -> None:
        _say({"progress": text})

    def report(self, id: str, value: float, unit: str, floor: float | None = None) -> None:
        """A figure. ``{}`` in the id stands for the store."""
        result = Result(id.format(self.place.name), value, unit, floor)
        _say({"result": {**result._asdict(), "ratio": result.ratio}})


def main(measure: Callable[[Run], None]) -> None:
    """Entry point of a workload's file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=PLACES, default="sqlite", help="what the workload runs on")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller sizes; for a first look")
    parser.add_argument("--scratch", type=Path, help="folder for the databases, on the disk to be measured")
    arguments = parser.parse_args()
    leave_when_asked()
    scratch = Path(tempfile.mkdtemp(prefix="overwinter-bench-", dir=arguments.scratch))
    try:
        with PLACES[arguments.store](scratch) as place:
            measure(Run(scratch, place, arguments.quick))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def leave_when_asked() -> None:
    """Let SIGTERM end this process as Ctrl-C does, so that what it has started is ended too."""

    def leave(*_: object) -> None:
        sys.exit("asked to stop")

    signal.signal(signal.SIGTERM, leave)


def _say(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


def interleave(
    rounds: int, floor: Callable[[], Floor], product: Callable[[], Product]
) -> tuple[list[Floor], list[Product]]:
    """Both sides by turns, each round in the other order, so that a noisy machine is noisy for both."""
    floors: list[Floor] = []
    products: list[Product] = []
    for number in range(rounds):
        if number % 2:
            products.append(product())
            floors.append(floor())
        else:
            floors.append(floor())
            products.append(product())
    return floors, products


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def flat(rounds: Sequence[Sequence[float]]) -> list[float]:
    return list(itertools.chain.from_iterable(rounds))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` percent of the values don't exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]


def compile_bytecode() -> None:
    """Fill the bytecode caches of the library and of this folder; a cold start with empty ones says nothing."""
    import compileall
    import re

    import overwinter

    root = Path(str(overwinter.__file__)).parent
    compileall.compile_dir(str(root), quiet=2, rx=re.compile(r"[/\\]\."))


def environment(**more: str) -> dict[str, str]:
    """The environment of a child: as a user's, with the bytecode cache on."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **more}


PROGRAMS = Path(__file__).parent / "programs"


def program(name: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start a program of this folder; it talks in lines."""
    return subprocess.Popen(
        [sys.executable, str(PROGRAMS / name), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,
    )


def read_line(process: subprocess.Popen[str]) -> str:
    """The next line a program prints; an error when it ended instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended with exit code {process.wait()} before it answered")
    return line.strip()


def end(process: subprocess.Popen[str]) -> None:
    """Let a program end by itself (its input closes), and wait for it."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.wait(30)
    process.stdout.close()


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL for a program and whatever it has started (it was started in a session of its own)."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def memory_mb(pid: int) -> float:
    """What a living process and its children hold, in MB, shared pages divided among those who share them
    (where there is no /proc: the resident memory of the process alone)."""
    if not Path("/proc/self/smaps_rollup").exists():
        shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
        return int(shown.stdout) / 1024
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    children = [child for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
    return own / 1024 + sum(memory_mb(int(child)) for child in children)
