"""Finding executions by what no index tells: words, what they have cost, the session. Each page is looked for among a
bounded number of them, so it comes soon however many there are; it says how many were looked at, and where to go on.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from ..state.records import EVERYTHING, FINAL, Filter, Head, Scan
from .governance.usage import used_by
from .reading import Reading

MOST = 20_000
"""Executions that the store looks at for one page."""
MOST_READ = 1_500
"""… and that are read here, where the store can't tell which fit."""
FIRST = 200
"""… of them at first: where many fit, that is enough."""
STEP = 500
_SPENT = re.compile(r'"usage":\{[^{}]*"cost":"([0-9.]{1,30})"[^{}]*\}')
"""What an agent's own answers have cost, where it has used nothing beside."""
EXAMPLES = 10


class Sought(NamedTuple):
    """Which executions are meant: those of ``where`` that have all ``words`` in id, function, what they await or their
    note (upper and lower case are alike), have cost ``cost`` dollars at the least, and are sessions whose keys begin
    with ``session``."""

    where: Filter = EVERYTHING
    words: tuple[str, ...] = ()
    cost: Decimal | None = None
    session: str = ""

    @property
    def read(self) -> bool:
        """Whether heads have to be read to know which fit."""
        return self.words != () or self.cost is not None or self.session != ""

    def fits(self, head: Head) -> bool:
        """Beyond ``where``."""
        if self.session and not (head.kind == "agent" and head.id.startswith(f"{head.function}/{self.session}")):
            return False
        if self.words:
            said = "\n".join((head.id, head.function, head.awaits, head.note)).casefold()
            if not all(word in said for word in self.words):
                return False
        if self.cost is not None:
            spent = _spent(head.state)
            return spent is not None and spent >= self.cost
        return True


def _spent(state: str) -> Decimal | None:
    """Read the short way where that is enough: a page looks at hundreds."""
    if (found := _SPENT.search(state)) is not None and '"beside"' not in state:
        try:
            return Decimal(found[1])
        except ArithmeticError:
            return None
    used = used_by(state)
    return None if used is None else used.amount.cost


def words_of(text: str) -> tuple[str, ...]:
    """What is looked for, as ``Sought.words`` has it."""
    return tuple(text.casefold().split())


async def search(reading: Reading, sought: Sought, cursor: str | None = None, limit: int = 50) -> Scan:
    """A page of at most ``limit``. Raises InvalidInput for a cursor that was not given out with this search."""
    store = reading.store
    if not sought.read:
        return await store.scan(sought.where, cursor, limit, MOST)
    found: list[Head] = []
    looked = 0
    while True:
        left = MOST_READ - looked
        scan = await store.scan(sought.where, cursor, min(left if looked else FIRST, left), MOST)
        fitting = [number for number, head in enumerate(scan.heads, 1) if sought.fits(head)]
        wanted = limit - len(found)
        if len(fitting) > wanted:  # the cursor stands where this page ends, so what is told is read up to there alone
            scan = await store.scan(sought.where, cursor, fitting[wanted - 1], MOST)
        found += [head for head in scan.heads if sought.fits(head)]
        looked += scan.looked
        cursor = scan.cursor
        if cursor is None or len(found) >= limit or looked >= MOST_READ:
            return Scan(found, cursor, looked)


class Preview(NamedTuple):
    """What an action would touch: so ``many`` of those that were looked at, some of them, and whether there may be more
    than that."""

    many: int
    examples: list[Head]
    more: bool


def takes(action: str) -> Callable[[Head], bool]:
    """Whether an execution can take that action, or an event, as it is now."""
    return (lambda head: head.status == "failed") if action == "retry" else (lambda head: head.status not in FINAL)


async def preview(reading: Reading, sought: Sought, takes: Callable[[Head], bool]) -> Preview:
    """The newest that would be touched, and how many: by a look at a bounded number of executions."""
    many, looked = 0, 0
    examples: list[Head] = []
    cursor: str | None = None
    while True:
        scan = await search(reading, sought, cursor, STEP)
        fitting = [head for head in scan.heads if takes(head)]
        many, looked, cursor = many + len(fitting), looked + scan.looked, scan.cursor
        examples += fitting[: EXAMPLES - len(examples)]
        if cursor is None or looked >= MOST:
            return Preview(many, examples, cursor is not None)
