"""``make bench-peers``: overwinter and what is installed of its peers, in one interleaved run, and the ratios.

The peers' scripts are read where they are (``PEERS_SCRIPTS``, by default ``../shared/bench/peers``); their harness
runs the contenders round by round. Their virtual environments lie in ``PEERS_HOME``. What is missing is named, with
the line that installs it, and left out. ``--contenders`` chooses peers, ``--store`` what overwinter runs on; other
options go to the harness (``--only w1,w2 --rounds 3``).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from overwinter.benchmarks.measure import compile_bytecode, environment, leave_when_asked
from overwinter.benchmarks.places import PLACES, redis_binary

HERE = Path(__file__).parent
OWN = "overwinter-"
"""How our own contenders' names begin; the store follows."""
SCRIPTS = HERE.parent.parent / "shared" / "bench" / "peers"

MODULES = {
    "redis": ("redis", "hiredis"),
    "http-starlette": ("aiohttp", "starlette", "uvicorn"),
    "http-functions": ("aiohttp", "functions_framework"),
    "dbos": ("dbos",),
    "restate": ("restate", "aiohttp", "hypercorn"),
    "restate-granian": ("granian",),
    "langgraph": ("langgraph", "langgraph.checkpoint.sqlite"),
    "awsdurable": ("aws_durable_execution_sdk_python", "aws_durable_execution_sdk_python_testing"),
}
"""What contenders import, by the start of their names."""


class Column(NamedTuple):
    """A figure of the harness that is compared: the start of its table's title, its name there and here."""

    title: str
    key: str
    label: str


COLUMNS = (
    Column("W1 10 steps, concurrency 1", "step_ms", "ms per step"),
    Column("W1 10 steps, concurrency", "step_s", "steps/s (more is better)"),
    Column("W2", "wall_ms", "ms"),
    Column("W3 growth", "step_ms", "ms per step"),
    Column("W3b", "wall_s", "s"),
    Column("W3b", "disk_mb", "MB on disk"),
    Column("W3 replay", "replay_ms", "ms"),
    Column("W4 fill", "disk_kb_per_idle", "KB on disk per idle"),
    Column("W4 send", "p50_ms", "p50 ms"),
    Column("W4 send", "p99_ms", "p99 ms"),
    Column("W5", "first_ms", "ms"),
    Column("W5", "rss_mb", "MB"),
    Column("W6", "recover_s", "s until all are done"),
    Column("W6", "repeated", "steps repeated"),
    Column("W6", "lost", "lost"),
)


def absent(harness: Any, contender: str) -> str:
    """What is missing for a contender; empty when it can run."""
    venv = harness.CONTENDERS[contender][0]
    python = harness.HOME / venv / "bin" / "python"
    if not python.exists():
        return f"no virtual environment {venv}"
    wanted = [name for start, names in MODULES.items() if contender.startswith(start) for name in names]
    probe = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if not u.find_spec(n)])"
    asked = subprocess.run([python, "-c", probe, *wanted], capture_output=True, text=True, check=False)
    if asked.returncode or asked.stdout.strip():
        return f"{venv} lacks {asked.stdout.strip() or ', '.join(wanted)}"
    if contender.startswith("redis") and redis_binary() is None:
        return "no redis-server"
    if "-pg" in contender and not _answers(os.environ.get("PEERS_PG_URL", "")):
        return "no Postgres at PEERS_PG_URL"
    if contender.startswith("restate"):
        packaged = str(harness.HOME / "npm/node_modules/@restatedev/restate-server-linux-x64/bin/restate-server")
        return "" if Path(os.environ.get("RESTATE_BIN", packaged)).exists() else "no restate-server (npm)"
    return ""


def _answers(url: str) -> bool:
    where = urlsplit(url)
    try:
        with socket.create_connection((where.hostname or "", where.port or 5432), timeout=1):
            return True
    except OSError:
        return False


def remedy(readme: str, reason: str) -> str:
    """The line of the peers' own instructions that names what is missing."""
    venv = re.search(r"v-\w+", reason)
    word = venv[0] if venv else "restate-server@" if "npm" in reason else "pg_ctl -D" if "Postgres" in reason else ""
    found = [line.strip() for line in readme.splitlines() if word and word in line and line.startswith("    ")]
    return found[0] if found else ""


def report_missing(console: Console, harness: Any, missing: Mapping[str, str]) -> None:
    together: dict[str, list[str]] = {}
    for contender, reason in missing.items():
        together.setdefault(reason, []).append(contender)
    readme = harness.HERE / "README.md"
    text = readme.read_text("utf-8") if readme.exists() else ""
    for reason, contenders in together.items():
        console.print(f"left out: {', '.join(contenders)}: {reason}", highlight=False, soft_wrap=True)
        if line := remedy(text, reason):
            console.print(f"  in {harness.HOME}: {line}", highlight=False, soft_wrap=True, markup=False)


def load(scripts: Path) -> Any:
    """The peers' harness, from where it is. Nothing is written beside it, no bytecode either."""
    sys.dont_write_bytecode = True
    os.environ |= {"PEERS_SCRIPTS": str(scripts), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.path.insert(0, str(scripts))
    return import_module("common")


def prepare(harness: Any, contenders: list[str]) -> None:
    """Bytecode of all that runs (without it a cold start says nothing), and a redis-server in the path."""
    compile_bytecode()
    for venv in {harness.CONTENDERS[name][0] for name in contenders}:
        folder = harness.HOME / venv
        subprocess.run(
            [folder / "bin/python", "-m", "compileall", "-q", folder / "lib"], env=environment(), check=False
        )
    binary = redis_binary()
    if binary is not None and shutil.which("redis-server") is None:
        link = harness.DATA / "bin" / "redis-server"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(binary)
        os.environ["PATH"] = f"{link.parent}{os.pathsep}{os.environ['PATH']}"


def columns_of(title: str) -> list[Column]:
    """What is compared in a table of the harness. "concurrency 1" does not stand for "concurrency 16"."""
    exact = [column for column in COLUMNS if column.title == title]
    return exact or [c for c in COLUMNS if title.startswith(c.title) and not title[len(c.title)].isdigit()]


def ratios(found: Mapping[str, Mapping[str, Any]], key: str, ours: list[str]) -> Table | None:
    """Every contender's figure, and overwinter's divided by it; None when nobody has one."""
    values = {name: figures.get(key) for name, figures in found.items()}
    numbers = {name: float(value) for name, value in values.items() if isinstance(value, (int, float))}
    rows = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    rows.add_column("", no_wrap=True, min_width=24)
    for name in ("measured", *(f"{own.removeprefix(OWN)} : it" for own in ours)):
        rows.add_column(name, justify="right", no_wrap=True, min_width=10)
    for name, value in numbers.items():
        quotients = [f"{numbers[own] / value:.2f}" if own in numbers and value else "–" for own in ours]
        quotients = ["" if own == name else quotient for own, quotient in zip(ours, quotients, strict=True)]
        rows.add_row(name, f"{value:,.4g}", *quotients)
    return rows if numbers else None


def show(console: Console, results: Mapping[str, Mapping[str, Mapping[str, Any]]], ours: list[str]) -> None:
    for title, found in results.items():
        for column in columns_of(title):
            if (table := ratios(found, column.key, ours)) is not None:
                console.print(f"\n[bold]{title}[/], {column.label}", highlight=False)
                console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure overwinter beside its peers.")
    scripts = os.environ.get("PEERS_SCRIPTS", SCRIPTS)
    parser.add_argument("--scripts", type=Path, default=scripts, help="the peers' folder")
    parser.add_argument("--contenders", default="", help="peers, by default all that are installed")
    parser.add_argument("--store", default=",".join(PLACES), help="what overwinter runs on")
    arguments, rest = parser.parse_known_args()
    console = Console()
    scripts = Path(arguments.scripts).resolve()
    if not (scripts / "common.py").exists():
        why = f"{scripts} has no common.py; PEERS_SCRIPTS says where the peers' scripts are"
        console.print(why, highlight=False, soft_wrap=True)
        return 0
    leave_when_asked()
    harness = load(scripts)
    peers = [name for name in arguments.contenders.split(",") if name] or list(harness.CONTENDERS)
    if unknown := set(peers) - set(harness.CONTENDERS):
        parser.error(f"no contender {', '.join(sorted(unknown))}; there are {', '.join(harness.CONTENDERS)}")
    reasons = {name: reason for name in peers if (reason := absent(harness, name))}
    report_missing(console, harness, reasons)
    peers = [name for name in peers if name not in reasons]
    if not peers:
        where = f"No peer is installed in {harness.HOME}. PEERS_HOME says where they are; {scripts / 'README.md'} how"
        console.print(where, highlight=False, soft_wrap=True)
        return 0
    prepare(harness, peers)
    ours = [OWN + store for store in PLACES if store in arguments.store.split(",")]
    for own in ours:
        harness.CONTENDERS[own] = (sys.prefix, str(HERE / "peer_overwinter.py"), own.removeprefix(OWN))
    out = harness.DATA / "overwinter.json"
    sys.argv = ["common.py", "--contenders", ",".join([*ours, *peers]), "--out", str(out), *rest]
    harness.drive()
    show(console, json.loads(out.read_text("utf-8"))["res"], ours)
    return 0


if __name__ == "__main__":
    sys.exit(main())
