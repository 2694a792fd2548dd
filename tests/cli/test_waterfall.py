"""``show --waterfall``: what ran when, at any width, without colours, and however many rows there are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from .conftest import Shelf

Entry = dict[str, Any]
HOUR = 3_600_000
AT = 1_700_000_000_000
ERROR: Entry = {"kind": "builtins.RuntimeError", "message": "the bank is closed", "trace": [["shop.py", 31, "charge"]]}


def step(op: str, name: str, at: int, ms: int, **more: Any) -> Entry:
    return {"type": "step", "op": op, "name": name, "at": AT + at, "ms": ms, "value": 1, **more}


def again(op: str, name: str, at: int, until: int) -> Entry:
    return {"type": "retrying", "op": op, "name": name, "n": 1, "at": AT + at, "until": AT + until, "error": ERROR}


TICKET: list[Entry] = [
    {"type": "start", "at": AT, "input": "x"},
    step("0", "look up", 1_000, 1_000),
    step("1.0", "stock", 2_000, 1_000, branch="stock"),
    step("1.1", "risk", 2_500, 1_500, branch="risk"),
    {"type": "ordered", "op": "2", "kind": "approval", "name": "refund", "what": "refund", "at": AT + 2_500},
    {"type": "decided", "op": "2", "approved": True, "by": "ana", "at": AT + HOUR},
    again("3", "charge", HOUR + 1_000, HOUR + 3_000),
    step("3", "charge", HOUR + 4_000, 1_000, n=2),
    step("4", "tell", HOUR + 6_000, 2_000, value=None, error=ERROR),
]  # fmt: skip


@pytest.fixture
def drawn(shelf: Shelf, overwinter: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    def draw(width: int, *more: str) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        found: list[str] = overwinter("show", "t-1", "--waterfall", *more).stdout.splitlines()
        return found

    return draw


def row(lines: list[str], name: str) -> str:
    return next(line for line in lines if name in line)


@pytest.mark.parametrize("width", [60, 80, 140])
def test_bars_stand_where_things_happened(shelf: Shelf, drawn: Callable[..., list[str]], width: int) -> None:
    shelf.put("t-1", TICKET, status="failed")
    lines = drawn(width)
    assert all(cell_len(line) <= width for line in lines)
    look, stock, refund, tell = (row(lines, name) for name in ("look up", "stock", "approval refund", "tell"))
    assert look.index("█") < stock.index("█") <= refund.index("░") < tell.index("█")
    assert refund.count("░") <= 4, "an hour of waiting takes no room"
    assert "┊ 59m58s idle in 1 stretch, squeezed" in "\n".join(lines)
    charge = row(lines, "charge ×2")
    assert charge.index("▒") < charge.index("·") < charge.index("█", charge.index("·"))
    assert "together" in "\n".join(lines) and "─" in row(lines, "together")
    assert "the bank is closed  (shop.py:31)" in lines[lines.index(tell) + 1]


def test_what_goes_on_is_open_at_the_edge(shelf: Shelf, drawn: Callable[..., list[str]]) -> None:
    shelf.put("t-1", TICKET[:5], awaits="approval refund")
    lines = drawn(80)
    refund = row(lines, "○ approval refund")
    assert "▸" in refund and refund.rstrip().endswith("…") and "▸ goes on" in "\n".join(lines)


def test_two_thousand_rows_are_few_lines_and_what_failed_is_one(shelf: Shelf, drawn: Callable[..., list[str]]) -> None:
    items = [step(f"0.{n}", "item", 100 + n, 50, **({"error": ERROR} if n == 777 else {})) for n in range(2_000)]
    shelf.put("t-1", [{"type": "start", "at": AT}, *items], status="completed")
    lines = drawn(60)
    assert len(lines) < 40 and row(lines, "✗ ").strip().startswith("✗  item")
    hidden = [int(line.split()[1].replace(",", "")) for line in lines if line.lstrip().startswith("…")]
    assert sum(hidden) == 2_000 - 11
    assert len(drawn(60, "--full")) > 2_000


def test_its_json_is_the_timeline(shelf: Shelf, overwinter: Callable[..., Any]) -> None:
    shelf.put("t-1", TICKET, status="failed")
    document = json.loads(overwinter("show", "t-1", "--waterfall", "--json").stdout)
    assert document["count"] == len(document["rows"]) == 8 and [fold["why"] for fold in document["folds"]]
    assert document["folds"][0]["why"] == "approval refund"


def test_an_execution_that_has_not_begun(shelf: Shelf, drawn: Callable[..., list[str]]) -> None:
    shelf.put("t-1", [{"type": "start", "at": AT}], status="running")
    assert "nothing has happened yet" in "\n".join(drawn(60))


CODE = """
from overwinter import Context, workflow


def look(what: str) -> str:
    print("looked")
    return what


@workflow
async def ticket(ctx: Context, what: str) -> str:
    await ctx.step(look, what)
    await ctx.sleep("1ms")
    return await ctx.step(look, what)
"""


def test_lines_of_the_code_stand_beside_what_they_asked_for(
    overwinter: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    Path("desk_of_lines.py").write_text(CODE)
    assert overwinter("run", "desk_of_lines.py", "ticket", "a", "--id", "x").exit_code == 0
    shown = overwinter("show", "x", "--waterfall", "--lines", "desk_of_lines.py").stdout
    lines = shown.splitlines()
    assert [line.split()[-1] for line in lines if "look" in line] == ["desk_of_lines.py:12", "desk_of_lines.py:14"]
    assert row(lines, "sleep").endswith("desk_of_lines.py:13") and "looked" not in shown
    assert all(cell_len(line) <= 80 for line in lines)
    document = json.loads(overwinter("show", "x", "--waterfall", "--lines", "desk_of_lines.py", "--json").stdout)
    assert document["lines"] == "" and [one["code"] for one in document["rows"]][1] == "desk_of_lines.py:12"
    Path("desk_of_lines.py").write_text(CODE.replace("await ctx.sleep", "# await ctx.sleep"))
    shown = overwinter("show", "x", "--waterfall", "--lines", "desk_of_lines.py").stdout
    assert "code lines: " in shown and "desk_of_lines.py:14 asked for step 'look' as operation 1" in shown
    refused = overwinter("show", "x", "--lines", "desk_of_lines.py")
    assert refused.exit_code == 2 and "--waterfall" in refused.stderr
