"""The world around the processes: an outside client that lives on while processes die and are started again.

A scenario is written against it. Every request carries a stable id and is repeated on the next process until
one has answered, as a careful client would do; so its effect is the same with and without a crash.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from ..functions.bus.broker import Broker
from ..functions.runtime import Runtime
from ..orchestrator.engine.engine import Engine
from ..orchestrator.engine.settings import Settings
from ..orchestrator.governance.approvals.proposal import Proposal, op_of
from ..orchestrator.governance.approvals.standing import Standing
from ..orchestrator.governance.doubts import Doubts
from ..orchestrator.protocol.decider import Fact
from ..orchestrator.usercode.reconciling import Done, GiveUp, NotDone
from ..state.errors import AlreadyFinished, InvalidInput
from ..state.quantities import Duration, seconds
from ..state.records import FINAL, Head
from .clock import VirtualLoop
from .faults import Faults
from .ledger import Ledger
from .process import Died, Process

T = TypeVar("T")


class Run(NamedTuple):
    """A started execution."""

    world: World
    id: str

    async def result(self) -> Any:
        """Its output, typed. Raises ExecutionFailed, ExecutionCancelled, ExecutionTerminated, ExecutionStuck."""
        return await self.world.result(self.id)


class Message(NamedTuple):
    """A message in the mailbox of a session."""

    world: World
    execution: str
    id: str

    async def reply(self) -> Any:
        """The agent's answer, typed. Raises the error that it was answered with."""
        return await self.world.reply(self.execution, self.id)


class World:
    """One process at a time serves ``functions`` from a shared store; when it dies, the next one starts.

    ``faults`` makes the faults of each incarnation, given the process's number (from 0). ``ledger`` is the store, by
    default one in memory. ``broker`` carries what is published, by default the store. Two worlds on one ledger are two
    machines: give each another ``name``, which its processes are called by.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        functions: Iterable[object],
        settings: Settings,
        faults: Callable[[int, World], Faults] = lambda number, world: Faults(),
        engine: type[Engine] = Engine,
        ledger: Ledger | None = None,
        broker: Broker | None = None,
        name: str = "process",
    ) -> None:
        self.ledger = ledger or Ledger()
        self._name = name
        self._broker = broker
        self.processes: list[Process] = []
        self._loop = loop
        self._functions = list(functions)
        self._settings = settings
        self._faults = faults
        self._engine = engine
        self._names: Counter[str] = Counter()
        self._up = asyncio.Event()
        self._supervisor = loop.create_task(self._supervise(), context=contextvars.Context())

    async def _supervise(self) -> None:
        while True:
            process = Process(
                self._loop,
                f"{self._name} {len(self.processes) + 1}",
                self.ledger,
                self._functions,
                self._settings,
                faults=self._faults(len(self.processes), self),
                engine=self._engine,
                broker=self._broker,
            )
            self.processes.append(process)
            try:
                await process.start()
            except Died:
                continue
            self._up.set()
            await process.death()
            self._up.clear()

    @property
    def process(self) -> Process:
        """The latest incarnation."""
        return self.processes[-1]

    def end(self) -> None:
        """No process runs on, and of those that died nothing is left that Python could finalise with a word."""
        self._supervisor.cancel()
        for process in self.processes:
            process.kill()
            process.bury()

    async def call(self, work: Callable[[Runtime], Awaitable[T]]) -> T:
        """Ask the runtime of the living process, again and again until one has answered."""
        while True:
            await self._up.wait()
            try:
                return await self.process.call(work)
            except Died:
                await asyncio.sleep(0)

    async def _effect(self, work: Callable[[Runtime], Awaitable[object]]) -> None:
        """Like ``call``, for what is refused when it is repeated after it took effect."""
        before = len(self.processes)
        try:
            await self.call(work)
        except InvalidInput:
            if len(self.processes) == before:
                raise

    async def until(self, look: Callable[[], T | None]) -> T:
        """Wait for the first answer that is not None; looks again after every commit."""
        while True:
            change = self.ledger.changed()
            found = look()
            if found is not None:
                return found
            await change

    def _stable(self, what: str) -> str:
        self._names[what] += 1
        return f"{what}-{self._names[what]}"

    # -- what a client does --------------------------------------------------------------------------

    async def start(self, function: object, input: Any = None, *, id: str | None = None) -> Run:
        """Start a workflow or an agent run."""
        name = id or self._stable(_name(function))
        await self.call(lambda runtime: runtime.start(function, input, id=name))
        return Run(self, name)

    async def send(self, agent: object, session: str, content: Any, *, id: str | None = None) -> Message:
        """Send a message to an agent session."""
        message = id or self._stable("message")
        sent = await self.call(lambda runtime: runtime.send(agent, session, content, id=message))
        return Message(self, sent.execution, message)

    async def signal(self, id: str, name: str, data: Any = None) -> None:
        """Send the event ``name`` to an execution. It takes effect once."""
        event = self._stable("event")
        await self._effect(lambda runtime: runtime.signal(id, name, data, event_id=event, source="world"))

    async def approve(
        self,
        id: str,
        op: str | None = None,
        *,
        by: str = "world",
        reason: str = "",
        arguments: Mapping[str, Any] | None = None,
        standing: Standing | None = None,
    ) -> None:
        """Wait until the approval is open, then approve it; with other ``arguments``, when they are given, and with
        what is said of later calls."""
        said: dict[str, Any] = {"by": by, "reason": reason, "arguments": arguments, "standing": standing}
        await self._say(id, op, lambda runtime, op: runtime.decide(id, op, True, **said))

    async def deny(self, id: str, op: str | None = None, *, by: str = "world", reason: str = "") -> None:
        """Wait until the approval is open, then deny it."""
        await self._say(id, op, lambda runtime, op: runtime.decide(id, op, False, by=by, reason=reason))

    async def delegate(
        self, id: str, op: str | None = None, *, by: str = "world", role: str = "", to: str = ""
    ) -> None:
        """Wait until the approval is open, then give it to somebody else to decide."""
        await self._say(id, op, lambda runtime, op: runtime.delegate(id, op, by=by, role=role, to=to))

    async def _say(self, id: str, op: str | None, work: Callable[[Runtime, str], Awaitable[object]]) -> None:
        def find() -> str | None:
            waiting = self.open_approvals(id)
            if op is None:
                return str(waiting[0]["op"]) if waiting else None
            return op if any(fact["op"] == op for fact in waiting) else None

        chosen = await self.until(find)
        before = self._undecided(id)[chosen]
        await self._effect(lambda runtime: work(runtime, chosen))
        await self.until(lambda: True if self._undecided(id).get(chosen) != before else None)

    async def resolve(
        self, id: str, outcome: Done | NotDone | GiveUp, op: str | None = None, *, by: str = "world", reason: str = ""
    ) -> None:
        """Wait until the call is in doubt, then say what came of it."""

        def find() -> str | None:
            return next((one for one in self.doubts(id) if op in (None, one)), None)

        chosen = await self.until(find)
        with suppress(AlreadyFinished):  # the process that it was said to has died after it had taken it
            await self._effect(lambda runtime: runtime.resolve(id, chosen, outcome, by=by, reason=reason))
        await self.until(lambda: True if chosen not in self.doubts(id) else None)

    def doubts(self, id: str) -> dict[str, Fact]:
        """The ``doubt`` entries of calls of which nobody has said what came of them."""
        found = Doubts()
        for fact in self.ledger.journal_now(id):
            found.take(fact)
        return found.open

    def open_approvals(self, id: str) -> list[Fact]:
        """The ``ordered`` entries of approvals that nobody has decided, as things stand."""
        return list(self._undecided(id).values())

    def _undecided(self, id: str) -> dict[str, Fact]:
        opened: dict[str, Proposal] = {}
        for fact in self.ledger.journal_now(id):
            if fact["type"] == "ordered" and fact.get("kind") == "approval":
                opened[fact["op"]] = Proposal(fact)
            elif fact["type"] in ("decided", "delegated", "timer"):
                if (proposal := opened.get(op_of(fact))) is not None:
                    proposal.take(fact)
            elif fact["type"] in ("checkpoint", "reply", *FINAL):
                opened.clear()
        return {op: proposal.shown() for op, proposal in opened.items() if proposal.outcome is None}

    async def complete(self, token: str, value: Any = None) -> None:
        """Complete the callback of ``token``, as the outside system does."""
        await self._effect(lambda runtime: runtime.callback(token, value=value))

    async def fail(self, token: str, error: str) -> None:
        """Fail the callback of ``token``."""
        await self._effect(lambda runtime: runtime.callback(token, error=error))

    async def heartbeat(self, token: str) -> None:
        """Say that the outside system is still at work on the callback of ``token``."""
        beat = self._stable("beat")
        await self._effect(lambda runtime: runtime.heartbeat(token, event_id=beat, source="world"))

    async def cancel(self, id: str) -> None:
        await self._effect(lambda runtime: runtime.cancel(id, by="world"))

    async def terminate(self, id: str) -> None:
        await self._effect(lambda runtime: runtime.terminate(id, by="world"))

    async def pause(self, id: str) -> None:
        await self._effect(lambda runtime: runtime.pause(id, by="world"))

    async def resume(self, id: str) -> None:
        await self._effect(lambda runtime: runtime.resume(id, by="world"))

    async def retry(self, id: str) -> None:
        await self._effect(lambda runtime: runtime.retry(id, by="world"))

    async def sleep(self, duration: Duration) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(seconds(duration))

    # -- what a client reads -------------------------------------------------------------------------

    def head(self, id: str) -> Head | None:
        """The head as it stands in the store."""
        return self.ledger.head_now(id)

    def journal(self, id: str) -> list[Fact]:
        """The journal as it stands in the store."""
        return self.ledger.journal_now(id)

    async def reached(self, id: str, *statuses: str) -> str:
        """Wait until the execution has one of these statuses; which."""

        def look() -> str | None:
            head = self.ledger.head_now(id)
            return head.status if head is not None and head.status in statuses else None

        return await self.until(look)

    async def result(self, id: str) -> Any:
        """Wait for the end of an execution."""
        await self.reached(id, "stuck", *FINAL)
        return await self.call(lambda runtime: runtime.result(id))

    async def reply(self, execution: str, message: str) -> Any:
        """Wait for the reply to a message."""

        def look() -> bool | None:
            replied = self.ledger.book(execution).rules.has("reply", message)
            head = self.ledger.head_now(execution)
            over = head is not None and head.status in (*FINAL, "stuck")
            return True if replied or over else None

        await self.until(look)
        return await self.call(lambda runtime: runtime.reply(execution, message))


def _name(function: object) -> str:
    served = getattr(function, "__overwinter__", function)
    return served if isinstance(served, str) else str(getattr(served, "name", "run"))
