"""What stands in the store at the end, compared with what the processes noted: every broken promise is a sentence.

- Everything has ended: final or an idle session, nobody's lease, nothing to wake it, no mail left.
- A journal records every operation, message, event and reply once, and ends when it says so.
- A recorded result is that of a call that was made, and no call of it was begun by a process that knew the
  execution at a version with that result in it.
- A call follows only from results that are recorded. So a process that lost its lease published nothing that came
  after its lost commit: the nonce it would have passed on is recorded nowhere.
- What may happen once was called once.
- After a conflict a process does nothing more for the execution until it is given the lease again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from overwinter import Runtime
from overwinter.orchestrator.protocol.decider import Fact
from overwinter.state.codec import loads
from overwinter.state.records import FINAL, Filter, Head
from overwinter.testing import Ledger
from overwinter.tests.processes.node import digest
from overwinter.tests.processes.notes import Note

CALLS = ("step", "tool")
"""Entries with the outcome of a call that notes itself."""


class Findings(NamedTuple):
    """``wrong`` is empty when every promise was kept. The rest says what the run was like."""

    wrong: list[str]
    executions: int
    entries: int
    calls: int
    again: int  # calls whose result was not recorded: their process died, or failed, or had lost its lease
    conflicts: int


class Audit:
    """Reads everything from ``runtime``'s store."""

    def __init__(self, runtime: Runtime, notes: list[Note]) -> None:
        self.wrong: list[str] = []
        self._runtime = runtime
        self._notes: dict[str, list[Note]] = defaultdict(list)
        for line in notes:
            self._notes[line["what"]].append(line)
        self._order = notes
        self._versions = {
            (line["id"], text): line["version"] + 1 for line in self._notes["commits"] for text in line["entries"]
        }
        self._calls = {line["nonce"]: line for line in self._notes["called"]}
        self._recorded: set[str] = set()  # nonces
        self._known: dict[tuple[str, str, str], int] = {}  # (execution, op, name) -> version with its result
        self._entries = 0

    async def run(self) -> Findings:
        heads = await self.heads()
        for head in heads:
            await self._check_execution(head)
        self._check_calls()
        self._check_fences()
        return Findings(
            self.wrong,
            len(heads),
            self._entries,
            len(self._calls),
            len(self._calls) - len(self._recorded),
            len(self._notes["conflict"]),
        )

    async def heads(self) -> list[Head]:
        found: dict[str, Head] = {}
        cursor: str | None = None
        while True:
            page = await self._runtime.store.executions(Filter(), cursor, 200)
            found |= {head.id: head for head in page.heads}
            cursor = page.cursor
            if cursor is None:
                return list(found.values())

    # -- executions ----------------------------------------------------------------------------------

    async def _check_execution(self, head: Head) -> None:
        id, store = head.id, self._runtime.store
        if list(under_way([head])):
            self._broken(id, f"has not ended: {head}")
        waiting, bodies = await store.mailbox(id)
        if waiting:
            self._broken(id, f"has {waiting} mails left: {bodies[:3]}")
        facts = [fact async for fact in self._runtime.entries(id)]
        self._entries += len(facts)
        if head.length != len(facts):
            self._broken(id, f"counts {head.length} entries and has {len(facts)}")
        if head.status in FINAL and (not facts or head.status not in [fact["type"] for fact in facts]):
            self._broken(id, f"is {head.status}, and its journal says nothing of it")
        self._check_journal(id, facts)
        texts: list[str] = []
        while more := await store.history(id, len(texts)):
            texts += more
        for text in texts:
            self._check_result(id, text)
        for fact in facts:
            self._check_nonce(id, fact)

    def _check_journal(self, id: str, facts: list[Fact]) -> None:
        ledger = Ledger()
        for fact in facts:
            ledger._check_entry(id, ledger.book(id), fact)
        self.wrong += ledger.violations

    def _check_result(self, id: str, text: str) -> None:
        fact: Any = loads(text)
        if fact["type"] not in (*CALLS, "model"):
            return
        version = self._versions.get((id, digest(text)))
        if version is None:
            self._broken(id, f"nobody has committed {text[:200]}")
        else:
            self._known[id, fact["op"], fact.get("name", "")] = version

    def _check_nonce(self, id: str, fact: Fact) -> None:
        if fact["type"] not in CALLS or "value" not in fact:
            return
        nonce = _nonce(fact["value"])
        if nonce is None:
            return
        made = self._calls.get(nonce)
        if made is None or (made["id"], made["op"]) != (id, fact["op"]):
            self._broken(id, f"operation {fact['op']} has the result of a call that it did not make: {fact}")
        if nonce in self._recorded:
            self._broken(id, f"the result of operation {fact['op']} is recorded twice")
        self._recorded.add(nonce)

    # -- calls ---------------------------------------------------------------------------------------

    def _check_calls(self) -> None:
        single: Counter[tuple[str, str]] = Counter()
        for made in self._notes["called"]:
            missing = [cause for cause in made["after"] if cause not in self._recorded]
            if missing:
                self._broken(made["id"], f"{made['name']} was called after {missing}, which nobody recorded: {made}")
            if made["name"] == "once" or made["name"].startswith("charge "):
                single[made["id"], made["name"]] += 1
        for (id, name), times in single.items():
            if times > 1:
                self._broken(id, f"{name} may happen once and was called {times} times")
        for begun in self._notes["invoked"]:
            version = self._known.get((begun["id"], begun["op"], begun["name"]))
            if version is not None and begun["version"] >= version:
                self._broken(begun["id"], f"was at {version} when {begun['name']} had a result: called again: {begun}")

    def _check_fences(self) -> None:
        lost: dict[tuple[str, str], int] = {}  # (execution, owner) -> the version that it could not commit upon
        leased: dict[tuple[str, str], int] = {}  # … -> the version that it was last given
        for line in self._order:
            if line["what"] not in ("conflict", "granted", "invoked"):
                continue
            key = (line["id"], line["owner"])
            if line["what"] == "granted":
                lost.pop(key, None)
                leased[key] = line["version"]
            elif line["what"] == "conflict":
                # A commit that gave a lease back, and whose answer was lost, is sent until it is answered; by then the
                # same process may hold the next lease, of a later version, which this answer says nothing about.
                if line["version"] >= leased.get(key, 0):
                    lost[key] = line["version"]
            elif key in lost and line["version"] > lost[key]:
                self._broken(line["id"], f"{line['owner']} lost it at version {lost[key]} and went on: {line}")

    def _broken(self, id: str, what: str) -> None:
        self.wrong.append(f"{id}: {what}")


def _nonce(value: object) -> str | None:
    """The nonce that a call's result carries."""
    if isinstance(value, dict):
        nonce = value.get("nonce")
        return nonce if isinstance(nonce, str) else None
    if isinstance(value, str) and value.startswith("nonce "):
        return value.removeprefix("nonce ")
    return None


def under_way(heads: list[Head]) -> Iterator[Head]:
    """Those that have not come to rest."""
    for head in heads:
        rests = head.status in FINAL or (head.status == "idle" and head.kind == "agent")
        if not rests or head.owner is not None or head.wake is not None:
            yield head
