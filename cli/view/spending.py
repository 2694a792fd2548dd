"""What an execution has used beside its own answers, and what was granted to it, out of its head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from ...orchestrator.agent.stock import Lasting, sum_of
from ...orchestrator.governance.budgets.amount import Amount
from ...orchestrator.governance.usage import recorded
from ...state.codec import loads
from ...state.records import Head
from .text import clean


def spent(head: Head) -> dict[str, Any]:
    """``{"used", "beside", "granted": {budget: amount}, "warned": [budget…]}``. ``beside`` is part of what was used:
    by children, and by calls of which nobody knows. {}: there is none of that."""
    state: dict[str, Any] = loads(head.state) if head.kind == "agent" and head.state else {}
    if "usage" not in state:
        return {}
    usage, lasting = recorded(state["usage"]), Lasting(state.get("budget"))
    granted: dict[str, list[Amount]] = {}
    for key, more in lasting.raised.values():
        granted.setdefault(key, []).append(more)
    found = {
        "beside": usage.beside.record(),
        "granted": {key: sum_of(several).record() for key, several in granted.items()},
        "warned": sorted(lasting.warned),
    }
    return {"used": usage.amount.record(), **found} if any(found.values()) else {}


def spending(head: Head) -> Iterator[Text]:
    """The same for people."""
    if not (found := spent(head)):
        return
    yield Text()
    yield Text("budget", "bold")
    yield Text(f"  used {_told(found['used'])}")
    if found["beside"]:
        yield Text(f"  of that by children, or by calls in doubt: {_told(found['beside'])}")
    for key, more in found["granted"].items():
        yield Text(f"  granted for {clean(key)}: {_told(more)} more")
    for key in found["warned"]:
        yield Text(f"  runs out: {clean(key)}", "yellow")


def _told(amount: dict[str, Any]) -> str:
    units = [f"{value:,} {unit.replace('_', ' ')}" for unit, value in amount.items() if unit not in ("cost", "time")]
    units += [f"${amount['cost']}"] if "cost" in amount else []
    return ", ".join([*units, *([f"{amount['time']:,} ms"] if "time" in amount else [])])
