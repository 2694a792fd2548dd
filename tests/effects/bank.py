"""A payment service that outlives every crash: what was paid under which key, and how often."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from overwinter import Settings, current_call, tool
from overwinter.functions.effects import Done, NotDone, Unknown
from overwinter.testing import VirtualLoop, World, run_virtual


class Bank:
    """``paid`` counts the payments of an order. ``answers`` is what it says when it is asked, when not the truth."""

    def __init__(self) -> None:
        self.paid: Counter[str] = Counter()
        self.receipts: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[object] = []
        self.hangs = False

    def clear(self) -> None:
        self.paid.clear()
        self.receipts.clear()
        self.asked.clear()
        self.answers.clear()
        self.hangs = False

    def pay(self, key: str, order: str) -> str:
        self.paid[order] += 1
        self.receipts[key] = f"receipt of {order}"
        return self.receipts[key]

    async def wired(self, key: str, order: str) -> str:
        """The same, and the first answer never comes."""
        receipt = self.pay(key, order)
        if self.hangs:
            self.hangs = False
            await asyncio.sleep(10 * 86400)
        return receipt

    def ask(self, key: str, arguments: dict[str, Any]) -> Any:
        self.asked.append((key, arguments))
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, BaseException):
                raise answer
            return answer
        return Done(self.receipts[key]) if key in self.receipts else NotDone()


bank = Bank()


async def look(key: str, arguments: dict[str, Any]) -> Done | NotDone | Unknown:
    found: Done | NotDone | Unknown = bank.ask(key, arguments)
    return found


def look_in_thread(key: str, arguments: dict[str, Any]) -> Any:
    return bank.ask(key, arguments)


@tool(effect="reconcilable", reconcile=look)
async def pay(order: str) -> str:
    """Pay an order."""
    return bank.pay(current_call().idempotency_key, order)


@tool(effect="irreversible")
async def wire(order: str) -> str:
    """Wire the money for an order."""
    return await bank.wired(current_call().idempotency_key, order)


Scenario = Callable[[World], Awaitable[Any]]


def played(scenario: Scenario, *functions: object) -> Any:
    """A scenario in virtual time."""

    async def main(loop: VirtualLoop) -> Any:
        world = World(loop, functions, Settings(lease="7d", poll="1d"))
        try:
            return await scenario(world)
        finally:
            world.end()
            assert not world.ledger.audit()

    return run_virtual(main)


async def dying(world: World, function: object, input: Any, id: str) -> None:
    """An execution whose process dies when the bank has been told, and before it has answered."""
    bank.clear()
    bank.hangs = True
    await world.start(function, input, id=id)
    await asyncio.sleep(1)
    assert sum(bank.paid.values()) == 1
    world.process.kill()


def ran(target: object, input: Any = None) -> Any:
    """What comes of an execution, without a crash."""

    async def scenario(world: World) -> Any:
        return await (await world.start(target, input, id="x")).result()

    return played(scenario, target)
