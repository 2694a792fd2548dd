"""``overwinter history ID``: what an execution of a state machine did, as the events that AWS would tell.

``--json`` is the answer of AWS's GetExecutionHistory, with all events: ``{"events": [{"timestamp", "type", "id",
"previousEventId", …EventDetails}…]}``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from .. import reach
from ..options import id_argument, json_option, store_option

if TYPE_CHECKING:
    from rich.text import Text

JSON = "--json: {events: [{timestamp, type, id, previousEventId, …EventDetails}]}"


@click.command(epilog=JSON)
@id_argument
@click.option("--no-data", is_flag=True, help="Leave inputs and outputs out.")
@store_option
@json_option
def history_command(id: str, no_data: bool, store: str, as_json: bool) -> None:
    """The events of a state machine's execution, as AWS's GetExecutionHistory tells them."""
    from ..view.terminal import console, emit, put

    events = reach.run(_events(store, id, data=not no_data))
    if as_json:
        emit({"events": events})
        return
    out = console()
    for line in lines(events, out.width):
        put(out, line)


async def _events(dsn: str, id: str, *, data: bool) -> list[dict[str, Any]]:
    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        return await reading.aws_history(id, data=data)


def lines(events: list[dict[str, Any]], width: int) -> list[Text]:
    """An event a line: its number, what it follows, its type, and its details in short."""
    from rich.text import Text

    from ..view.lines import cut, left, right
    from ..view.moments import offset
    from ..view.text import clean

    number = max((len(str(event["id"])) for event in events), default=1)
    kind = max((len(event["type"]) for event in events), default=1)
    began = _ms(events[0]["timestamp"]) if events else 0
    found: list[Text] = []
    for event in events:
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(right(str(event["id"]), number), "bold")
        line.append(" ← " + left(str(event["previousEventId"] or ""), number), "dim")
        line.append(right(offset(_ms(event["timestamp"]) - began), 9) + " ", "dim")
        line.append(left(event["type"], kind) + " ", _style(event["type"]))
        told: Iterator[dict[str, Any]] = (event[key] for key in event if key.endswith("EventDetails"))
        details = next(told, dict[str, Any]())
        said = " ".join(f"{key}: {value}" for key, value in details.items() if not isinstance(value, dict))
        line.append(cut(clean(said), max(width - line.cell_len, 0)), "dim")
        line.rstrip()
        found.append(line)
    return found


def _style(kind: str) -> str:
    if kind.endswith(("Failed", "TimedOut", "Aborted")):
        return "red"
    return "green" if kind.endswith("Succeeded") else "bold" if kind.endswith("Entered") else ""


def _ms(timestamp: str) -> int:
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000)
