"""What is set aside and asked for in one turn, and what was granted to an execution for good: data that entries
change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ..governance.approvals.proposal import Proposal
from ..governance.budgets.account import Account
from ..governance.budgets.amount import NOTHING, Amount, amount_of
from ..governance.budgets.bound import Bound
from ..governance.budgets.held import Held
from ..governance.budgets.hold import Hold
from ..protocol.calls import OpenCalls
from ..protocol.decider import Fact
from .call import Call, Stage

_RARE = frozenset(("model_calls", "tool_calls", "time"))


_NONE: frozenset[str] = frozenset()
_EMPTY: Mapping[str, Any] = {}


class Lasting:
    """Of an execution: how much more was granted, by the op under which it was asked for, and of which budgets was
    said that they run out. ``counts`` are units that its budgets name, which nobody would count else."""

    __slots__ = ("counts", "raised", "warned")

    def __init__(self, saved: object = None, bounds: Iterable[Bound] = ()) -> None:
        self.counts = _RARE.intersection([unit for bound in bounds for unit in bound.most]) if bounds else _NONE
        self.raised: Mapping[str, tuple[str, Amount]] = _EMPTY  # made anew when it changes: most have none
        self.warned = _NONE
        if isinstance(saved, dict):
            given = cast("Mapping[str, Any]", saved)
            raised = given.get("raised", {}).items()
            self.raised = {op: (str(one[0]), amount_of(one[1])) for op, one in raised}
            self.warned = frozenset(given.get("warned", ()))

    def counted(self, **units: int) -> Amount:
        """So much, of what anybody counts."""
        if not self.counts:
            return NOTHING
        some = {unit: number for unit, number in units.items() if number and unit in self.counts}
        return amount_of(some) if some else NOTHING

    def record(self) -> dict[str, Any]:
        """For the head. What a replay comes by again is the same again."""
        record: dict[str, Any] = {}
        if self.raised:
            record["raised"] = {op: [key, more.record()] for op, (key, more) in self.raised.items()}
        if self.warned:
            record["warned"] = sorted(self.warned)
        return {"budget": record} if record else {}


class Stock:
    """Of a turn. ``hold`` is what is set aside for the model call of that op."""

    __slots__ = (
        *("_over", "_turn", "accounts", "ample", "deaths", "hold", "lasting", "lost", "pleas", "says", "switched"),
    )

    def __init__(self, lasting: Lasting) -> None:
        self.lasting = lasting
        self._turn: Lasting | None = None
        self.hold: tuple[str, Hold] | None = None
        self.pleas: Mapping[str, tuple[str, Call]] = _EMPTY  # by op, which budget is to be raised
        self.ample = False  # there is enough for several such calls
        self.lost: Mapping[str, Amount] = _EMPTY  # by op, what calls in its place may have taken
        self.accounts: tuple[Account, ...] = ()  # those that a call is charged to
        self.deaths: tuple[str, int] = "", 0  # of processes that may have begun the call of that op, and told nobody
        self._over: frozenset[str] = frozenset()  # requests that count no more, because the turn was tried again
        self.says: tuple[str, str] = "", ""  # for the call of that op: what the model is told of what is left
        self.switched = ""  # op of the call for which another model was chosen

    def of(self, key: str) -> Lasting:
        """Who remembers what became of that budget."""
        if key.startswith("session"):
            return self.lasting
        if self._turn is None:
            self._turn = Lasting()
        return self._turn

    def raised(self, key: str) -> Amount | None:
        """How much more was granted."""
        found = [more for name, more in self.of(key).raised.values() if name == key]
        return None if not found else sum_of(found)

    def told(self, op: str) -> tuple[str, ...]:
        """What the model is told, in the call of that op, of what is left."""
        return self.says[1:] if self.says[0] == op and self.says[1] else ()

    def means(self, op: str) -> Held:
        """What there is for the call of that op."""
        hold = None if self.hold is None or self.hold[0] != op else self.hold[1]
        deaths = self.deaths[1] if self.deaths[0] == op else 0
        return Held(hold, self.accounts, self.lost.get(op) if self.lost else None, deaths)

    def again(self, entry: Fact, calls: OpenCalls) -> None:
        """An attempt was made that what is set aside was for. The next one needs as much once more: it is ordered anew,
        if there is enough."""
        if self.hold is not None and entry["type"] == "retrying" and entry["op"] == self.hold[0]:
            calls.close(self.hold[0])

    def reopened(self) -> None:
        """A person wants the turn tried again: what was denied may be asked for once more."""
        self._over = frozenset(self.pleas)

    def waiting(self) -> Call | None:
        """The request that nobody has decided."""
        if not self.pleas:
            return None
        return next((call for _, call in self.pleas.values() if call.stage is Stage.APPROVAL), None)

    def refused(self, op: str) -> Call | None:
        """The request for that call, when it was denied."""
        wanted = [asked for asked in self.pleas if asked.startswith(f"{op}.more") and asked not in self._over]
        found = [self.pleas[asked][1] for asked in wanted]
        return next((call for call in found if call.stage is Stage.DONE), None)

    def ordered(self, entry: Fact) -> bool:
        """Somebody is asked for more."""
        op, key = str(entry.get("op", "")), entry.get("budget")
        if not isinstance(key, str) or op in self.pleas:
            return False
        plea = Call(op, "", str(entry.get("what", "")), "", entry["data"], "")
        plea.stage, plea.proposal = Stage.APPROVAL, Proposal(entry)
        self.pleas = {**self.pleas, op: (key, plea)}
        return True

    def noted(self, entry: Fact) -> None:
        """It was said that a budget runs out, that a cheaper model was chosen for that, or that a call may have been
        made of which nothing is known."""
        if entry["type"] == "lost":
            op = str(entry["op"])
            self.lost = {**self.lost, op: self.lost.get(op, NOTHING).plus(amount_of(entry))}
        if entry["type"] == "routed" and "budget" in entry:
            self.switched = str(entry["op"])
        if entry["type"] == "warned":
            of = self.of(str(entry["budget"]))
            of.warned = of.warned | {str(entry["budget"])}

    def granted(self, call: Call) -> None:
        """It was approved, if it is a request for more."""
        if call.op in self.pleas:
            key = self.pleas[call.op][0]
            of = self.of(key)
            of.raised = {**of.raised, call.op: (key, amount_of((call.arguments or {}).get("more")))}


def sum_of(amounts: list[Amount]) -> Amount:
    total = NOTHING
    for amount in amounts:
        total = total.plus(amount)
    return total
