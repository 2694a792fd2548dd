"""A workbench for tests of the engine: virtual time, a shared ledger, processes that are started by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from overwinter.orchestrator.engine.settings import Settings
from overwinter.orchestrator.handles import Handle
from overwinter.orchestrator.protocol.decider import Fact
from overwinter.state.records import FINAL
from overwinter.testing import Faults, Ledger, Process, VirtualLoop, run_virtual


@dataclass(frozen=True)
class Onlooker(Settings):
    """Of a process that takes in what is sent and works on nothing, as if it were busy all the time."""

    max_active: int = 0

    def __post_init__(self) -> None:
        """No process that people start may have this."""


class Bench:
    """Processes over one ledger."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.ledger = Ledger()
        self.processes: list[Process] = []

    async def process(
        self, *functions: object, faults: Faults | None = None, onlooker: bool = False, **settings: Any
    ) -> Process:
        """Start another process. An ``onlooker`` takes in what is sent and works on nothing."""
        name = f"p{len(self.processes) + 1}"
        kind = Onlooker() if onlooker else Settings()
        process = Process(self.loop, name, self.ledger, functions, replace(kind, **settings), faults=faults)
        self.processes.append(process)
        await process.start()
        return process

    async def start(self, process: Process, function: str, id: str, input: Any = None) -> Handle[Any]:
        """Start an execution through the process."""
        return await process.call(lambda runtime: runtime.start(function, input, id=id))

    async def ended(self, id: str) -> Fact:
        """Wait for the end; the final entry."""
        while True:
            change = self.ledger.changed()
            head = self.ledger.head_now(id)
            if head is not None and head.status in FINAL and not head.owner:
                return self.ledger.journal_now(id)[-1]
            await change

    async def status(self, id: str, status: str) -> None:
        """Wait until the execution has the status and nobody holds it."""
        while True:
            change = self.ledger.changed()
            head = self.ledger.head_now(id)
            if head is not None and head.status == status and not head.owner:
                return
            await change

    def kinds(self, id: str) -> list[str]:
        return [fact["type"] for fact in self.ledger.journal_now(id)]


def at_bench(work: Callable[[Bench], Awaitable[None]], limit: str = "2h") -> None:
    """Run the test body; no promise may be broken on the way."""

    async def main(loop: VirtualLoop) -> None:
        bench = Bench(loop)
        try:
            await work(bench)
        finally:
            for process in bench.processes:
                process.kill()
        assert not bench.ledger.audit()

    run_virtual(main, limit)
