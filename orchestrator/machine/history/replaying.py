"""A journal, let pass once more, with all that it tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ....state.errors import InvalidInput
from ...protocol.decider import Fact, when
from ..decider import MachineDecider
from ..definition.fields import Malformed
from ..definition.machine import build
from ..integrations import NONE, Integrations
from ..resolving import Table
from ..running.compiled import Compiled
from ..running.execution import Execution
from ..running.limits import LIMITS, Limits
from ..running.recorder import Event, Recorder
from ..running.resources import Resources

_OF_CALLS = frozenset({"begun", "retrying", "doubt", "resolved", "answered"})
"""How a call got on. No state hears of it."""


_VERDICTS = frozenset({"completed", "failed", "cancelled", "terminated", "retry"})


class Replayed(NamedTuple):
    """``events``: what a Recorder has of it, notes too. ``run``: where it stands; None when it has not begun.
    ``problem``: why there is no more to tell than that."""

    id: str
    events: Sequence[Event]
    run: Execution | None
    problem: str


class _Recorded(NamedTuple):
    """A state machine as a journal knows it. Implements ``Served``."""

    name: str
    compiled: Compiled
    source: Any
    resources: Resources
    limits: Limits = LIMITS[""]  # those that it was begun with stand in the journal


def defined(entries: Sequence[Fact]) -> Fact | None:
    """The first entry that says which definition an execution goes by; None when it is no state machine's, or has none
    yet: a first call is begun before it is written."""
    for entry in entries:
        if entry["type"] == "machine":
            return entry
        if entry["type"] == "checkpoint" and "definition" in (entry.get("state") or {}):
            told: Fact = entry["state"]
            return told
    return None


def replay(id: str, name: str, entries: Sequence[Fact], integrations: Integrations = NONE) -> Replayed:
    """``entries``: the whole journal of execution ``id`` of the state machine ``name``, with nothing left in blobs;
    ``integrations``: what those of its Tasks put there. Raises InvalidInput when it is no state machine's."""
    written = defined(entries)
    if written is None:
        raise InvalidInput(f"{id} is no state machine's execution, or its first Task has not ended yet")
    source = written["definition"]
    try:
        compiled = Compiled(build(source))
    except Malformed as error:
        return Replayed(id, (), None, f"the definition that it was begun with can't be read: {error}")
    named = {text: text for text in written.get("named", ())}
    recorder = Recorder()
    decider = MachineDecider(_Recorded(name, compiled, source, Table((), named, integrations)), id, recorder)
    whole = any(entry["type"] == "start" for entry in entries)
    decider.replay("", 1, [entry for entry in entries if _is_told(entry, whole)], 0)
    run, last = decider.execution, entries[-1]
    if run is not None and last["type"] == "terminated":
        recorder.add("ExecutionAborted", when(last), run.root, cause=str(last.get("reason") or "") or None)
    events = recorder.everything
    if run is not None and run.ending is not None and not _is_over(entries):
        events = events[:-1]  # it waits until what it has begun elsewhere is told, or taken away
    return Replayed(id, events, run, decider.problem)


def _is_over(entries: Sequence[Fact]) -> bool:
    """Whether its end is written, and nobody has asked for it to go on since."""
    last = next((entry["type"] for entry in reversed(entries) if entry["type"] in _VERDICTS), "retry")
    return bool(last != "retry")


def _is_told(entry: Fact, whole: bool) -> bool:
    kind = entry["type"]
    if kind == "checkpoint":  # what was before it is told as it was, as long as it is there
        return not whole
    return kind not in _OF_CALLS and not (kind == "sent" and "until" in entry)
