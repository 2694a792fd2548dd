"""What people see of a listing: one line."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter.cli.view.listings import listed
from overwinter.cli.view.timeline import Timeline


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"same": "sha256:1"}, "as before"),
        ({"servers": {"crm": {"tools": [{}, {}]}, "w": {"tools": [{}]}}}, "crm: 2 tools; w: 1 tool"),
        ({"servers": {"crm": {"tools": [], "error": "it is down"}}}, "crm: left out (it is down)"),
        (
            {"servers": {"crm": {"tools": [{}]}}, "changed": {"crm": "added a; removed b"}},
            "crm: 1 tool; crm has changed: added a; removed b",
        ),
        ({"servers": {"crm": 5}}, "crm: nothing that can be read"),
        (None, None),
        ({"odd": 1}, {"odd": 1}),
    ],
)
def test_a_listing_is_told_in_a_line(value: Any, line: Any) -> None:
    assert listed(value) == line
    (row,) = Timeline().add(1, {"type": "listed", "op": "t1.list", "name": "crm", "at": 5, "ms": 2, "value": value})
    assert (row.kind, row.value, row.state, row.ms) == ("listed", line, "done", 2)
