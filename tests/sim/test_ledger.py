"""The ledger holds against an engine what it has done, and nothing that it has not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter.state.codec import dumps
from overwinter.state.records import Change, NewExecution, NewMail
from overwinter.testing import Ledger

TIMER = {"type": "timer", "op": "0.0", "at": 30, "kind": "callback", "name": "paid", "due": 20}
SKIPPED = {"type": "skipped", "op": "0.0", "at": 30, "name": "paid", "why": "it does not fit"}
ELSEWHERE = SKIPPED | {"op": "0.1"}


def said(value: Any) -> dict[str, Any]:
    return {"type": "callback", "at": 10, "op": "0.0", "secret": "s", "value": value}


@pytest.mark.parametrize(
    ("came", "entries", "found"),
    [
        ([[1]], [SKIPPED, TIMER], 0),
        ([[1], [2]], [SKIPPED, SKIPPED, TIMER], 0),
        (["good"], [said("good")], 0),
        (["good"], [TIMER], 1),
        (["good"], [TIMER, SKIPPED], 1),
        (["good"], [ELSEWHERE, TIMER], 1),
        ([[1], "good"], [SKIPPED, TIMER], 1),
    ],
)
def test_a_timer_may_pass_over_what_does_not_fit_and_nothing_else(
    came: list[Any], entries: list[dict[str, Any]], found: int
) -> None:
    async def main() -> list[str]:
        ledger = Ledger()
        start = NewMail("start", 0, 0, dumps({"type": "start", "at": 0, "input": None}))
        await ledger.accept("x", start, now=0, owner="p", create=NewExecution("clerk", "workflow"))
        for number, value in enumerate(came):
            await ledger.accept("x", NewMail(f"c{number}", 1, 10, dumps(said(value))), now=10)
        head = ledger.head_now("x")
        assert head is not None
        started = {"type": "start", "at": 0, "input": None, "seed": ""}
        told = [dumps(entry) for entry in (started, *entries)]
        await ledger.append(
            Change(
                "x", "p", head.version, 30, told, range(1, head.arrivals + 1), head.arrivals, "waiting", 99, False,
                head.base, "", "", "",
            )
        )  # fmt: skip
        return [one for one in ledger.violations if "came in time" in one]

    assert len(asyncio.run(main())) == found
