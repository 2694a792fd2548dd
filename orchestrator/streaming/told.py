"""What an entry of the journal says, as events for whoever follows an execution, whatever was told before.

docs/streaming.md lists the types of events and what is in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from ...state.codec import loads
from ...state.records import FINAL
from ..errors import traces
from ..protocol.decider import Fact
from .position import Position

Data = dict[str, Any]


class StreamEvent(NamedTuple):
    """Something that has happened. ``id`` is where to go on after it; docs/streaming.md lists the types."""

    id: str
    type: str
    data: Data


class Told(NamedTuple):
    """An event without a place yet."""

    type: str
    data: Data

    def at(self, position: Position) -> StreamEvent:
        return StreamEvent(str(position), self.type, self.data)


def calls(entry: Fact, answer: Mapping[str, Any]) -> Iterator[Told]:
    """What a recorded answer says beside its text: the tools it calls, and what it took."""
    op = str(entry["op"])
    for index, call in enumerate(cast("list[dict[str, Any]]", answer.get("tool_calls") or [])):
        arguments = _arguments(call.get("arguments"))
        yield Told(
            "tool_call",
            {"op": f"{op}.{index}", "call": call.get("id", ""), "name": call.get("name", ""), "arguments": arguments},
        )
    whole: Data = {"op": op, "model": answer.get("model") or entry.get("name", "")}
    whole |= {name: answer[name] for name in ("usage", "cost", "finish") if name in answer}
    if answer.get("refusal"):
        whole["refused"] = True
    yield Told("answer", whole)


def events(entry: Fact) -> list[Told]:
    """Of an entry that is no recorded answer and no reply. Most say nothing to who follows."""
    kind = entry["type"]
    if kind in FINAL or kind == "stuck":
        return [Told("end", {"status": kind, **outcome(entry)})]
    if kind == "handoff":
        return [Told("observation", _some(entry, "op", "call") | {"result": entry.get("text")}), _handed(entry)]
    made = _MADE.get(kind)
    found = None if made is None else made(entry)
    return [] if found is None else [found]


def outcome(entry: Fact) -> Data:
    """How it came out, as data."""
    error: object = entry.get("error")
    if error is not None:
        known = cast("Fact", error) if isinstance(error, dict) else {"message": str(error)}
        return {"error": traces.without(known)}
    if entry["type"] in ("cancelled", "terminated"):
        return {"error": {"message": str(entry.get("reason") or entry["type"])}}
    return {"result": entry.get("value")}


def message(id: str, content: Any, by: str = "") -> Told:
    """What the agent is asked."""
    data: Data = {"message": id}
    if content is not None:
        data["content"] = content
    return Told("message", data | ({"by": by} if by else {}))


def _arguments(written: object) -> Any:
    """What the model wrote, as JSON where it is some."""
    try:
        return loads(written) if isinstance(written, str) and written else written or {}
    except ValueError:
        return written


def _started(entry: Fact) -> Told:
    return message("", entry.get("input"), str(entry.get("by", "")))


def _message(entry: Fact) -> Told:
    return message(str(entry.get("id", "")), entry.get("content"), str(entry.get("by", "")))


def _tool(entry: Fact) -> Told:
    return Told("observation", _some(entry, "op", "call", "name") | outcome(entry))


def _child(entry: Fact) -> Told | None:
    return Told("observation", _some(entry, "op", "name") | {"child": entry.get("id", "")} | outcome(entry))


def _observed(entry: Fact) -> Told:
    return Told("observation", _some(entry, "op", "call", "name") | {"error": {"message": str(entry.get("text", ""))}})


def _step(entry: Fact) -> Told:
    data = _some(entry, "op", "name", "ms", "branch")
    return Told("step", data | (outcome(entry) if entry.get("error") is not None else {}))


def _ordered(entry: Fact) -> Told | None:
    if entry.get("kind") != "approval":
        return None
    data: Data = {"op": entry["op"], "name": entry.get("what", ""), "arguments": entry.get("data")}
    return Told("approval", data | _some(entry, "role", "until"))


def _decided(entry: Fact) -> Told:
    return Told("decided", _some(entry, "op", "approved", "by", "reason"))


def _expired(entry: Fact) -> Told | None:
    """An approval that nobody decided in time counts as denied. An agent's timers have no kind."""
    op = str(entry["op"])
    approval = entry.get("kind") == "approval" or ("kind" not in entry and (op.count(".") == 2 or ".ask" in op))
    return Told("decided", {"op": op, "approved": False, "reason": "nobody decided in time"}) if approval else None


def _retrying(entry: Fact) -> Told:
    data = _some(entry, "op", "name", "until") | {"attempt": entry.get("n", 1)}
    return Told("retrying", data | outcome(entry))


def _routed(entry: Fact) -> Told:
    return Told("routed", _some(entry, "op", "why", "route") | {"model": entry.get("name", "")})


def _doubted(entry: Fact) -> Told:
    return Told("doubt", _some(entry, "op", "name", "since", "key", "arguments", "why", "rule"))


def _resolved(entry: Fact) -> Told:
    return Told("resolved", _some(entry, "op", "name", "verdict", "by", "reason"))


def _saga(entry: Fact) -> Told:
    """Why it undoes what it did, or what it could not undo."""
    data = _some(entry, "op", "name", "why")
    return Told("saga", data | ({"left": entry["data"]} if "data" in entry else {}))


def _handed(entry: Fact) -> Told:
    return Told("handoff", _some(entry, "op", "from", "why") | {"agent": entry.get("name", "")})


def _status(entry: Fact) -> Told:
    return Told("status", {"status": "cancelling" if entry["type"] == "cancel" else entry["type"]})


def _some(entry: Fact, *names: str) -> Data:
    return {name: entry[name] for name in names if entry.get(name) not in (None, "")}


_MADE = {
    "start": _started,
    "message": _message,
    "tool": _tool,
    "child": _child,
    "observed": _observed,
    "step": _step,
    "ordered": _ordered,
    "decided": _decided,
    "timer": _expired,
    "retrying": _retrying,
    "doubt": _doubted,
    "resolved": _resolved,
    "saga": _saga,
    "routed": _routed,
    "paused": _status,
    "resumed": _status,
    "cancel": _status,
}
