"""Workflows of random shape, as data: a generator, the workflow that carries a shape out, and what it must give.

Every step has a name of its own, so that the journal tells which step ran before which.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from overwinter.functions.agents.agent import Agent
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.protocol.decider import Fact
from overwinter.orchestrator.usercode.resilience import Retry
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import Denied, Final, InDoubt, StepFailed, TimedOut
from overwinter.tests.sim.desk import answers

Shape = dict[str, Any]
QUICK = Retry(attempts=12, first="60ms", factor=2.0, most="900ms", in_process="150ms")
JournalOf = Callable[[str], list[Fact]]


class Panic(BaseException):
    """As an extension in Rust raises it."""


def stop() -> None:
    next(iter(()))


def panic() -> None:
    raise Panic


async def leave() -> None:
    raise SystemExit


async def give_itself_up() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0.001)


async def stubborn() -> str:
    """Goes on when it is cancelled, and ends when nobody wants to know any more."""
    for _ in range(3):
        try:
            await asyncio.sleep(0.3)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
    return "late"


ODD: dict[str, Callable[[], Any]] = {"stop": stop, "panic": panic, "leave": leave, "give up": give_itself_up}


class Generator:
    """Random shapes from a seeded source."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._made = 0

    def _label(self) -> str:
        self._made += 1
        return f"n{self._made}"

    def shape(self, depth: int = 2) -> Shape:
        draw = self._draw
        kinds = ["step"] * 6 + ["flaky", "once", "sleep", "signal", "approve", "map", "chance"]
        kinds += ["state", "until", "callback", "agent", "odd", "late"]
        if depth:
            kinds += ["seq"] * 8 + ["par"] * 4 + ["gather", "child", "child", "child", "child", "detached", "again"]
            kinds += ["deadline"] * 6 + ["saga"] * 3
        return self._make(draw.choice(kinds), depth)

    def _make(self, kind: str, depth: int) -> Shape:
        draw = self._draw
        if kind == "deadline":  # it passes while a step is running
            asking, step = self._make("approve", 0), self._make("step", 0)
            items = [{**asking, "within": draw.choice((700, 1500))}, {**step, "ms": 2500}]
            return {"kind": "gather", "label": self._label(), "items": items}
        shape: Shape = {"kind": kind, "label": self._label()}
        if kind in ("step", "flaky", "once", "map"):
            shape["value"] = draw.randint(0, 999)
            shape["ms"] = draw.choice((0, 0, 1, 5, 30, 300, 2500))
        if kind == "flaky":
            shape["failures"] = draw.randint(1, 4)
        elif kind == "map":
            shape["count"] = draw.randint(0, 6)
        elif kind == "sleep":
            shape["ms"] = draw.choice((0, 10, 100, 700, 4000))
        elif kind in ("signal", "approve", "callback"):
            shape["within"] = draw.choice((0, 0, 300, 1500, 4000))  # ms in which it must come; 0: whenever
        elif kind in ("seq", "par", "gather"):
            shape["items"] = [self.shape(depth - 1) for _ in range(draw.randint(2, 4))]
        elif kind in ("child", "detached", "again"):
            shape["shape"] = self.shape(depth - 1)
        elif kind == "saga":
            shape["items"] = [self.shape(0), self.shape(0)]
            shape["count"], shape["fails"], shape["ms"] = (
                draw.randint(1, 4),
                draw.random() < 0.7,
                draw.choice((0, 5, 300)),
            )
        elif kind == "odd":
            shape["raises"] = draw.choice(sorted(ODD))
        return shape

    def failing(self) -> Shape:
        """A shape that fails at first, by itself or by its child, and goes on when somebody retries it."""
        failing: Shape = {"kind": "failing", "label": self._label(), "value": 7, "failures": self._draw.randint(1, 2)}
        inner = self._draw.choice(("", "child", "again"))
        if inner:
            failing = {"kind": inner, "label": self._label(), "shape": failing}
        return {"kind": "seq", "label": self._label(), "items": [failing, self.shape(1)]}

    def rounds(self) -> Shape:
        """A workflow that begins anew several times."""
        return {"kind": "rounds", "label": self._label(), "left": self._draw.randint(1, 4), "sum": 0}


def within(shape: Shape) -> Iterator[Shape]:
    """The shape and what it does itself; not what its children do."""
    yield shape
    for item in shape.get("items", ()):
        yield from within(item)


def children(shape: Shape) -> Iterator[Shape]:
    for item in within(shape):
        if item["kind"] in ("child", "detached", "again"):
            yield item


def fits(shape: Shape, value: Any) -> bool:
    """Whether ``value`` is a right outcome of the shape."""
    kind, label = shape["kind"], shape["label"]
    if kind in ("step", "flaky", "failing"):
        return bool(value == shape["value"])
    if kind == "once":
        return value in (shape["value"], "in doubt")
    if kind == "map":
        return bool(value == [shape["value"] + index for index in range(shape["count"])])
    if kind in ("seq", "par", "gather"):
        items = shape["items"]
        return len(value) == len(items) and all(map(fits, items, value))
    if kind in ("child", "again"):
        return fits(shape["shape"], value)
    if kind == "odd":
        return bool(value == "odd")
    if kind in ("detached", "state"):
        return isinstance(value, str)
    if kind == "saga":
        return bool(value == ("undone" if shape["fails"] else "done"))
    if kind == "until":
        return bool(value == "enough")
    if kind == "agent":
        return bool(value == answers(f"look {label}"))
    if kind in ("signal", "callback"):
        return bool(value == f"data of {label}" or (value == "late" and shape["within"]))
    if kind == "approve":
        return value in ("approved", "denied")
    if kind == "rounds":
        return bool(value == shape["sum"] + sum(range(1, shape["left"] + 1)))
    return value is None


class Doing:
    """Carries shapes out and notes what the outside saw. ``journal_of`` reads the store behind the engine's back."""

    def __init__(self, journal_of: JournalOf, agent: Agent) -> None:
        self._journal_of = journal_of
        self._agent = agent
        self.tokens: dict[str, str] = {}  # open callbacks: token -> label
        self.wrong: list[str] = []
        self.made: Counter[tuple[str, str]] = Counter()  # (execution, step) -> how often it was called
        self.shapes = workflow(self._shapes, name="shapes")  # type: ignore[call-overload] # a bound method will do
        self.rounds = workflow(self._rounds, name="rounds")  # type: ignore[call-overload]

    async def _shapes(self, ctx: Context, shape: Any) -> Any:
        return await self._do(ctx, shape, "")

    async def _rounds(self, ctx: Context, shape: Any) -> Any:
        left, total = shape["left"], shape["sum"]
        if not left:
            return total
        more = await ctx.step(self._add, total, left, name=f"{shape['label']} {left}")
        await ctx.sleep("20ms")
        await ctx.checkpoint({**shape, "left": left - 1, "sum": more})

    async def _add(self, one: int, other: int) -> int:
        return one + other

    async def _do(self, ctx: Context, shape: Shape, after: str) -> Any:
        """``after``: the step before this in the same sequence; its result must be durable by now."""
        kind, label = shape["kind"], shape["label"]
        if kind in ("step", "flaky", "once"):
            return await self._step(ctx, shape, after)
        if kind == "map":
            return await ctx.map(self._item(shape), range(shape["count"]), concurrency=3)
        if kind == "seq":
            return await self._sequence(ctx, shape["items"])
        if kind == "par":
            return await ctx.parallel(*(self._branch(item) for item in shape["items"]))
        if kind == "gather":
            return list(await asyncio.gather(*(self._do(ctx, item, "") for item in shape["items"])))
        if kind == "child":
            return await ctx.child(self.shapes, shape["shape"])
        if kind == "detached":
            return await ctx.child(self.shapes, shape["shape"], detached=True)
        if kind == "again":
            return await self._again(ctx, shape)
        if kind == "saga":
            return await self._saga(ctx, shape)
        if kind in ("odd", "late", "failing"):
            return await self._unusual(ctx, shape)
        if kind in ("signal", "approve", "callback"):
            return await self._ask(ctx, kind, label, shape["within"] / 1000 or None)
        if kind == "state":
            await ctx.state.put(label, {"value": label})
            return (await ctx.state.get(label))["value"]
        if kind == "until":
            return await ctx.until(self._poll, ctx.execution, label, every="300ms", factor=1.5)
        if kind == "agent":
            return await ctx.call(self._agent, f"look {label}")
        if kind == "sleep":
            await ctx.sleep(shape["ms"] / 1000)
        elif kind == "chance":
            ctx.random().random()
        return None

    async def _again(self, ctx: Context, shape: Shape) -> Any:
        """A child that is asked for again when it has ended."""
        id = f"{ctx.execution}/{shape['label']}"
        await ctx.child(self.shapes, shape["shape"], id=id)
        return await ctx.child(self.shapes, shape["shape"], id=id)

    async def _saga(self, ctx: Context, shape: Shape) -> str:
        """Calls that are undone, beside shapes that are none of theirs."""
        label = shape["label"]

        async def made(index: int) -> str:
            await asyncio.sleep(shape["ms"] / 1000)
            return f"{label} {index}"

        async def back(index: int, result: str) -> None:
            journal = [fact["name"] for fact in self._journal_of(ctx.execution) if fact["type"] == "step"]
            there = journal.count(f"{label} {index}")
            later = sum(f"undo {label} {other}" in journal for other in range(index + 1, shape["count"]))
            if result != f"{label} {index}" or there != 1 or later != shape["count"] - index - 1:
                self.wrong.append(f"{ctx.execution}: {label} {index} is undone out of turn: {there}, {later}")

        try:
            async with ctx.saga(label):
                calls = [
                    ctx.step(made, index, name=f"{label} {index}", undo=back, retry=QUICK)
                    for index in range(shape["count"])
                ]
                await asyncio.gather(*calls, *(self._do(ctx, item, "") for item in shape["items"]))
                if shape["fails"]:
                    raise Final(label)
        except Final:
            return "undone"
        return "done"

    async def _unusual(self, ctx: Context, shape: Shape) -> Any:
        """A call that fails in an odd way, one that is given up and reports all the same, one that fails at first."""
        kind, label = shape["kind"], shape["label"]
        if kind == "failing":
            return await ctx.step(self._fail, ctx.execution, shape, name=label)
        if kind == "odd":
            try:
                return await ctx.step(ODD[shape["raises"]], name=label)
            except StepFailed:
                return "odd"
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await ctx.step(stubborn, name=label)
        return None

    def _fail(self, execution: str, shape: Shape) -> int:
        tried = execution.partition("/")[0], shape["label"]  # a child is retried under another id
        self.made[tried] += 1
        if self.made[tried] <= shape["failures"]:
            raise ValueError(f"{shape['label']} fails at first")
        return int(shape["value"])

    async def _sequence(self, ctx: Context, items: list[Shape]) -> list[Any]:
        values: list[Any] = []
        after = ""
        for item in items:
            values.append(await self._do(ctx, item, after))
            after = item["label"] if item["kind"] in ("step", "flaky") else ""
        return values

    async def _hand_out(self, token: str, label: str) -> None:
        self.tokens[token] = label

    async def _poll(self, execution: str, label: str) -> str:
        self.made[execution, label] += 1
        return "enough" if self.made[execution, label] > 3 else ""

    def _branch(self, shape: Shape) -> Callable[[Context], Any]:
        async def branch(ctx: Context) -> Any:
            return await self._do(ctx, shape, "")

        return branch

    def _item(self, shape: Shape) -> Callable[[int], Any]:
        async def item(index: int) -> int:
            await asyncio.sleep(shape["ms"] / 1000)
            return int(shape["value"]) + index

        return item

    async def _ask(self, ctx: Context, kind: str, label: str, within: float | None) -> Any:
        """Wait for what somebody outside is to do."""
        try:
            if kind == "signal":
                return await ctx.wait_for(label, type=str, timeout=within)
            if kind == "approve":
                await ctx.approve(label, timeout=within)
                return "approved"
            callback = ctx.callback(label, type=str, timeout=within and 3 * within, heartbeat=within)
            await ctx.step(self._hand_out, callback.token, label, name=f"{label} token")
            return await callback
        except TimedOut:
            return "late"
        except Denied:
            return "denied"

    async def _step(self, ctx: Context, shape: Shape, after: str) -> Any:
        once = shape["kind"] == "once"
        retry = Retry(attempts=1) if once else QUICK
        try:
            return await ctx.step(
                self._call, ctx.execution, shape, after, name=shape["label"], retry=retry, at_most_once=once
            )
        except InDoubt:
            return "in doubt"

    async def _call(self, execution: str, shape: Shape, after: str) -> int:
        label = shape["label"]
        journal = self._journal_of(execution)
        if after and not any(fact["type"] == "step" and fact["name"] == after for fact in journal):
            self.wrong.append(f"{execution}: {label} was called before the result of {after} was durable")
        self.made[execution, label] += 1
        made = self.made[execution, label]
        if shape["kind"] == "once":
            if made > 1:
                self.wrong.append(f"{execution}: {label} is called at most once, and was called again")
            if not any(fact["type"] == "begun" and fact["name"] == label for fact in journal):
                self.wrong.append(f"{execution}: {label} was called before its beginning was durable")
        await asyncio.sleep(shape["ms"] / 1000)
        if made <= shape.get("failures", 0):
            raise ConnectionError(f"failure {made} of {label}")
        return int(shape["value"])
