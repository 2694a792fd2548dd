"""The other half of the dead letters: executions that an event began and that have failed for good.

They need not be written down anywhere else. The first entry says which event it was, the last one why it failed. What
was sent again or dropped is marked with how long its journal was then, so that one that was retried and has failed anew
shows up again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

from ...orchestrator.protocol.shared import place_of
from ...orchestrator.protocol.starting import beginning
from ...orchestrator.reading import Reading
from ...state.records import Filter, Head
from .dead_letters import DeadLetter

PLACE = place_of("overwinter.dead-letters.settled")
_PAGE = 200


async def failed(reading: Reading, subscription: str) -> AsyncGenerator[DeadLetter]:
    """Those of a subscription that nobody has settled."""
    cursor: str | None = None
    while True:
        page = await reading.page(Filter(status=("failed",), prefix=f"{subscription}:"), cursor, _PAGE)
        for head in page.heads:
            letter = await letter_of(reading, head)
            if letter is not None:
                yield letter
        cursor = page.cursor
        if cursor is None:
            return


async def letter_of(reading: Reading, head: Head) -> DeadLetter | None:
    """The dead letter that a failed execution is. None: no event began it, or it is settled."""
    begun = await beginning(reading.store, head.id)
    delivery = cast("dict[str, Any]", begun.get("delivery") or {}) if begun is not None else {}
    if begun is None or not delivery or head.status != "failed":
        return None
    mark = await reading.store.get(PLACE, head.id)
    if mark is not None and mark.value == str(head.length):
        return None
    last = await reading.ending(head)
    return DeadLetter(
        head.id,
        str(delivery["subscription"]),
        head.function,
        _whole(delivery["event"], begun.get("input")),
        last.get("error", {}),
        attempt_of(head.id),
        head.created,
        head.updated,
        head.id,
    )


async def settle(reading: Reading, id: str) -> bool:
    """Nobody has to look at it any more. Whether there is such an execution."""
    head = await reading.find(id)
    if head is None:
        return False
    await reading.store.put(PLACE, id, str(head.length))
    return True


def attempt_of(id: str) -> int:
    """The number of the attempt that an execution is."""
    number = id.rpartition("~")[2] if "~" in id else ""
    return int(number) if number.isdecimal() else 1


def _whole(event: Mapping[str, Any], given: Any) -> dict[str, Any]:
    """The event again: the execution was given its data, or all of it."""
    if isinstance(given, dict):
        whole = cast("dict[str, Any]", given)
        if all(whole.get(name) == value for name, value in event.items()):
            return dict(whole)
    return {**event, "data": given} if given is not None else dict(event)
