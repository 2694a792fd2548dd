"""Figures: which there are, what each has to reach, how they are shown, and how ``latest.json`` keeps them.

``latest.json`` holds the last measured value of every id, with the day and the machine it was measured on, so that a
run of some workloads leaves the figures of the others as they are.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from rich.table import Table

from overwinter.benchmarks.places import redis_binary

Figure: TypeAlias = dict[str, Any]
"""id, value, unit, floor (or None), ratio (or None), and in ``latest.json`` ``measured``."""


class Bar(NamedTuple):
    """What a figure has to reach: ``most`` or ``least``, and at most ``ratio`` or at least ``times`` its floor."""

    most: float | None = None
    least: float | None = None
    ratio: float | None = None
    times: float | None = None

    def held(self, value: float, ratio: float | None) -> bool:
        return (
            (self.most is None or value <= self.most)
            and (self.least is None or value >= self.least)
            and (self.ratio is None or ratio is None or ratio <= self.ratio)
            and (self.times is None or ratio is None or ratio >= self.times)
        )

    def __str__(self) -> str:
        parts = [f"≤ {self.most:g}" if self.most is not None else "", f"≥ {self.least:g}" if self.least else ""]
        parts += [f"≤ {self.ratio:g}×" if self.ratio else "", f"≥ {self.times:g}×" if self.times else ""]
        return ", ".join(part for part in parts if part)


STORES = {
    "sqlite": "SQLite, synchronous=FULL",
    "redis": "Redis, AOF everysec",
    "dynamodb": "DynamoDB, counted",
}
BARS = {
    "w1.sqlite.c1.ms_per_step": Bar(most=0.45, ratio=2),
    "w1.sqlite.c64.steps_per_s": Bar(least=10_000, times=2.2),
    "w1.sqlite.c64.cpu_us_per_step": Bar(),
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
    "w4.sqlite.compressed.kb_per_idle": Bar(most=12),
    "w5.run.ms": Bar(ratio=1.4),
    "w5.function.ms": Bar(ratio=1.6),
    "w5.rss_mb": Bar(most=70),
    "model.direct.coldstart_ms": Bar(ratio=2.2),
    "model.litellm.coldstart_ms": Bar(),
    "agents.floor.transitions_per_s": Bar(),
    "agents.turns_per_s": Bar(least=1500),
    "agents.turn.c1000.p99_ms": Bar(),
    "agents.stream.overhead": Bar(most=1.5),
    "agents.stream.first_token_overhead_ms": Bar(most=3),
    "agents.sqlite.turn10.ms": Bar(),
    "agents.sqlite.turn5000_over_turn10.time": Bar(most=1.2),
    "agents.sqlite.turn5000_over_turn10.bytes": Bar(most=1.2),
    "agents.sqlite.turn10.compacted.ms": Bar(),
    "agents.sqlite.turn5000_over_turn10.compacted.time": Bar(most=1.2),
    "agents.sqlite.turn5000_over_turn10.compacted.bytes": Bar(most=1.2),
    "governance.plain.turns_per_s": Bar(),
    "governance.turn.ratio": Bar(most=1.15),
    "governance.escrow.turn.ratio": Bar(),
    "governance.escrow.extra_calls_per_turn": Bar(most=0.1),
    "telemetry.w1.ratio": Bar(most=1.05),
    "telemetry.w1.off.ratio": Bar(most=1.01),
    "telemetry.w1.cpu.ratio": Bar(),
    "telemetry.w1.cpu.off.ratio": Bar(),
    "metrics.w1.ratio": Bar(most=1.02),
    "metrics.scrape.ms": Bar(),
    "tools.select.1000.ms": Bar(most=5),
    "remote.call.p50_ms": Bar(ratio=3),
    "remote.call.p99_ms": Bar(),
    "remote.call.inprocess.p50_ms": Bar(),
    "asl.sqlite.c64.transitions_per_s": Bar(times=0.6),
    "asl.map1000.ms": Bar(most=600),
    "asl.flat": Bar(most=1.2),
    "asl.path.us": Bar(most=3),
    "asl.jsonpath.us": Bar(),
    "asl.template.us": Bar(),
    "asl.intrinsic.us": Bar(),
    "asl.choice.us": Bar(),
    "asl.jsonata.chain.us": Bar(),
    "asl.jsonata.us": Bar(),
    "asl.jsonata.filter.us": Bar(ratio=1),
    "memory.recall.50k.load_s": Bar(),
    "memory.recall.50k.cpu_ms": Bar(),
    "memory.recall.50k.p95_ms": Bar(most=50),
    "console.bytes": Bar(most=150 * 1024),
    "console.first_paint_ms": Bar(),
    "console.list_1m.p95_ms": Bar(most=100),
    "console.list_1m.none.p95_ms": Bar(most=100),
    "console.list_1m.status.p95_ms": Bar(most=100),
    "console.list_1m.statuses.p95_ms": Bar(most=100),
    "console.list_1m.dense.p95_ms": Bar(most=100),
    "console.list_1m.function.p95_ms": Bar(most=100),
    "console.list_1m.prefix.p95_ms": Bar(most=100),
    "console.list_1m.few.p95_ms": Bar(most=100),
    "console.list_1m.text.p95_ms": Bar(most=100),
    "console.list_1m.nothing.p95_ms": Bar(most=100),
    "console.list_1m.since.p95_ms": Bar(most=100),
    "console.list_1m.between.p95_ms": Bar(most=100),
    "console.list_1m.cost.p95_ms": Bar(most=100),
    "console.list_1m.kind.p95_ms": Bar(most=100),
    "console.list_1m.oldest.p95_ms": Bar(most=100),
    "console.list_1m.oldest.text.p95_ms": Bar(most=100),
    "console.counts_1m.p95_ms": Bar(most=20),
    "bus.sqlite.floor.commits_per_s": Bar(),
    "bus.sqlite.events_per_s": Bar(times=1.25),  # 5,000 where the floor is 4,000
    "bus.redis.events_per_s": Bar(times=0.5),
    "bus.redis.stored.events_per_s": Bar(),
    "w6.sqlite.recover_s": Bar(most=0.6),
    "w6.sqlite.lost": Bar(most=0),
    "w6.sqlite.repeated": Bar(most=100),
    "w8.sqlite.backlog.100.ms_per_message": Bar(),
    "w8.sqlite.backlog.100000.ms_per_message": Bar(ratio=1.2),
    "w8.sqlite.signals_after_100_steps.ms": Bar(),
    "w8.sqlite.signals_after_5000_steps.ms": Bar(ratio=1.2),
    "w9.sqlite.agent.40.kb_per_wake": Bar(),
    "w9.sqlite.agent.400.kb_per_wake": Bar(ratio=1.2),
    "w9.sqlite.agent.3000.kb_per_wake": Bar(ratio=1.2),
    "w9.sqlite.workflow.40.kb_per_wake": Bar(ratio=1.1),  # of the journal, which is read once and nothing else
    "w9.sqlite.workflow.400.kb_per_wake": Bar(ratio=1.1),
    "w9.sqlite.workflow.3000.kb_per_wake": Bar(ratio=1.1),
    "w9.sqlite.checkpoints.40.kb_per_wake": Bar(),
    "w9.sqlite.checkpoints.400.kb_per_wake": Bar(ratio=1.2),
    "w9.sqlite.checkpoints.3000.kb_per_wake": Bar(ratio=1.2),
    "agents.redis.turn10.ms": Bar(),
    "agents.redis.turn5000_over_turn10.time": Bar(most=1.2),
    "agents.redis.turn5000_over_turn10.bytes": Bar(most=1.2),
    "agents.redis.turn10.compacted.ms": Bar(),
    "agents.redis.turn5000_over_turn10.compacted.time": Bar(most=1.2),
    "agents.redis.turn5000_over_turn10.compacted.bytes": Bar(most=1.2),
    "w1.redis.c1.ms_per_step": Bar(most=0.40),
    "w1.redis.c64.steps_per_s": Bar(least=9_000, times=0.95),
    "w1.redis.c64.cpu_us_per_step": Bar(),
    "w2.redis.ms": Bar(most=20),
    "w3.redis.ms_per_step.100": Bar(),
    "w3.redis.ms_per_step.5000": Bar(),
    "w3.redis.replay1000.ms": Bar(most=25),
    "w3.redis.conversation.s": Bar(),
    "w3.redis.conversation.mb": Bar(),
    "w4.redis.inprocess.p50_ms": Bar(most=3),
    "w4.redis.inprocess.p99_ms": Bar(most=8),
    "w4.redis.http.p50_ms": Bar(),
    "w4.redis.http.p99_ms": Bar(),
    "w4.redis.kb_per_idle": Bar(most=12),
    "w6.redis.recover_s": Bar(most=2.5),
    "w6.redis.lost": Bar(most=0),
    "w6.redis.repeated": Bar(most=100),
    "w7.redis.processes1.steps_per_s": Bar(),
    "w7.redis.processes2.steps_per_s": Bar(),
    "w7.redis.processes4.steps_per_s": Bar(),
    "w8.redis.backlog.100.ms_per_message": Bar(),
    "w8.redis.backlog.100000.ms_per_message": Bar(ratio=1.2),
    "w8.redis.signals_after_100_steps.ms": Bar(),
    "w8.redis.signals_after_5000_steps.ms": Bar(ratio=1.2),
    "dynamodb.requests_per_transition": Bar(most=1),
    "dynamodb.requests_per_wake": Bar(most=2),
    "dynamodb.write_units_per_transition": Bar(),
    "dynamodb.write_units_of_10kb": Bar(ratio=0.6),
}
"""Every id there is, in the order of the table."""
FLAT = 1.2


def store_of(id: str) -> str:
    return next((store for store in STORES if store in id.split(".")), "sqlite")


def shown(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    unit = unit.replace("steps/s", "/s")
    digits = 0 if value >= 1000 or value == int(value) else 1 if value >= 100 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f} {unit}".strip()


def table(store: str, figures: Iterable[Figure]) -> Table:
    """The figures of one store."""
    rows = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    rows.add_column(STORES[store], no_wrap=True, min_width=26)
    for name in ("overwinter", "floor", "ratio"):
        rows.add_column(name, justify="right", no_wrap=True)
    rows.add_column("bar", no_wrap=True)
    rows.add_column("", justify="right", no_wrap=True)
    workload = ""
    for found in figures:
        if found["id"][:2] != workload:
            workload = found["id"][:2]
            rows.add_row()
        bar = BARS[found["id"]]
        held = bar.held(found["value"], found["ratio"])
        rows.add_row(
            found["id"].replace(f".{store}", "").removeprefix(f"{store}."),
            shown(found["value"], found["unit"]),
            shown(found["floor"], found["unit"]),
            f"{found['ratio']:.2f}×" if found["ratio"] else "–",
            str(bar),
            ("[green]held[/]" if held else "[red]missed[/]") if str(bar) else "",
        )
    return rows


def growth(store: str, figures: Iterable[Figure]) -> str:
    """W3's promise: a step costs the same, however many came before."""
    found = {figure["id"].removeprefix(f"w3.{store}.ms_per_step."): figure["value"] for figure in figures}
    if not {"100", "5000"} <= set(found):
        return ""
    ratio = found["5000"] / found["100"]
    word = "[green]held[/]" if ratio <= FLAT else "[red]missed[/]"
    return f"A step at length 5,000 costs {ratio:.2f}× one at length 100 (bar ≤ {FLAT:g}×): {word}"


def machine() -> dict[str, Any]:
    """What figures depend on, in a few words."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()}",
        "redis": redis_version(),
    }


def redis_version() -> str:
    binary = redis_binary()
    if binary is None:
        return ""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=(\S+)", said)
    return found[1] if found else ""


def keep(path: Path, figures: Iterable[Figure], measured: Mapping[str, Any]) -> None:
    """Put new figures beside those of earlier runs, one a line, in the order of the table."""
    before: list[Figure] = json.loads(path.read_text("utf-8"))["results"] if path.exists() else []
    kept: dict[str, Figure] = {figure["id"]: figure for figure in before}
    for figure in figures:
        about = dict(measured)
        if store_of(figure["id"]) != "redis":
            about.pop("redis", None)
        kept[figure["id"]] = {**figure, "measured": about}
    lines = [json.dumps(kept[id], ensure_ascii=False) for id in BARS if id in kept]
    path.write_text('{"results": [\n ' + ",\n ".join(lines) + "\n]}\n", encoding="utf-8")
