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
        self.children: dict[str, list[Fact]] = defaultdict(list)  # as they were ordered, by op
        self._ended: dict[str, Recorded] = {}
        asked: dict[str, tuple[str, str]] = {}
        ordered: dict[str, Fact] = {}
        others: dict[str, Fact] = {}  # what people have put in the place of arguments, by what they were asked
        for entry in entries:
            if _blocked(entry):
                continue  # a fork was told so, which is no record of the call
            type, op, name = str(entry["type"]), str(entry.get("op", "")), str(entry.get("name", ""))
            if type == "model":
                asked |= _asked(op, entry.get("value"))
            elif type == "decided" and isinstance(entry.get("data"), dict):
                others[op] = entry["data"]
                asked |= {op: (asked[op][0], canonical(entry["data"]))} if op in asked else {}
            elif type == "ordered" and entry.get("kind") == "approval":
                for before in (op, op.removesuffix(".0")):  # asked once more, of the arguments that the code gives
                    others.pop(before, None)
            elif type == "hook" and (call := _before(op)) in asked and (changed := _changed(entry)) is not None:
                asked[call] = asked[call][0], canonical(changed)
            elif type == "ordered" and entry.get("kind") == "child":
                ordered[str(entry.get("id"))] = entry
                self.children[op].append(entry)
            elif type == "tool" and op in asked:
                self._found["tool", *asked[op]].append(Recorded(op, entry))
            elif type == "step":
                made = edited(str(entry.get("args", "")), _edited(others, op))
                self._found["step", name, made].append(Recorded(op, entry))
            elif type == "child" and (order := ordered.get(str(entry.get("id")))) is not None:
                key = "child", str(order.get("name", "")), dumps(order["input"]) if "input" in order else ""
                self._ended[str(entry.get("id"))] = end = Recorded(str(order["op"]), entry)
                self._found[key].append(end)

    def ended(self, id: str) -> Recorded | None:
        """What came of the child of that id."""
        return self._ended.get(id)

    def find(self, kind: str, name: str, given: str, op: str, same: bool = False) -> Recorded | None:
        """Of several the last of the same operation, which may have been retried, else the last; not that, when it is
        to be the ``same`` operation."""
        found = self._found.get((kind, name, given), ())
        last = None if same or not found else found[-1]
        return next((one for one in reversed(found) if one.op == op), last)


def canonical(arguments: Mapping[str, Any]) -> str:
    """Arguments of a tool as one text, whatever their order."""
    return dumps({name: arguments[name] for name in sorted(arguments)})


def _blocked(entry: Fact) -> bool:
    error: Any = entry.get("error")
    return isinstance(error, dict) and str(cast("Fact", error).get("kind", "")).endswith(".EffectBlocked")


def edited(args: str, arguments: Mapping[str, Any] | None) -> str:
    """What tells a step: its fingerprint, and what a person has put in the place of what that is of."""
    return args if arguments is None else f"{args} {canonical(arguments)}"


def _edited(others: Mapping[str, Fact], op: str) -> Fact | None:
    """The arguments that the step ``op`` was made with, when a person has approved it with others: it is asked for
    under ``op`` 3.0 (3.0.0 once more), and made under 3.1."""
    call, _, last = op.rpartition(".")
    if last != "1":
        return None
    questions = (one for one in others if one.startswith(f"{call}.0") and not one[len(call) :].strip(".0"))
    return next((others[one] for one in questions), None)


def _before(op: str) -> str:
    """The tool call that a hook has looked at before it was made."""
    call, _, hook = op.rpartition(".")
    return call if hook[:1] == "b" else ""


def _changed(entry: Fact) -> Fact | None:
    said = entry.get("value")
    changed: Any = cast("Fact", said).get("change") if isinstance(said, dict) else None
    return cast("Fact", changed) if isinstance(changed, dict) else None


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
    ends = [number for number, entry in enumerate(entries) if entry["type"] in FINAL]
    last = ends[-1] if ends and ends[-1] == len(entries) - 1 else len(entries)
    if isinstance(at, bool) or not isinstance(at, (int, str)):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
        raise InvalidInput(f"at is the number of a journal entry or an operation as `show` tells them, not {at!r:.40}")
    if not last:
        raise InvalidInput("nothing is recorded of it yet that a fork could go on from; try again when it has begun")
    if isinstance(at, int):
        if not 2 <= at <= last + 1:
            raise InvalidInput(f"there is no entry {at} to go on from: write 2 to {last + 1}, or an operation")
        if at - 2 in ends:
            raise InvalidInput(f"it had ended before entry {at}, and is opened again by it: write {at - 1} or {at + 1}")
        return at - 1
    for number, entry in enumerate(entries[:last]):
        if entry.get("op") == at and number and number - 1 not in ends:
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
