"""Heads that can't be: a damaged one is shown as far as it can be read, so that it hides no other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from .records import Head

NUMBERS = ("version", "length", "base", "arrivals", "created", "updated", "deaths")
TEXTS = ("id", "function", "kind", "status", "awaits", "note", "state")
IMPOSSIBLE = "damaged: its head can't be: "
"""How ``Head.awaits`` of such a head begins."""


def impossible(head: Head) -> str:
    """What of a head is not of the type that it must be; "" when all is."""
    for name in NUMBERS:
        value = getattr(head, name)
        if type(value) is not int or value < 0:
            return f"{name} is {value!r:.40}"
    for name in TEXTS:
        if type(getattr(head, name)) is not str:
            return f"{name} is {getattr(head, name)!r:.40}"
    for name, kind in (("owner", str), ("parent", str), ("wake", int)):
        if type(getattr(head, name)) not in (kind, type(None)):
            return f"{name} is {getattr(head, name)!r:.40}"
    return ""


_WHOLE = (*(Head._fields.index(name) for name in NUMBERS),)
_FREE = {"owner": str, "parent": str, "wake": int}
_SOUND = frozenset(
    tuple(type(None) if name in empty else _FREE.get(name, int if name in NUMBERS else str) for name in Head._fields)
    for many in range(len(_FREE) + 1)
    for empty in combinations(_FREE, many)
)
"""The types of the fields of heads that can be: a listing has hundreds of them, which are known by one look."""


def shown(values: Sequence[Any]) -> Head:
    """The head of these stored fields. One that can't be has what can be read of it, and says so in ``awaits``."""
    head = Head._make(values)
    if tuple(map(type, values)) in _SOUND and min([values[place] for place in _WHOLE]) >= 0:
        return head
    wrong = impossible(head)
    if not wrong:
        return head
    fields: dict[str, Any] = head._asdict()
    for name in NUMBERS:
        value = fields[name]
        fields[name] = value if type(value) is int and value >= 0 else 0
    for name in TEXTS:
        value = fields[name]
        fields[name] = value if type(value) is str else "" if value is None else f"{value!r:.80}"
    for name, kind in (("owner", str), ("parent", str), ("wake", int)):
        fields[name] = fields[name] if type(fields[name]) is kind else None
    fields["awaits"] = IMPOSSIBLE + wrong
    return Head(**fields)
