"""The dashboards, read by Grafana's own types for them (Apache-2.0; Grafana itself is not needed): every field is one
that Grafana 10 knows, in the panel and query where it stands, and nothing is lost or changed on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sdk = pytest.importorskip("grafana_foundation_sdk.models.dashboard", reason="needs grafana-foundation-sdk")
BOARDS = sorted((Path(__file__).parents[2] / "observability" / "grafana").glob("*.json"))


def read(board: Any) -> Any:
    """What the types make of it, written down again."""
    from grafana_foundation_sdk.cog import encoder, plugins

    plugins.register_default_plugins()
    return json.loads(json.dumps(sdk.Dashboard.from_json(board), cls=encoder.JSONEncoder))


def lost(told: Any, kept: Any, at: str = "") -> Iterator[str]:
    """The places of ``told`` that are not the same in ``kept``."""
    if isinstance(told, dict) and isinstance(kept, dict):
        for name, value in told.items():
            yield from lost(value, kept.get(name), f"{at}.{name}")
    elif isinstance(told, list) and isinstance(kept, list) and len(told) == len(kept):
        for number, (value, other) in enumerate(zip(told, kept, strict=True)):
            yield from lost(value, other, f"{at}[{number}]")
    elif told != kept:
        yield at


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_grafana_knows_every_field_of_a_dashboard(path: Path) -> None:
    board = json.loads(path.read_text("utf-8"))
    assert list(lost(board, read(board))) == []
    shown = [panel for panel in board["panels"] if panel["type"] == "timeseries"]
    assert shown and all(panel["options"]["legend"]["showLegend"] for panel in shown)


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ((), "titel"),
        (("panels", 0), "gridPosition"),
        (("panels", 0, "options"), "graph"),
        (("panels", 0, "fieldConfig", "defaults"), "units"),
        (("panels", 0, "targets", 0), "expression"),
        (("templating", "list", 1), "all"),
    ],
)
def test_a_field_that_it_does_not_know_is_found(place: tuple[str | int, ...], field: str) -> None:
    board = json.loads(BOARDS[0].read_text("utf-8"))
    part: Any = board
    for step in place:
        part = part[step]
    part[field] = "x"
    assert [found for found in lost(board, read(board)) if found.endswith(f".{field}")]
