"""Which calls of an execution are in doubt, as its journal tells it: for whoever is to say what came of them."""

from __future__ import annotations

from ...state.errors import CompensationFailed, InDoubt
from ...state.records import FINAL
from ..protocol.decider import Fact

_KIND = f"{InDoubt.__module__}.{InDoubt.__qualname__}"
_NOT_UNDONE = f"{CompensationFailed.__module__}.{CompensationFailed.__qualname__}"
_ENDS = frozenset({*FINAL, "reply"})
_GOES_ON = frozenset({"begun", "retrying", "sent", "resolved", "step", "tool"})
"""What is recorded of a call when it is no longer in doubt."""


def doubt_of(entry: Fact) -> Fact | None:
    """What a retry makes of the outcome of a call that ended in doubt: it is in doubt again. None: it is another."""
    error: Fact | None = entry.get("error")
    if entry["type"] != "step" or error is None or error.get("kind") != _KIND:
        return None
    more = {name: entry[name] for name in ("op", "name", "args", "branch") if name in entry}
    return {"type": "doubt", "at": entry["at"], "since": entry["at"], "n": entry.get("n", 1), "error": error} | more


def begins_anew(error: Fact) -> bool:
    """Whether a retry after this failure would begin a child or a Task anew in which a call is in doubt, or could not
    be undone. A step's own call is in doubt again, and not made."""
    kind = str(error.get("kind", "")).rpartition(".")[2]
    told: Fact = error.get("data") or {}
    if kind == "StateFailed":
        return told.get("error") == InDoubt.__name__
    cause: Fact | None = told.get("cause")
    if kind != "ExecutionFailed" or cause is None:
        return False
    return cause.get("kind") in (_KIND, _NOT_UNDONE) or begins_anew(cause)


class Doubts:
    """Those of one execution, entry by entry."""

    def __init__(self) -> None:
        self.open: dict[str, Fact] = {}  # the last ``doubt`` entry of each operation
        self._ended: dict[str, Fact] = {}  # what a retry would open again
        self._told: dict[str, Fact] = {}  # what was said of each operation when it was in doubt the last time
        self._failed = ""

    def take(self, entry: Fact) -> None:
        kind, op = entry["type"], str(entry.get("op") or "")
        if kind == "doubt":
            self.open[op] = self._told[op] = entry
        elif kind == "skipped" and op in self.open:  # what somebody said did not fit; another word may
            self.open[op] = self.open[op] | {"refused": self.open[op].get("refused", 0) + 1}
        elif kind in _GOES_ON:
            self.open.pop(op, None)
            self._ended.pop(op, None)
            if (doubt := doubt_of(entry)) is not None:
                told = self._told.get(op, {})
                self._ended[op] = doubt | {name: told[name] for name in ("arguments", "key") if name in told}
        elif kind == "retry":
            wanted = str(entry.get("op") or self._failed)
            for other, doubt in self._ended.items():
                if wanted and (other == wanted or other.startswith(f"{wanted}.")):
                    self.open[other] = doubt
        elif kind in _ENDS or (kind == "checkpoint" and "state" not in entry):
            self.open.clear()
            if kind == "failed":
                error: Fact = entry.get("error") or {}
                self._failed = str(error.get("op") or "")
