"""W6: ``kill -9`` in the middle of 100 workflows of ten 20 ms steps, then the same program again, all settings default.

Recovery is taken from the exec of the new process until all workflows are done, the second half of their work
included. Lost: workflows without their result. Repeated: steps that ran twice, at most those in flight at the
kill. Floor: a process that only does the remaining steps, each committed alone. SQLite's new process knows at once
that the old one is dead; on Redis it waits until that one's leases have ended.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from overwinter.benchmarks.measure import Run, end, kill, main, median, program, read_line

COUNT = 100
STEPS = 10
PATIENCE = 60.0


class Crash(NamedTuple):
    recover: float
    floor: float
    lost: int
    repeated: int


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def kill_at_half(dsn: str, log: Path) -> None:
    process = program("crash.py", dsn, log, str(COUNT), "begin")
    deadline = time.perf_counter() + PATIENCE
    while len(lines(log)) < COUNT * STEPS // 2:
        if process.poll() is not None or time.perf_counter() > deadline:
            kill(process)
            raise RuntimeError(f"the workflows never got to half: {len(lines(log))} steps")
        time.sleep(0.001)
    kill(process)


def crash(run: Run, number: int) -> Crash:
    dsn, raw, log = run.place.dsn(f"w6-{number}"), run.place.dsn(f"raw-{number}"), run.scratch / f"lines-{number}"
    kill_at_half(dsn, log)
    started = time.perf_counter()
    least = program("crash_raw.py", raw, log, str(COUNT))
    read_line(least)
    floor = time.perf_counter() - started
    end(least)
    started = time.perf_counter()
    again = program("crash.py", dsn, log, str(COUNT), "go on")
    done = int(read_line(again))
    recover = time.perf_counter() - started
    end(again)
    ran = Counter(lines(log))
    missing = COUNT * STEPS - len(ran)
    return Crash(recover, floor, COUNT - done + missing, sum(ran.values()) - len(ran))


def measure(run: Run) -> None:
    rounds = 2 if run.quick else 5
    run.progress(f"{rounds} kills")
    crashes = [crash(run, number) for number in range(rounds)]
    recover, floor = median([c.recover for c in crashes]), median([c.floor for c in crashes])
    run.report("w6.{}.recover_s", recover, "s", floor)
    run.report("w6.{}.lost", sum(c.lost for c in crashes), "")
    run.report("w6.{}.repeated", max(c.repeated for c in crashes), "")


if __name__ == "__main__":
    main(measure)
