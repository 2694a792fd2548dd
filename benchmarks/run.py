"""``make bench``: every workload in a process of its own, a table with floors and bars, and latest.json.

Workloads: w1 … w6 (``--only w1,w5``), ``--quick`` for a first look. The exit code is 1 when a workload failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from overwinter.benchmarks.measure import compile_bytecode, environment

HERE = Path(__file__).parent
WORKLOADS = {
    "w1": ("w1_steps.py", "W1 ten steps"),
    "w2": ("w2_fanout.py", "W2 fan-out"),
    "w3": ("w3_length.py", "W3 length"),
    "w4": ("w4_sessions.py", "W4 sessions"),
    "w5": ("w5_coldstart.py", "W5 cold start"),
    "w6": ("w6_crash.py", "W6 crash"),
}


class Bar(NamedTuple):
    """What a figure has to reach: ``most`` or ``least``, and at most ``ratio`` times its floor."""

    most: float | None = None
    least: float | None = None
    ratio: float | None = None

    def held(self, value: float, ratio: float | None) -> bool:
        return (
            (self.most is None or value <= self.most)
            and (self.least is None or value >= self.least)
            and (self.ratio is None or ratio is None or ratio <= self.ratio)
        )

    def __str__(self) -> str:
        parts = [f"≤ {self.most:g}" if self.most is not None else "", f"≥ {self.least:g}" if self.least else ""]
        parts.append(f"≤ {self.ratio:g}×" if self.ratio else "")
        return ", ".join(part for part in parts if part)


BARS = {
    "w1.sqlite.c1.ms_per_step": Bar(most=0.45, ratio=2),
    "w1.sqlite.c64.steps_per_s": Bar(least=10_000),
    "w2.sqlite.ms": Bar(most=15),
    "w3.sqlite.ms_per_step.100": Bar(),
    "w3.sqlite.ms_per_step.5000": Bar(),
    "w3.sqlite.replay1000.ms": Bar(most=20),
    "w3.sqlite.conversation.s": Bar(most=1.0),
    "w3.sqlite.conversation.mb": Bar(most=1.6),
    "w4.sqlite.inprocess.p50_ms": Bar(most=3),
    "w4.sqlite.inprocess.p99_ms": Bar(most=8),
    "w4.sqlite.http.p50_ms": Bar(most=6),
    "w4.sqlite.http.p99_ms": Bar(most=15),
    "w4.sqlite.kb_per_idle": Bar(most=24),
    "w5.run.ms": Bar(ratio=1.4),
    "w5.function.ms": Bar(ratio=1.6),
    "w5.rss_mb": Bar(most=70),
    "w6.sqlite.recover_s": Bar(most=0.6),
    "w6.sqlite.lost": Bar(most=0),
    "w6.sqlite.repeated": Bar(most=100),
}
FLAT = 1.2


def talk(file: str, extra: list[str]) -> Iterator[dict[str, Any]]:
    """What a workload says, line by line; a last ``{"failed": …}`` when it did not end well."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / file), *extra],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None and process.stderr is not None
    for line in process.stdout:
        yield json.loads(line)
    errors = process.stderr.read()
    if process.wait():
        yield {"failed": errors.strip() or f"exit code {process.returncode}"}


def figure(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    unit = unit.replace("steps/s", "/s")
    digits = 0 if value >= 1000 or value == int(value) else 1 if value >= 100 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f} {unit}".strip()


def table(results: list[dict[str, Any]]) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("SQLite, synchronous=FULL", "overwinter", "raw floor", "ratio", "bar", ""):
        shown.add_column(name, justify="left" if name.startswith(("S", "b")) else "right", no_wrap=True)
    workload = ""
    for result in results:
        if result["id"][:2] != workload:
            workload = result["id"][:2]
            shown.add_row()
        bar = BARS[result["id"]]
        held = bar.held(result["value"], result["ratio"])
        shown.add_row(
            result["id"].replace(".sqlite", ""),
            figure(result["value"], result["unit"]),
            figure(result["floor"], result["unit"]),
            f"{result['ratio']:.2f}×" if result["ratio"] else "–",
            str(bar),
            ("[green]held[/]" if held else "[red]missed[/]") if str(bar) else "",
        )
    return shown


def growth(results: list[dict[str, Any]]) -> str:
    """W3's promise: a step costs the same, however many came before."""
    found = {result["id"].removeprefix("w3.sqlite.ms_per_step."): result["value"] for result in results}
    if not {"100", "5000"} <= set(found):
        return ""
    ratio = found["5000"] / found["100"]
    word = "[green]held[/]" if ratio <= FLAT else "[red]missed[/]"
    return f"A step at length 5,000 costs {ratio:.2f}× one at length 100 (bar ≤ {FLAT:g}×): {word}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure overwinter beside raw floors.")
    parser.add_argument("--only", default=",".join(WORKLOADS), help="workloads, by default all: w1,w2,w3,w4,w5,w6")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller sizes; for a first look")
    parser.add_argument("--scratch", help="folder for the databases, on the disk to be measured")
    arguments = parser.parse_args()
    chosen = [name for name in arguments.only.split(",") if name]
    if unknown := set(chosen) - set(WORKLOADS):
        parser.error(f"no workload {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    extra = ["--quick"] * arguments.quick + (["--scratch", arguments.scratch] if arguments.scratch else [])
    console = Console()
    compile_bytecode()
    results: list[dict[str, Any]] = []
    failures: dict[str, str] = {}
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for name in chosen:
            file, title = WORKLOADS[name]
            task = progress.add_task(title, total=None)
            for line in talk(file, extra):
                if "result" in line:
                    results.append(line["result"])
                elif "failed" in line:
                    failures[name] = line["failed"]
                else:
                    progress.update(task, description=f"{title}: {line['progress']}")
            progress.update(task, description=title, total=1, completed=1)
    console.print(table(results))
    if remark := growth(results):
        console.print(remark, highlight=False)
    for name, text in failures.items():
        console.print(f"[red]{name} failed[/]\n{text}", highlight=False)
    (HERE / "latest.json").write_text(json.dumps({"results": results}, indent=1) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
