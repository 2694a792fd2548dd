"""What of a journal a fork begins with, and what it answers its calls with in the place of effects.

A fork goes on from a place in the journal of another execution, with the code, the model and the instructions of now.
All entries before that place are its own; operations that were open there are not: it orders them anew. What the other
one has recorded, also later, answers the same call here: a tool of that name with those arguments, a step with that
fingerprint, a child with that input. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from ...state.codec import dumps
from ...state.errors import InvalidInput
from ...state.records import FINAL
from ..protocol.decider import Fact

BEGINS = frozenset({"start", "message", "checkpoint"})
_OPENS = frozenset({"ordered", "begun", "retrying", "doubt", "sent", "delegated", "answered", "resolved"})
"""Entries about an operation that do not end it."""
_ENDS = frozenset({"step", "model", "tool", "check", "summary", "listed", "hook", "child", "callback", "observed"})
_MEANWHILE = ("reminder", "escalation")
_SHOWN = 12


class Recorded(NamedTuple):
    """What came of a call: ``field`` is "value" or "error"."""

    op: str
    entry: Fact


class Records:
    """What an execution has recorded of its calls, by what was called with what. ``entries`` have their blobs."""

    def __init__(self, entries: Sequence[Fact] = ()) -> None:
        self._found: dict[tuple[str, str, str], list[Recorded]] = defaultdict(list)
        self.children: dict[str, Fact] = {}  # as they were ordered, by op
        asked: dict[str, tuple[str, str]] = {}
        ordered: dict[str, Fact] = {}
        for entry in entries:
            type, op, name = str(entry["type"]), str(entry.get("op", "")), str(entry.get("name", ""))
            if type == "model":
                asked |= _asked(op, entry.get("value"))
            elif type == "ordered" and entry.get("kind") == "child":
                ordered[str(entry.get("id"))] = self.children[op] = entry
            elif type == "tool" and op in asked:
                self._found["tool", *asked[op]].append(Recorded(op, entry))
            elif type == "step":
                self._found["step", name, str(entry.get("args", ""))].append(Recorded(op, entry))
            elif type == "child" and (order := ordered.get(str(entry.get("id")))) is not None:
                key = "child", str(order.get("name", "")), dumps(order["input"]) if "input" in order else ""
                self._found[key].append(Recorded(str(order["op"]), entry))

    def find(self, kind: str, name: str, given: str, op: str) -> Recorded | None:
        """Of several, that of the same operation, else the last."""
        found = self._found.get((kind, name, given), ())
        return next((one for one in found if one.op == op), found[-1] if found else None)


def canonical(arguments: Mapping[str, Any]) -> str:
    """Arguments of a tool as one text, whatever their order."""
    return dumps({name: arguments[name] for name in sorted(arguments)})


def _asked(op: str, answer: Any) -> dict[str, tuple[str, str]]:
    """Names and arguments of the tool calls of a model's answer, by the ops of these."""
    calls: Any = cast("Fact", answer).get("tool_calls") if isinstance(answer, dict) else None
    found: dict[str, tuple[str, str]] = {}
    for number, call in enumerate(cast("list[Fact]", calls) if isinstance(calls, list) else ()):
        arguments = _read(call.get("arguments"))
        if arguments is not None:
            found[f"{op}.{number}"] = str(call.get("name", "")), canonical(arguments)
    return found


def _read(arguments: Any) -> Fact | None:
    from ...state.codec import loads

    try:
        read = loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return None
    return cast("Fact", read) if isinstance(read, dict) else None


# -- where it begins -----------------------------------------------------------------------------------


def place(entries: Sequence[Fact], at: int | str) -> int:
    """How many entries stand before ``at``: the number of an entry, or an operation. Raises InvalidInput."""
    last = next((number for number, entry in enumerate(entries) if entry["type"] in FINAL), len(entries))
    if isinstance(at, bool) or not isinstance(at, (int, str)):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
        raise InvalidInput(f"at is the number of a journal entry or an operation as `show` tells them, not {at!r:.40}")
    if isinstance(at, int):
        if not 2 <= at <= last + 1:
            raise InvalidInput(f"there is no entry {at} to go on from: write 2 to {last + 1}, or an operation")
        return at - 1
    for number, entry in enumerate(entries[:last]):
        if entry.get("op") == at and number:
            return number
    known = list(dict.fromkeys(str(entry["op"]) for entry in entries[:last] if entry.get("op")))
    more = " …" if len(known) > _SHOWN else ""
    raise InvalidInput(f"it has no operation {at[:40]!r}; these are its: {', '.join(known[:_SHOWN])}{more}")


def kept(entries: Sequence[Fact]) -> list[int]:
    """The places of the entries that stay, when all these did: without those of operations that were open."""
    children = {str(one.get("id")): str(one["op"]) for one in entries if one.get("kind") == "child" and "op" in one}
    about: dict[str, list[Fact]] = defaultdict(list)
    ops: list[str] = []
    for entry in entries:
        op = str(entry.get("op") or (children.get(str(entry.get("id")), "") if entry["type"] == "child" else ""))
        ops.append(op)
        if op:
            about[op].append(entry)
    open = {op for op, told in about.items() if _is_open(told)}
    return [number for number, op in enumerate(ops) if op not in open]


def _is_open(told: Sequence[Fact]) -> bool:
    if not any(entry["type"] in _OPENS for entry in told) or any(entry["type"] in _ENDS for entry in told):
        return False
    ordered = next((entry for entry in told if entry["type"] == "ordered"), None)
    kind = "" if ordered is None else str(ordered.get("kind", ""))
    if any(entry["type"] == "timer" and entry.get("kind") not in _MEANWHILE for entry in told):
        return False
    if kind == "approval":
        said = [entry for entry in told if entry["type"] == "decided"]
        needs = int((ordered or {}).get("needs") or 1)
        return all(entry.get("approved") for entry in said) and len(said) < needs
    sent = any(entry["type"] == "sent" for entry in told)
    return not (sent and (kind == "publish" or (kind == "child" and bool((ordered or {}).get("detached")))))
