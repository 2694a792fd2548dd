"""W7: one, two and four processes on one store, 64 workflows of ten steps at a time in all.

Every process runs its share of the workflows; the time is taken from the word to all of them until the last one is
done. The processes stay for all rounds, so none is measured while it starts. Store, processes and whoever measures
share the machine's cores. There is no floor: ``processes1`` is what the others are compared with.
"""

from __future__ import annotations

import subprocess
import time

from overwinter.benchmarks.measure import Run, end, kill, main, median, program, read_line
from overwinter.benchmarks.w1_steps import STEPS

AT_A_TIME = 64
SIZES = (1, 2, 4)


def one_round(processes: list[subprocess.Popen[str]]) -> float:
    """Seconds until all processes have run their share."""
    started = time.perf_counter()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        read_line(process)
    return time.perf_counter() - started


def measure(run: Run) -> None:
    rounds, count = (2, 640) if run.quick else (5, 1920)
    crews: dict[int, list[subprocess.Popen[str]]] = {}
    try:
        for size in SIZES:
            dsn, share = run.place.dsn(f"w7-{size}"), (str(count // size), str(AT_A_TIME // size))
            crews[size] = [program("steps.py", dsn, *share) for _ in range(size)]
            for process in crews[size]:
                read_line(process)
        taken: dict[int, list[float]] = {size: [] for size in SIZES}
        for number in range(rounds):
            run.progress(f"round {number + 1} of {rounds}, {count} workflows by {', '.join(map(str, SIZES))} processes")
            for size in SIZES if number % 2 else reversed(SIZES):
                taken[size].append(one_round(crews[size]))
        for process in [process for crew in crews.values() for process in crew]:
            end(process)
    finally:
        for process in [process for crew in crews.values() for process in crew]:
            if process.returncode is None:
                kill(process)
    for size in SIZES:
        run.report(f"w7.{{}}.processes{size}.steps_per_s", count * STEPS / median(taken[size]), "steps/s")


if __name__ == "__main__":
    main(measure)
