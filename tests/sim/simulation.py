"""The deterministic simulator: several processes over one store in virtual time, a random workload, random
faults, and the promises checked all along. The same seed gives the same run.

``Simulation(seed).run()`` returns what was broken; nothing, if all is well.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from overwinter.functions.runtime import Runtime
from overwinter.orchestrator.engine.engine import Engine
from overwinter.orchestrator.engine.settings import Settings
from overwinter.state.errors import AlreadyFinished, InvalidInput, StoreError, Unfit, UnknownExecution
from overwinter.state.records import FINAL
from overwinter.testing import Died, Disturbed, Ledger, Moment, Process, VirtualLoop, Weather, run_virtual
from overwinter.tests.sim.desk import Desk, answers
from overwinter.tests.sim.shapes import Doing, Generator, Shape, fits, within

T = TypeVar("T")
CLEARING = 20.0  # when the faults stop, in seconds
PATIENCE = 120.0  # how long everything may take after that


class Result(NamedTuple):
    """``wrong`` is empty when every promise was kept."""

    wrong: list[str]
    executions: int
    kills: int
    conflicts: int
    commits: int
    again: int


class Simulation:
    """One world, made of ``seed``."""

    def __init__(
        self, seed: int, executions: int = 12, ledger: Callable[[], Ledger] = Ledger, engine: type[Engine] = Engine
    ) -> None:
        self.seed = seed
        self.draw = random.Random(seed)
        self.size = executions
        self.ledger = ledger()
        self.desk = Desk()
        self.doing = Doing(self.ledger.journal_now, self.desk.agent)
        self.functions: list[object] = [self.doing.shapes, self.doing.rounds, self.desk.agent]
        self.mischief: tuple[str, ...] = ("kill", "unnoticed", "stop", "hang", "outage", "nothing")
        self.processes: list[_SimulatedProcess] = []
        self.kills = 0
        self.wrong: list[str] = []
        self.shapes: dict[str, Shape] = {}  # execution started by a client -> its shape
        self.stopped: set[str] = set()  # executions that were told to cancel or terminate
        self.messages: dict[str, dict[str, str]] = {}  # session -> acknowledged messages
        self.replies: dict[tuple[str, str], Any] = {}
        self.unacknowledged = 0
        self._engine = engine
        self._skews: tuple[int, ...] = (0,)
        self._helped: set[tuple[str, str]] = set()  # who has been given what they need
        self._clients: list[asyncio.Task[None]] = []
        self._loop: VirtualLoop

    # -- the run -------------------------------------------------------------------------------------

    def run(self) -> Result:
        run_virtual(self._main, "2h")
        ledger = self.ledger
        return Result(
            wrong=[*self.wrong, *self.doing.wrong, *ledger.audit()],
            executions=len(ledger.heads_now()),
            kills=self.kills,
            conflicts=ledger.conflicts,
            commits=ledger.commits,
            again=ledger.again,
        )

    async def _main(self, loop: VirtualLoop) -> None:
        self._loop = loop
        loop.set_exception_handler(self._unhandled)
        self.set_up()
        for _ in range(self.draw.randint(2, 4)):
            await self._begin_process()
        actors = [loop.create_task(self._chaos()), loop.create_task(self._people())]
        for number in range(self.size):
            self._clients.append(loop.create_task(self._client(number)))
        await asyncio.sleep(CLEARING)
        actors[0].cancel()
        for process in self.processes:
            process.faults.weather, process.faults.outage_until = Weather(), 0.0
        await self._end(loop.time() + PATIENCE)
        for task in (*actors, *self._clients):
            task.cancel()
        for process in self.processes:
            process.kill()

    def set_up(self) -> None:
        """The weather and the settings of this world."""
        draw = self.draw
        self._weather = Weather(
            kill=draw.choice((0.0, 0.003, 0.012)),
            delay=draw.choice((0.0, 0.3, 0.9)),
            longest_delay=draw.choice((0.005, 0.05, 0.4)),
            stall=draw.choice((0.0, 0.001, 0.005)),
            refuse=draw.choice((0.0, 0.01, 0.05)),
            lose=draw.choice((0.0, 0.0, 0.02)),
        )
        self._settings = replace(
            Settings(),
            max_active=draw.choice((1, 2, 5, 1000)),
            cache=draw.choice((0, 2, 256)),
            grace="1s",
            deaths=0,  # who dies here dies at random
        )
        if draw.random() < 0.5:  # the store has a clock, and the machines' clocks are minutes apart
            self.ledger.clock = self._loop.clock
            self._skews = (0, 300_000, -300_000)

    def _unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        trace = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else ""
        self.wrong.append(f"unhandled: {context['message']}\n{trace}")

    async def _end(self, deadline: float) -> None:
        """Wait until all is done; what isn't by then was stranded."""
        while self._open() and self._loop.time() < deadline:  # noqa: ASYNC110  # nobody would set an event
            await asyncio.sleep(0.5)
        self.wrong += [f"{what} at the end" for what in self._open()]
        if not self.wrong:
            self._check_outcomes()

    # -- processes and faults ------------------------------------------------------------------------

    async def _begin_process(self) -> None:
        process = _SimulatedProcess(self, f"p{len(self.processes) + 1}")
        self.processes.append(process)
        while process.alive:
            try:
                return await process.start()
            except StoreError:
                await asyncio.sleep(0.1)
            except Died:
                break
        self._replace()

    def died(self) -> None:
        self.kills += 1
        self._replace()

    def _replace(self) -> None:
        """Start another process after a while."""
        work = self._later(self.draw.choice((0.0, 0.3, 3.0)))
        task = self._loop.create_task(work, context=contextvars.Context())  # not in the process that died
        self._clients.append(task)

    async def _later(self, pause: float) -> None:
        await asyncio.sleep(pause)
        await self._begin_process()

    async def _chaos(self) -> None:
        """Disturb whole processes: die between two operations, leave in order, hang, lose the store."""
        draw = self.draw
        while True:
            await asyncio.sleep(draw.uniform(0.2, 4.0))
            process = self._some_process()
            what = draw.choice(self.mischief)
            if process is None or what == "nothing":
                continue
            if what in ("kill", "unnoticed"):
                process.kill(noticed=what == "kill")
                self.died()
            elif what == "stop":
                self._clients.append(self._loop.create_task(self._stop(process)))
            elif what == "hang":
                await process.hang(draw.uniform(0.1, 8.0))
            else:
                process.faults.outage_until = self._loop.time() + draw.uniform(0.1, 5.0)

    async def _stop(self, process: Process) -> None:
        try:
            await process.stop()
        except (Died, StoreError):
            process.kill()
        self._replace()

    def _some_process(self) -> _SimulatedProcess | None:
        living = [process for process in self.processes if process.alive and process.runtime.ready]
        return self.draw.choice(living) if living else None

    # -- clients -------------------------------------------------------------------------------------

    async def _ask(self, work: Callable[[Runtime], Awaitable[T]]) -> T:
        """Ask any process until one has answered; now and then ask again though it has, or give up early."""
        draw = self.draw
        while True:
            process = self._some_process()
            if process is None:
                await asyncio.sleep(0.1)
                continue
            impatient = draw.random() < 0.1
            try:
                async with asyncio.timeout(draw.uniform(0, 0.1) if impatient else 30.0):
                    answer = await process.call(work)
                if draw.random() < 0.9:
                    return answer
            except (Died, StoreError, TimeoutError):
                pass
            await asyncio.sleep(draw.uniform(0, 0.5))

    async def _client(self, number: int) -> None:
        self.unacknowledged += 1
        await asyncio.sleep(self.draw.uniform(0, CLEARING * 0.6))
        kind = self.draw.choice(("shapes", "shapes", "shapes", "failing", "rounds", "desk"))
        if kind == "desk":
            await self._talk(f"s{number}")
        else:
            await self._start(kind, f"e{number}")
        self.unacknowledged -= 1

    def shape(self, kind: str) -> Shape:
        generator = Generator(self.draw)
        return {"rounds": generator.rounds, "failing": generator.failing}.get(kind, generator.shape)()

    async def _start(self, kind: str, id: str) -> None:
        shape = self.shapes[id] = self.shape(kind)
        function = "rounds" if kind == "rounds" else "shapes"
        await self._ask(lambda runtime: runtime.start(function, shape, id=id))
        for _ in range(self.draw.choice((0, 0, 0, 1, 2))):
            await asyncio.sleep(self.draw.uniform(0, 3.0))
            await self._act(id, self.draw.choice(("pause", "pause", "cancel", "terminate", "resume")))

    async def _act(self, id: str, action: str) -> None:
        try:
            if action in ("cancel", "terminate"):
                self.stopped.add(id)
            await self._ask(lambda runtime: runtime.act(action, id, by="simulation"))
            if action == "pause":
                await asyncio.sleep(self.draw.uniform(0, 4.0))
                await self._ask(lambda runtime: runtime.act("resume", id, by="simulation"))
        except AlreadyFinished:
            return

    async def _talk(self, session: str) -> None:
        """Several messages to one session, some of them at once."""
        sent = self.messages.setdefault(f"desk/{session}", {})

        async def say(number: int) -> None:
            id = f"m{number}"
            content = self.draw.choice((f"hello {id}", f"look a{id} b{id}", f"charge {session}{id}", f"draft {id}"))
            await self._ask(lambda runtime: runtime.send("desk", session, content, id=id))
            sent[id] = content

        for first in range(0, 6, 2):
            await asyncio.gather(say(first), say(first + 1))
            await asyncio.sleep(self.draw.uniform(0, 2.0))

    async def _people(self) -> None:
        """Send awaited events, decide approvals, complete callbacks; everything once, some of it again."""
        seen = self._helped
        called: set[str] = set()
        retried: set[tuple[str, int]] = set()
        while True:
            for head in self.ledger.heads_now():
                if head.status == "failed" and (head.id, head.version) not in retried:
                    retried.add((head.id, head.version))
                    self._clients.append(self._loop.create_task(self._retry(head.id)))
                if head.status == "paused" and self._loop.time() > CLEARING:  # a pause that overtook its end
                    self._clients.append(self._loop.create_task(self._act(head.id, "resume")))
                if head.function != "shapes" or head.status in FINAL:
                    continue
                for fact in self.ledger.journal_now(head.id):
                    for id, what in _needs(head.id, fact):
                        if (id, what) not in seen:
                            seen.add((id, what))
                            self._clients.append(self._loop.create_task(self._help(id, what, fact)))
            for token in [token for token in self.doing.tokens if token not in called]:
                called.add(token)
                self._clients.append(self._loop.create_task(self._complete(token, self.doing.tokens[token])))
            await asyncio.sleep(0.2)

    async def _retry(self, id: str) -> None:
        """Somebody opens what has failed again, or several do at once."""
        await asyncio.sleep(self.draw.uniform(0, 1.0))

        async def retry() -> None:
            try:
                await self._ask(lambda runtime: runtime.retry(id, by="simulation"))
            except (AlreadyFinished, InvalidInput):
                return  # it goes on already

        await asyncio.gather(*(retry() for _ in range(self.draw.choice((1, 1, 2, 3)))))

    async def _complete(self, token: str, label: str) -> None:
        try:
            for _ in range(self.draw.choice((0, 0, 1, 3))):
                await asyncio.sleep(self.draw.uniform(0, 1.0))
                await self._ask(lambda runtime: runtime.heartbeat(token))
            await asyncio.sleep(self.draw.uniform(0, 2.0))
            if self.draw.random() < 0.3:
                await self._misfit(lambda runtime: runtime.callback(token, value=[label]))
            for _ in range(self.draw.choice((1, 1, 2))):
                await self._ask(lambda runtime: runtime.callback(token, value=f"data of {label}"))
        except AlreadyFinished:
            return

    async def _help(self, id: str, what: str, fact: dict[str, Any]) -> None:
        pause, until = self.draw.uniform(0, 2.0), fact.get("until")
        if until is not None and self.draw.random() < 0.6:  # at the last moment
            pause = (until - self._loop.clock() - self.draw.choice((0, 1, 5, 50, 300))) / 1000
        await asyncio.sleep(max(0.0, pause))
        try:
            for _ in range(self.draw.choice((1, 1, 2))):
                await (self._decide(id, what) if fact["type"] == "ordered" else self._signal(id, what))
        except (AlreadyFinished, UnknownExecution):
            self._helped.discard((id, what))  # it may be opened again, and need it
        except InvalidInput as error:
            if "no open approval" not in str(error):
                raise

    async def _decide(self, id: str, op: str) -> None:
        approved = self.draw.random() < 0.7
        await self._ask(lambda runtime: runtime.decide(id, op, approved, by="simulation"))

    async def _signal(self, id: str, name: str) -> None:
        data = f"data of {name}"
        if self.draw.random() < 0.3:
            await self._misfit(lambda runtime: runtime.signal(id, name, [name], event_id=f"{name}?", source="sim"))
        await self._ask(lambda runtime: runtime.signal(id, name, data, event_id=name, source="sim"))

    async def _misfit(self, send: Callable[[Runtime], Awaitable[object]]) -> None:
        """Something of another type than is waited for: refused, or kept and passed over. It ends nothing."""
        with suppress(Unfit):
            await self._ask(send)

    # -- checks --------------------------------------------------------------------------------------

    def _open(self) -> list[str]:
        """What is not done yet."""
        waiting: list[str] = [f"{self.unacknowledged} clients have no answer"] if self.unacknowledged else []
        for head in self.ledger.heads_now():
            rests = head.status == "idle" and head.kind == "agent"
            ended = head.status in FINAL and head.status != "failed"
            if head.owner is not None or head.wake is not None or not (rests or ended):
                waiting.append(
                    f"{head.id} is {head.status} (owner {head.owner}, wake {head.wake}, awaits {head.awaits!r}, "
                    f"{self.ledger.waiting_mail(head.id)} mails)"
                )
        for session, sent in self.messages.items():
            rules = self.ledger.book(session).rules
            waiting += [f"message {id} of {session} has no reply" for id in sent if not rules.has("reply", id)]
        return waiting

    def _check_outcomes(self) -> None:
        for id, shape in self.shapes.items():
            head = self.ledger.head_now(id)
            if head is None:
                self.wrong.append(f"{id} was acknowledged and is lost")
                continue
            ending = self.ledger.journal_now(id)[-1]
            if head.status == "completed" and not fits(shape, ending["value"]):
                self.wrong.append(f"{id} has a wrong result {ending['value']} for {shape}")
            if head.status not in ("completed", *(("cancelled", "terminated") if id in self.stopped else ())):
                self.wrong.append(f"{id} ended as {head.status}: {ending}")
        for session, sent in self.messages.items():
            said: dict[str, str] = {}
            for fact in self.ledger.journal_now(session):
                if fact["type"] == "model" and "value" in fact:
                    said[fact["op"]] = fact["value"].get("text", "")
                value = said.get(fact.get("said", ""), fact.get("value"))
                if fact["type"] == "reply" and value != answers(sent[fact["to"]]):
                    self.wrong.append(f"{session} replied {fact} to {sent[fact['to']]!r}")
        self.wrong += [f"{what} was charged {n} times" for what, n in self.desk.made.items() if n > 1]


class _SimulatedProcess(Process):
    def __init__(self, simulation: Simulation, name: str) -> None:
        async def kill(moment: Moment) -> None:
            simulation.died()
            await self.die(noticed=simulation.draw.random() < 0.5)

        self.faults = Disturbed(simulation.draw, kill, self.hang)
        if simulation._loop.time() < CLEARING:
            self.faults.weather = simulation._weather
        super().__init__(
            simulation._loop,
            name,
            simulation.ledger,
            simulation.functions,
            simulation._settings,
            faults=self.faults,
            engine=simulation._engine,
            skew=simulation.draw.choice(simulation._skews),
        )


def _needs(id: str, fact: dict[str, Any]) -> list[tuple[str, str]]:
    """What somebody has to send, as an entry tells."""
    if fact["type"] == "ordered" and fact.get("kind") == "approval":
        return [(id, fact["op"])]
    if fact["type"] == "start" and "kind" in (fact.get("input") or {}):
        return [(id, item["label"]) for item in within(fact["input"]) if item["kind"] == "signal"]
    return []
