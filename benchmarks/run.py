"""``make bench``: every workload in a process of its own, a table with floors and bars, and latest.json.

``--only w1,w5`` and ``--store redis`` choose workloads; ``--quick`` is for a first look and keeps nothing. The exit
code is 1 when a workload failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from overwinter.benchmarks.figures import STORES, Figure, growth, keep, machine, store_of, table
from overwinter.benchmarks.measure import compile_bytecode, environment, leave_when_asked
from overwinter.benchmarks.places import PLACES

HERE = Path(__file__).parent
SAID = 4000  # characters shown of what a workload that failed has said last


class Workload(NamedTuple):
    """A file, what it measures, and the stores it runs on."""

    file: str
    title: str
    stores: tuple[str, ...]


BOTH = ("sqlite", "redis")
WORKLOADS = {
    "w1": Workload("w1_steps.py", "W1 ten steps", BOTH),
    "w2": Workload("w2_fanout.py", "W2 fan-out", BOTH),
    "w3": Workload("w3_length.py", "W3 length", BOTH),
    "w4": Workload("w4_sessions.py", "W4 sessions", BOTH),
    "w5": Workload("w5_coldstart.py", "W5 cold start", ("sqlite",)),
    "models": Workload("models_coldstart.py", "Models' cold start", ("sqlite",)),
    "agents": Workload("agents.py", "Agents and streams", ("sqlite",)),
    "length": Workload("agents_length.py", "Long conversations", BOTH),
    "telemetry": Workload("telemetry.py", "Traces", ("sqlite",)),
    "metrics": Workload("metrics_cost.py", "What metrics cost", ("sqlite",)),
    "governance": Workload("governance.py", "Budgets and approvals", ("sqlite",)),
    "tools": Workload("tools_selection.py", "Selection of tools", ("sqlite",)),
    "remote": Workload("remote_calls.py", "Calls of other processes", ("sqlite",)),
    "memory": Workload("memory_recall.py", "Long-term memory", ("sqlite",)),
    "webhooks": Workload("webhooks.py", "Webhooks", ("sqlite",)),
    "asl": Workload("asl_queries.py", "Queries of state machines", ("sqlite",)),
    "machines": Workload("asl_machines.py", "State machines", ("sqlite",)),
    "bus": Workload("bus_events.py", "Events", BOTH),
    "console": Workload("console.py", "Console", ("sqlite",)),
    "w6": Workload("w6_crash.py", "W6 crash", BOTH),
    "w7": Workload("w7_processes.py", "W7 processes", ("redis",)),
    "w8": Workload("w8_backlog.py", "W8 backlog", BOTH),
    "w9": Workload("w9_wakes.py", "W9 wakes", ("sqlite",)),
    "dynamodb": Workload("dynamodb_requests.py", "Requests", ("dynamodb",)),
}


def talk(file: str, extra: list[str]) -> Iterator[dict[str, Any]]:
    """What a workload says, line by line; a last ``{"failed": …}`` when it did not end well."""
    with tempfile.TemporaryFile("w+") as errors:  # no pipe: it may fill before the end is read
        process = subprocess.Popen(
            [sys.executable, str(HERE / file), *extra],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(),
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                yield json.loads(line)
            if process.wait():
                errors.seek(0)
                yield {"failed": errors.read().strip()[-SAID:] or f"exit code {process.returncode}"}
        finally:
            process.terminate()
            process.wait()
            process.stdout.close()


def choose(parser: argparse.ArgumentParser, names: str, known: list[str], what: str) -> list[str]:
    """What was asked for, in the order of ``known``."""
    chosen = {name for name in names.split(",") if name}
    if unknown := chosen - set(known):
        parser.error(f"no {what} {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [name for name in known if name in chosen]


def measure(console: Console, chosen: list[tuple[str, str]], extra: list[str], figures: list[Figure]) -> dict[str, str]:
    """Add the figures of all chosen workloads; what those said that failed."""
    failures: dict[str, str] = {}
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for store, name in chosen:
            workload = WORKLOADS[name]
            title = f"{workload.title} on {STORES[store].partition(',')[0]}"
            task = progress.add_task(title, total=None)
            place = ["--store", store] if store in PLACES else []
            for line in talk(workload.file, [*extra, *place]):
                if "result" in line:
                    figures.append(line["result"])
                elif "failed" in line:
                    failures[f"{name} on {store}"] = line["failed"]
                else:
                    progress.update(task, description=f"{title}: {line['progress']}")
            progress.update(task, description=title, total=1, completed=1)
    return failures


def show(console: Console, figures: list[Figure]) -> None:
    for store in STORES:
        found = [figure for figure in figures if store_of(figure["id"]) == store]
        if found:
            console.print(table(store, found))
            if remark := growth(store, found):
                console.print(remark, highlight=False)
            console.print()


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure overwinter beside raw floors.")
    parser.add_argument("--only", default=",".join(WORKLOADS), help=f"workloads: {','.join(WORKLOADS)}; default: all")
    parser.add_argument("--store", default=",".join(STORES), help=f"stores: {','.join(STORES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller sizes; nothing is kept")
    parser.add_argument("--scratch", help="folder for the databases, on the disk to be measured")
    arguments = parser.parse_args()
    names = choose(parser, arguments.only, list(WORKLOADS), "workload")
    stores = choose(parser, arguments.store, list(STORES), "store")
    chosen = [(store, name) for store in stores for name in names if store in WORKLOADS[name].stores]
    if not chosen:
        parser.error(f"none of {', '.join(names)} is measured on {', '.join(stores)}")
    extra = ["--quick"] * arguments.quick + (["--scratch", arguments.scratch] if arguments.scratch else [])
    leave_when_asked()
    console = Console()
    compile_bytecode()
    figures: list[Figure] = []
    try:
        failures = measure(console, chosen, extra, figures)
    finally:  # what was measured before somebody stopped it is as good
        show(console, figures)
        if not arguments.quick:
            keep(HERE / "latest.json", figures, machine())
    for what, text in failures.items():
        console.print(f"[red]{what} failed[/]")
        console.print(text, highlight=False, markup=False)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
