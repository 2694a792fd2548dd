"""What has become of one schedule, told by its journal alone: which times are dealt with, what waits, what is going on.

Entries are applied one by one, and a journal that is read again leads to the same state without asking a calendar: what
was found due stands in its ``due`` entries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...state.codec import dumps
from ...state.errors import InvalidInput
from ..protocol.decider import Fact, when
from .naming import run_id
from .spec import Spec, read

SHOWN = 10
"""How many ids of what is going on the head tells."""


class Due(NamedTuple):
    """A run that is to be begun. ``planned`` is None when somebody has asked for it. ``patient``: it waits for what is
    going on, whatever the schedule says of runs that meet."""

    id: str
    planned: int | None
    patient: bool = False


class Run(NamedTuple):
    """A run that was ordered. ``sent``: it is known to have been begun; ``told``: and to have been cancelled."""

    id: str
    planned: int | None
    sent: bool = False
    told: bool = False


class State:
    """Of the schedule ``name``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.spec: Spec | None = None
        self.wrong = ""  # why it can't be kept
        self.at = 0  # of the latest entry
        self.cursor = 0  # all times up to this one are dealt with
        self.tick: int | None = None  # a time has come, and what is due was not yet looked up
        self.queue: list[Due] = []
        self.running: dict[str, Run] = {}
        self.runs = 0  # ordered so far
        self.failures = 0  # runs that failed, one after the other
        self.last: dict[str, Any] | None = None  # how the latest run ended
        self.paused = False
        self.leaving = ""  # "withdrawn" or "cancelled": it ends when nothing is going on
        self.reason = ""
        self.final = ""

    def apply(self, entry: Fact) -> bool:
        """Whether it changes anything."""
        handler = self._HANDLERS.get(entry["type"])
        if handler is None or self.final or not handler(self, entry):
            return False
        self.at = max(self.at, when(entry))
        return True

    # -- what it is told -----------------------------------------------------------------------------

    def _start(self, entry: Fact) -> bool:
        if self.spec is not None or self.wrong:
            return False
        told: Any = entry["input"]
        self._read(told["spec"], told.get("input"))
        self.cursor = int(entry["at"])
        return True

    def _changed(self, entry: Fact) -> bool:
        if self.spec is None and not self.wrong:
            return False
        before, leaving = self.spec, self.leaving
        self.wrong = ""
        self._read(entry["spec"], entry.get("input"))
        if self.spec == before and not leaving:
            return False
        if leaving != "cancelled":
            self.leaving = ""  # it is wanted again
        self.cursor = max(self.cursor, int(entry["at"]))
        return True

    def _read(self, written: Any, input: Any) -> None:
        try:
            self.spec = read(written, input)
        except InvalidInput as error:
            self.wrong = str(error)
        except (TypeError, ValueError, AttributeError):
            self.wrong = "what the journal says of this schedule can't be read; change it"

    def _run(self, entry: Fact) -> bool:
        id = str(entry["id"])
        if self.leaving or any(due.id == id for due in self.queue) or self._op_of(id):
            return False
        self.queue.append(Due(id, None))
        return True

    def _withdrawn(self, entry: Fact) -> bool:
        if self.leaving:
            return False
        self.leaving, self.queue, self.tick = "withdrawn", [], None
        return True

    def _cancel(self, entry: Fact) -> bool:
        if self.leaving == "cancelled":
            return False
        self.leaving, self.queue, self.tick = "cancelled", [], None
        self.reason = str(entry.get("reason", "")) or "cancelled"
        return True

    def _paused(self, entry: Fact) -> bool:
        self.paused = True
        return True

    def _resumed(self, entry: Fact) -> bool:
        """What its times were while it was paused is nobody's loss."""
        if self.paused:
            self.paused = False
            self.cursor = max(self.cursor, int(entry["at"]))
        return True

    # -- what has happened ---------------------------------------------------------------------------

    def _timer(self, entry: Fact) -> bool:
        if self.leaving:
            return False
        self.tick = int(entry["at"])
        return True

    def _sent(self, entry: Fact) -> bool:
        op, _, verb = str(entry["op"]).partition(".")
        run = self.running.get(op)
        if run is None:
            return False
        self.running[op] = run._replace(told=True) if verb else run._replace(sent=True)
        return True

    def _child(self, entry: Fact) -> bool:
        op = str(entry.get("op") or self._op_of(str(entry["id"])))
        run = self.running.pop(op, None)
        if run is None:
            return False
        status = str(entry["status"])
        self.last = {"id": run.id, "status": status, "at": entry["at"]}
        self.failures = 0 if status == "completed" else self.failures + 1
        return True

    def _op_of(self, id: str) -> str:
        return next((op for op, run in self.running.items() if run.id == id), "")

    # -- what it has decided -------------------------------------------------------------------------

    def _due(self, entry: Fact) -> bool:
        planned: list[int] = entry["planned"]
        self.queue += [Due(run_id(self.name, time), time, len(planned) > 1) for time in planned]
        self.cursor, self.tick = max(self.cursor, int(entry["until"])), None
        return True

    def _ordered(self, entry: Fact) -> bool:
        self._unqueue(str(entry["id"]))
        self.runs += 1
        self.running[str(entry["op"])] = Run(str(entry["id"]), entry.get("planned"))
        return True

    def _skipped(self, entry: Fact) -> bool:
        self._unqueue(str(entry["id"]))
        return True

    def _unqueue(self, id: str) -> None:
        self.queue = [due for due in self.queue if due.id != id]

    def _ended(self, entry: Fact) -> bool:
        self.final = str(entry["type"])
        return True

    # -- all of it -----------------------------------------------------------------------------------

    def checkpoint(self) -> Fact:
        """The entry from which on alone it can be known."""
        assert self.spec is not None
        return {
            "type": "checkpoint",
            "at": self.at,
            "input": self.spec.input,
            "spec": self.spec.written(),
            "state": {
                "cursor": self.cursor,
                "queue": [list(due) for due in self.queue],
                "running": {op: list(run) for op, run in self.running.items()},
                "runs": self.runs,
                "failures": self.failures,
                "last": self.last,
                "leaving": self.leaving,
                "reason": self.reason,
            },
        }

    def _checkpoint(self, entry: Fact) -> bool:
        self._read(entry["spec"], entry.get("input"))
        kept: Any = entry["state"]
        self.cursor, self.runs, self.failures = kept["cursor"], kept["runs"], kept["failures"]
        self.queue = [Due(*due) for due in kept["queue"]]
        self.running = {op: Run(*run) for op, run in kept["running"].items()}
        self.last, self.leaving, self.reason = kept["last"], kept["leaving"], kept["reason"]
        return True

    def head(self, upcoming: int | None) -> str:
        """What people see of it without reading its journal."""
        told: dict[str, Any] = {"spec": {} if self.spec is None else self.spec.written(), "next": upcoming}
        told |= {"running": [run.id for run in self.running.values()][:SHOWN], "going": len(self.running)}
        told |= {"waiting": len(self.queue), "runs": self.runs, "failures": self.failures, "last": self.last}
        return dumps(told | ({"leaving": self.leaving} if self.leaving else {}))

    _HANDLERS: Mapping[str, Callable[[Any, Fact], bool]] = {
        "start": _start,
        "changed": _changed,
        "run": _run,
        "withdrawn": _withdrawn,
        "cancel": _cancel,
        "paused": _paused,
        "resumed": _resumed,
        "timer": _timer,
        "sent": _sent,
        "child": _child,
        "due": _due,
        "ordered": _ordered,
        "skipped": _skipped,
        "checkpoint": _checkpoint,
        "completed": _ended,
        "cancelled": _ended,
        "terminated": _ended,
    }
