"""One life of a workflow function, from its start or checkpoint to its end: the open operations, what they want
done, and what the journal holds ahead while it is replayed. Operations order here; the decider delivers here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Set
from typing import Any, Protocol, cast

from ...state.codec import Writer, stored
from ...state.errors import InvalidInput
from ...state.records import PAYLOAD_LIMIT
from ..errors import failures
from ..governance import tokens
from ..governance.approvals.standing import Standings
from ..governance.budgets.lending import Lending
from ..protocol import failure_log
from ..protocol.callers import caller_of
from ..protocol.calls import OpenCalls
from ..protocol.decider import Effect, Fact, Post, Publish, Spawn, when
from ..protocol.entries import encode
from ..protocol.keeping import Kept
from ..usercode.resilience import Policy
from . import mismatch, unawaited
from .loop import Halt, Loop, Task
from .timers import Timers


class Open(Protocol):
    """An operation that is not over, as its run knows it."""

    op: str
    name: str

    @property
    def args(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def outside(self) -> bool: ...
    def take(self, value: Any) -> None: ...
    def fail(self, error: BaseException) -> None: ...
    def leave(self) -> None: ...
    def unfit(self, fact: Fact) -> Exception | None: ...


class Listener(Protocol):
    """An operation that takes the first event which fits, as its run knows it. ``why``: the last one did not."""

    why: Exception | None

    @property
    def type(self) -> Any: ...
    def accepts(self, fact: Fact) -> bool: ...
    def misfit(self, data: Any) -> Exception | None: ...
    def pass_over(self, fact: Fact) -> None: ...


class Origin:
    """What a run begins from: a ``start`` or a ``checkpoint`` entry. ``first`` is the number of its first operation."""

    __slots__ = (
        "at", "caller", "delivery", "depth", "first", "input", "note", "parent", "seed", "standing", "used",
    )  # fmt: skip

    def __init__(self, fact: Fact) -> None:
        self.at: int = when(fact)
        self.input: Any = fact.get("input")
        self.seed: str = str(fact.get("seed", ""))
        self.parent: str | None = fact.get("parent")
        self.depth: int = fact.get("depth", 0)
        self.first: int = fact.get("first", 0)
        self.note: str = fact.get("note", "")
        self.caller: Mapping[str, Any] = caller_of(fact)
        self.delivery: Mapping[str, Any] = fact.get("delivery", {})
        self.standing: list[Fact] = fact.get("standing", [])
        self.used: Mapping[str, Any] = fact.get("used", {})


class Run:
    """State and services of one life. Pure: nothing here reaches outside."""

    __slots__ = (
        "_reason", "abandoned", "accept", "branches", "calls", "cancelling", "children", "ending", "events",
        "failures", "following", "fresh", "function", "halted", "id", "leaving", "lending", "limit", "listeners",
        "loop", "loose", "main", "note", "number", "ops", "origin", "own", "passed", "passed_on", "people", "policy",
        "recorded", "renewed", "reopened", "replaying", "result", "retried", "sagas", "seen", "skipped", "standings",
        "stuck", "timers", "undoing", "unsent", "unwanted",
    )  # fmt: skip

    def __init__(self, id: str, function: str, policy: Policy, at: int = 0) -> None:
        self.id = id
        self.function = function
        self.policy = policy
        self.timers = Timers(at, self.ask)
        self.loop = Loop(id, self.timers)  # type: ignore[abstract]  # what it lacks refuses by name
        self.calls = OpenCalls()
        self.ops: dict[str, Open] = {}
        self.fresh: dict[str, Effect] = {}  # ordered and not handed out; calls are in self.calls
        self.unsent: dict[str, Spawn | Post | Publish] = {}  # not yet confirmed
        self.leaving: dict[str, None] = {}  # children to cancel as soon as their start is confirmed
        self.children: dict[str, str] = {}  # id to operation, of those not known to have ended
        self.people: dict[str, Open] = {}  # what somebody outside is to do
        self.own: dict[str, Fact] = {}  # entries to journal
        self.branches: dict[str, str] = {}  # names of branches, by the path that their operations begin with
        self.abandoned: list[str] = []
        self.events: dict[str, list[Kept]] = {}  # arrived before anybody waited
        self.number = 0  # of the entry that is being taken
        self.listeners: dict[str, list[Listener]] = {}
        self.recorded: dict[str, Fact] = {}  # what the journal holds ahead, by operation
        self.loose: dict[str, list[Fact]] = {}  # the same of what is dropped unless the code asks for it in time
        self.renewed: dict[str, tuple[int, int]] = {}  # reopened by retry: when, and how many times
        self.standings = Standings()
        self.origin: Origin | None = None
        self.lending = Lending({})
        self.main: Task[Any] | None = None
        self.note = ""
        self.halted = False
        self.cancelling = False
        self._reason = ""
        self.stuck = ""
        self.replaying = False
        self.skipped: Set[str] = frozenset()  # events that the journal says were passed over
        self.passed: dict[str, None] = {}  # and those that were in this life
        self.retried: Set[str] = frozenset()  # operations that ``retry`` opened again
        self.reopened: Set[str] = frozenset()  # those that are open again by that, in doubt or not
        self.seen: Set[str] = frozenset()  # where something was retried: operations that the journal tells of
        self.sagas = 0  # how many are open
        self.undoing: dict[str, int] = {}  # sagas that undid something, and the number of the entry that led to that
        self.failures: dict[str, int] = {}  # operations that failed, and the number of the entry that said so
        self.passed_on: list[BaseException] = []  # errors after which a saga undid what it had done
        self.unwanted: set[str] = set()  # calls of sagas that are being undone: what was not done is not made again
        self.ending: Fact | None = None  # final entry; waits until children are started and events published
        self.accept: Writer = stored  # the workflow's input, and what it returns, as plain JSON
        self.result: Callable[[Any], Any] = stored
        self.limit = PAYLOAD_LIMIT  # bytes that one value may have in the store
        self.following: Fact | None = None  # checkpoint entry; waits until nothing is unsent

    # -- life ----------------------------------------------------------------------------------------

    def begin(self, origin: Origin, body: Coroutine[Any, Any, Any]) -> None:
        self.origin = origin
        self.lending = Lending(origin.caller.get("budget", {}), origin.used)
        self.standings = Standings(origin.standing)
        self.note = self.note or origin.note
        self.main = self.loop.create_task(body, name="main")
        self.main.add_done_callback(self._ended)

    def turn(self) -> None:
        """Run the code as far as it gets."""
        self.loop.run()
        if self.loop.spinning and not self.stuck:
            self.stuck = f"the code goes round without waiting for anything{mismatch.place(self.main)}"
            self.halted = True
        if self.halted and not self.loop.halted:
            self.loop.halt()
        if self.halted:
            self.loop.shut()

    def halt(self) -> None:
        """Nothing runs on after the current callback."""
        self.halted = True
        self.loop.halt()

    def _ended(self, main: asyncio.Future[Any]) -> None:
        if self.halted:
            return
        self.ending = self._final(main)
        if self.lending.limited:
            self.ending["used"] = self.lending.used()
        self.halt()
        self.let_go()

    def _final(self, main: asyncio.Future[Any]) -> Fact:
        at = self.timers.now
        if main.cancelled():
            return {"type": "cancelled", "at": at, "reason": self._reason or "cancelled by its own code"}
        error = main.exception()
        if error is None:
            try:
                return {"type": "completed", "at": at, "value": self.result(main.result())}
            except InvalidInput as unfit:
                error = unfit
        failure = failures.encode(error)
        op = _origin_of(error)
        if op is not None:
            failure["op"] = op
        if self.undoing and self._undone(error, op):
            failure["undone"] = True
        if not self.replaying:
            failure_log.execution(self.id, op, error)
        return {"type": "failed", "at": at, "error": failure}

    def _undone(self, error: BaseException, op: str | None) -> bool:
        """Whether this failure made a saga undo what it had done, which a ``retry`` would take for done. The undoing
        alone may be opened again, where nothing else was undone meanwhile."""
        if op is None:
            return any(found is one for found in _chain(error) for one in self.passed_on)
        if op in self.undoing:
            return len(self.undoing) > 1
        return self.failures.get(op, 0) <= max(self.undoing.values())

    def cancel(self, reason: str) -> None:
        self.cancelling = True
        self._reason = reason or "cancelled"
        if self.main is not None:
            self.main.cancel(reason)

    def disagree(self, why: str) -> None:
        """What was recorded does not fit the code. The fact that shows it is journaled all the same: it happened."""
        self.stuck = self.stuck or why
        self.halt()

    def refuse(self, error: InvalidInput) -> bool:
        """Input that does not fit, of an event that was delivered by a process that could not check it: that is how it
        ends. False when somebody had checked it."""
        unchecked = self.origin is not None and bool(self.origin.delivery.get("unchecked"))
        if unchecked:
            self.ending = {"type": "failed", "at": self.timers.now, "error": failures.encode(error)}
        return unchecked

    def skip(self, key: str, entry: Fact) -> None:
        """Note what was passed over because it did not fit, so that people see it."""
        self.passed[key] = None
        self.own[f"skipped {key}"] = {"type": "skipped", "at": self.timers.now, **entry}

    def let_go(self) -> None:
        """The function is over: calls are abandoned, attached children are told."""
        if self.ops and not self.replaying and self.main is not None:
            unawaited.tell(self.id, self.main.get_coro())
        for op in list(self.ops.values()):
            if op.kind == "step":
                self.withdraw(op.op)
            elif op.kind == "child":
                op.leave()
        self.ops.clear()
        self.timers.clear()

    def begin_anew(self, input: Any, first: int) -> None:
        """A checkpoint: this life is over, the next one begins when everything it sent is confirmed."""
        if self.halted:
            raise Halt
        assert self.origin is not None
        following = {
            "type": "checkpoint",
            "input": input,
            "seed": tokens.next_seed(self.origin.seed),
            "first": first,
        }
        if self.origin.parent is not None:
            following["parent"] = self.origin.parent
        if self.origin.depth:
            following["depth"] = self.origin.depth
        if self.origin.caller:
            following["caller"] = self.origin.caller
        if self.lending.limited and (used := self.lending.used()):
            following["used"] = used
        if self.note:
            following["note"] = self.note
        if standing := self.standings.record():
            following["standing"] = standing
        self.fit(following)
        self.following = following
        self.let_go()
        self.halt()

    def ready_to_end(self) -> bool:
        return self.ending is not None and all(isinstance(effect, Post) for effect in self.unsent.values())

    def fit(self, entry: Fact) -> None:
        """Refuse an entry that the store could not take to the code that asks for it, which may go on with something
        smaller. Raises PayloadTooLarge."""
        encode(entry, self.limit)

    # -- ordering ------------------------------------------------------------------------------------

    def ask(self, op: str, kind: str, name: str, args: str | None = None) -> Fact | None:
        """The code asks for an operation. Returns what the journal holds ahead for it, if anything.
        Raises Halt when that is something else, or was given something else: the execution is stuck."""
        if self.halted:
            raise Halt
        if not self.recorded:
            return None
        entry = self.recorded.get(op)
        if entry is None:
            return None
        if mismatch.identity(entry) != (kind, name):
            self.stuck = mismatch.asked(self.id, op, (kind, name), entry)
        elif mismatch.differ(args, entry):
            self.stuck = mismatch.given(self.id, op, (kind, name), args, entry)
        else:
            return entry
        self.halt()
        raise Halt

    def open(self, operation: Open) -> Fact | None:
        entry = None
        if self.recorded or self.halted:
            entry = self.ask(operation.op, operation.kind, operation.name, operation.args)
        self.ops[operation.op] = operation
        if operation.outside:
            self.people[operation.op] = operation
        return entry

    def close(self, operation: Open) -> None:
        self.ops.pop(operation.op, None)
        self.people.pop(operation.op, None)

    def effect(self, effect: Effect) -> None:
        self.fresh[effect.op] = effect
        if isinstance(effect, (Spawn, Post, Publish)):
            self.unsent[effect.op] = effect

    def withdraw(self, op: str) -> None:
        """The call or access is no longer wanted."""
        if not self.calls.close(op):
            self.fresh.pop(op, None)
        self.abandoned.append(op)

    def ahead(self, op: str) -> Fact | None:
        """What the journal holds ahead for an operation; it may be dropped, when the code comes to it too late."""
        loose = self.loose.get(op) if self.loose else None
        return self.recorded.get(op) or (loose[0] if loose else None)

    def began(self, op: str) -> int:
        """When the operation counts as begun: now, or when ``retry`` opened it again."""
        renewed = self.renewed.get(op)
        return self.timers.now if renewed is None else max(self.timers.now, renewed[0])

    def branch_of(self, op: str) -> str:
        """The name of the branch that an operation lies in, "air/seat" of one in another; "" when it has none."""
        if not self.branches:
            return ""
        parts = op.split(".")
        paths = (".".join(parts[: length + 1]) for length in range(len(parts)))
        return "/".join(self.branches[path] for path in paths if path in self.branches)

    def settle(self, op: str) -> Open:
        """The operation is over, by an entry."""
        operation = self.ops.pop(op)
        if operation.kind != "step":
            self.people.pop(op, None)
        elif not self.calls.close(op):
            self.fresh.pop(op, None)
        return operation

    def never(self) -> bool:
        """Whether the code waits for nothing that can arrive."""
        return not (self.halted or self.ops or self.timers or self.unsent)


def _origin_of(error: BaseException) -> str | None:
    """The operation an error came from: its own, or that of an error it was raised from or groups."""
    return next((op for found in _chain(error) if (op := failures.origin(found)) is not None), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that it was raised from or groups, nearest first."""
    seen: set[int] = set()
    open_: list[BaseException | None] = [error]
    while open_:
        found = open_.pop(0)
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        if isinstance(found, BaseExceptionGroup):
            open_ += cast("BaseExceptionGroup[BaseException]", found).exceptions
        open_ += [found.__cause__, found.__context__]
