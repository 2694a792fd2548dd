"""What an agent's budgets leave for its next model call, for the children that it orders and for tools, and what
follows when that is not enough: the turn ends, a cheaper model is asked, or somebody is asked for more.

Before a model call its worst case is set aside; while it is open, that counts as used. The call is made with a limit
on its output, so it can't take more. A call that somebody has begun and nobody has recorded may have been paid for: it
counts as used (``lost``), before it is made again. All this is a function of the journal, and part of its transitions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from ...state.errors import LimitExceeded
from ..errors.failures import Failure
from ..governance.approvals.proposal import propose
from ..governance.budget import lesser, remaining, shared, within
from ..governance.budgets.account import Account, Limit, fits
from ..governance.budgets.amount import NOTHING, Amount
from ..governance.budgets.bound import ACCOUNTS, INSIDE, Bound
from ..governance.budgets.hold import LEAST, Hold, Room, Terms, cost, fit, reading, wanted
from ..governance.usage import Allowance, exceeded, failure, repeated
from ..protocol.decider import Fact
from .call import Stage
from .conversation import size_of
from .identity import life
from .judging import Failed, Judged
from .mode import Mode
from .routing import Choice
from .run import Run
from .spec import AgentSpec
from .stock import sum_of
from .turn import Phase, Turn

_TELLS = (75, 50, 25, 10, 5)
"""What a model is told of what is left, in hundredths: rounded, so that what a provider has cached of it stays good."""
WITHIN = 7 * 24 * 3_600_000
"""Milliseconds after which a request for more that nobody has decided counts as denied."""
_LIMITS = Bound("run", {})
_ORDERS = (Stage.ASKED, Stage.READY, Stage.APPROVAL)


class Standing(NamedTuple):
    """A budget and what was used of it."""

    bound: Bound
    most: Mapping[str, Any]
    used: Amount
    lent: tuple[str, ...] = ()


class Budgeting:
    """Of one agent; ``first`` is the one that the conversation began with, whose budgets hold."""

    __slots__ = ("_bounds", "_charged", "_counting", "_first", "_shared", "_spec", "_stands", "_told")

    def __init__(self, spec: AgentSpec, first: AgentSpec) -> None:
        self._spec = spec
        self._first = first
        self._bounds = tuple(bound for bound in first.budgets if bound.per in INSIDE)
        self._shared = tuple(bound for bound in first.budgets if bound.per not in INSIDE)
        self._counting = any(bound.most.keys() - {"tokens", "cost"} for bound in self._bounds)
        self._told = any(bound.warn is not None or bound.then == "cheaper" for bound in self._bounds)
        self._charged: tuple[object, tuple[Account, ...]] = (None, ())
        self._stands: tuple[tuple[object, ...], list[Standing]] = ((), [])

    # -- before a model call -------------------------------------------------------------------------

    def allowed(self, run: Run) -> Allowance:
        """The limits of a turn: those of the agent, or of whoever has ordered it."""
        lent = run.caller.get("budget")
        return within(self._first.limits, lent) if lent else self._first.limits

    def used_up(self, run: Run, turn: Turn) -> Failure | None:
        """The limit that is reached, whatever the next model call takes; None while there is room."""
        allowed = self.allowed(run)
        found = exceeded(turn.usage.minus(turn.allowed), allowed, getattr(allowed, "lent", ()))
        if found is None and run.seat.holder:
            found = exceeded(turn.usage.minus(turn.holding.usage), self._spec.limits)
        if found is None and turn.phase is Phase.THINK:
            found = repeated(turn.repeats.name, turn.repeats.most, allowed)
        return found or (self._futile(run, turn) if turn.phase is Phase.ACT else None)

    def _futile(self, run: Run, turn: Turn) -> Failure | None:
        """Why tools are not called: nobody could read what they give, because another model call would not fit."""
        if turn.stock.ample and not self._counting:
            return None
        standings = [one for one in self._standings(run, turn) if one.bound.then == "stop" and counts(one.most)]
        if not standings:
            return None
        terms = self._spec.terms(self._spec.model_named(turn.model), turn.content, turn.offered)
        input = self._input(run, turn, terms)
        if fit(input, terms, self._room(standings)) is not None and not self._counting:
            return None
        short = next((one for one in standings if _short(one, input, terms)), None)
        return None if short is None else _error(short, input, terms, turn)

    def due(self, run: Run, turn: Turn, name: str, at: int, deaths: int) -> Judged:
        """What comes before the call of that model; None when it may be made, with what ``turn.stock`` holds, or waits
        for somebody."""
        stock, op = turn.stock, turn.thinking()
        stock.hold, stock.accounts = None, self._accounts(run)
        standings = self._standings(run, turn)
        counted = self._shared or any(counts(standing.most) for standing in standings)
        if not counted or stock.waiting() is not None:
            return None
        terms = self._spec.terms(name, turn.content, turn.offered)
        input = self._input(run, turn, terms)
        if deaths and not terms.keeps:
            worst = self._worst(standings, input, terms)
            lost = sum_of([worst.amount] * deaths)
            return {"type": "lost", "op": op, "name": name, "n": deaths} | lost.record()
        for standing in standings if self._told else ():
            if (said := self._early(turn, standing, name, op)) is not None:
                return said
        hold, short = fit(input, terms, room := self._room(standings)), None
        if hold is None or self._counting:
            short = next((one for one in standings if _short(one, input, terms)), None)
        if hold is not None and short is None:
            stock.hold, stock.ample = (op, hold), room.ample(hold)
            return None
        return self._over(run, turn, short or standings[0], input, terms, name, at)

    def _accounts(self, run: Run) -> tuple[Account, ...]:
        """Who may be charged for a call: the agent, and for whom it works."""
        caller = run.caller
        if self._charged[0] is not caller:
            self._charged = caller, self._charging(caller)
        return self._charged[1]

    def _charging(self, caller: Mapping[str, Any]) -> tuple[Account, ...]:
        user = (caller.get("user") or caller.get("by")) if caller else ""
        names = {"agent": self._first.name, "user": user if user and fits(user) else "", "tenant": caller.get("tenant")}
        found: list[Account] = []
        for kind in ACCOUNTS:
            if name := names[kind]:
                limits = [Limit(one.window, one.most, one.zone, one.warn) for one in self._shared if one.per == kind]
                found.append(Account(kind, str(name), tuple(limits)))
        return tuple(found)

    def instead(self, turn: Turn, error: Failure) -> Fact | None:
        """An account leaves nothing for a call of that model: who is asked instead, where a budget says so."""
        data = error.get("data")
        account = str(data.get("account", "")) if isinstance(data, dict) else ""  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]  # JSON
        for bound in self._shared:
            if bound.then == "cheaper" and account.startswith(f"{bound.per}:") and turn.model != bound.model:
                return Choice(bound.model, turn.route, f"the budget of {account} is used up").entry(turn.thinking(1))
        return None

    def _standings(self, run: Run, turn: Turn) -> list[Standing]:
        """All budgets that a call of the turn must fit into. They are asked for several times before they change."""
        known = (turn, turn.usage, turn.allowed, run.thread.used, run.seat.holder, len(turn.stock.pleas), _lent(turn))
        if len(self._stands[0]) != len(known) or not all(map(_same, known, self._stands[0])):
            self._stands = known, self._stand(run, turn)
        return self._stands[1]

    def _stand(self, run: Run, turn: Turn) -> list[Standing]:
        allowed = self.allowed(run)
        open_ = _lent(turn)
        used = turn.usage.minus(turn.allowed).amount.plus(open_)
        lent: tuple[str, ...] = getattr(allowed, "lent", ())
        found = [Standing(_LIMITS, {"tokens": allowed.tokens, "cost": allowed.cost}, used, lent)]
        if run.seat.holder:
            own = self._spec.limits
            most = {"tokens": own.tokens, "cost": own.cost}
            found.append(Standing(_LIMITS, most, turn.usage.minus(turn.holding.usage).amount.plus(open_)))
        for bound in self._bounds:
            of = NOTHING if bound.per == "call" else used
            if bound.per == "session":
                of = run.thread.used.plus(turn.usage).amount.plus(open_)
            found.append(Standing(bound, bound.raised(turn.stock.raised(bound.key)), of))
        return found

    def _input(self, run: Run, turn: Turn, terms: Terms) -> int:
        window = run.thread.window
        weight = run.thread.weight.plus(turn.weigh(window))
        more, gate = 0, turn.asks_at() if self._spec.hooks else None
        if gate is not None and gate.changed:
            more = sum(map(len, gate.change("messages", ()))) + len(gate.change("instructions", ""))
        counted = weight.tokens if window.tokens is not None else None
        more += sum(map(size_of, run.kept.shown(())))
        if counted is not None:
            counted += -(-more // 3)
        input = reading(weight.characters + more, counted, terms)
        return input if counted is not None else input + 4 * weight.messages

    def _room(self, standings: Sequence[Standing]) -> Room:
        tokens = [one.most["tokens"] - one.used.tokens for one in standings if one.most.get("tokens") is not None]
        money = [one.most["cost"] - one.used.cost for one in standings if one.most.get("cost") is not None]
        return Room(min(tokens, default=None), min(money, default=None))

    def _worst(self, standings: Sequence[Standing], input: int, terms: Terms) -> Hold:
        """What a call took at the most that was made before; also when it would not be made any more."""
        return fit(input, terms, self._room(standings)) or wanted(input, terms)

    def _early(self, turn: Turn, standing: Standing, name: str, op: str) -> Fact | None:
        """What is done before a budget is used up: it is said, or a cheaper model is asked."""
        bound, stock = standing.bound, turn.stock
        share = _share(standing)
        if bound.warn is not None and share >= bound.warn and bound.key not in stock.of(bound.key).warned:
            return {"type": "warned", "op": op, "budget": bound.key, "share": round(share, 4)}
        if bound.then == "cheaper" and share >= bound.share and self._may_switch(turn, bound, name, op):
            stock.switched = op
            why = f"{round(100 * share)}% of the budget for {_whose(bound)} is used"
            return Choice(bound.model, turn.route, why).entry(op)
        return None

    def _may_switch(self, turn: Turn, bound: Bound, name: str, op: str) -> bool:
        return name != bound.model and turn.stock.switched != op

    def _over(self, run: Run, turn: Turn, short: Standing, input: int, terms: Terms, name: str, at: int) -> Judged:
        """A budget does not leave enough for the call."""
        bound, op = short.bound, turn.thinking()
        if bound.then == "cheaper" and self._may_switch(turn, bound, name, op):
            turn.stock.switched = op
            return Choice(bound.model, turn.route, f"the budget for {_whose(bound)} is nearly used up").entry(op)
        if bound.then == "ask":
            if turn.stock.refused(op) is None:
                return self._plea(run, turn, short, input, at)
            return Failed(_error(short, input, terms, turn, "; nobody has granted more"))
        return Failed(_error(short, input, terms, turn))

    def _plea(self, run: Run, turn: Turn, short: Standing, input: int, at: int) -> Fact:
        """The entry by which somebody is asked for more."""
        bound, op = short.bound, turn.thinking()
        what = f"{self._first.name} budget"
        number = len([asked for asked in turn.stock.pleas if asked.startswith(f"{op}.more")]) + 1
        most = {unit: _plain(value) for unit, value in short.most.items() if value is not None}
        used = {unit: value for unit, value in short.used.record().items() if unit in most}
        data = {"budget": bound.key, "used": used, "allowed": most, "more": bound.more.record(), "needs": input + LEAST}
        entry: Fact = {"op": f"{op}.more{number}", "at": at, "name": what, "what": what, "data": data}
        mark, requester = life(what, turn.mark), run.caller.get("by")
        asked = propose(entry, bound.ask, mark, lasts=WITHIN, requester=requester)
        return {**asked, "budget": bound.key}

    def ending(self, run: Run) -> Fact:
        """What the entry that ends a turn says: what a model call may have taken that is open still, and what the
        execution has used, if another one waits for it."""
        turn = run.turn
        if turn is None:
            return {}
        said: Fact = {}
        lost, hold = NOTHING, turn.stock.hold
        if hold is not None and hold[0] in run.calls:
            lost = hold[1].amount
            said["lost"] = lost.record()
        if run.depth and run.mode is Mode.ONCE:
            said["used"] = turn.usage.amount.plus(lost).plus(_lent(turn)).record()
        return said

    # -- for tools, children and the model -----------------------------------------------------------

    def tools(self, run: Run, turn: Turn) -> Failed | None:
        """The end of a turn whose last answer asks for more calls of tools than there may be."""
        for standing in self._standings(run, turn):
            most = standing.most.get("tool_calls")
            if most is not None and standing.used.tool_calls > most:
                return Failed(_limit(standing, "tool_calls", f"{standing.used.tool_calls:,} calls of tools", turn))
        return None

    def left(self, run: Run, turn: Turn) -> dict[str, Any]:
        """What goes along with what the turn orders of others: tokens and cost."""
        found: dict[str, Any] = {}
        for standing in self._standings(run, turn):
            if standing.bound.per != "call":
                found = lesser(found, remaining(standing.used, standing.most))
        return found

    def share(self, run: Run, turn: Turn, offered: AgentSpec) -> dict[str, Any]:
        """What a child may take that is ordered now, beside those that are yet to be ordered for the same answer. A
        tenth stays with who orders them, for the answer that it makes of theirs."""
        tools = [offered.find(call.name) for call in turn.calls.values() if call.stage in _ORDERS]
        return _ninetenths(self.left(run, turn), sum(tool is not None and bool(tool.child) for tool in tools))

    def told(self, run: Run, turn: Turn) -> str:
        """What the model is told of what is left; "": nothing."""
        told: list[str] = []
        for standing in self._standings(run, turn):
            if standing.bound.tell:
                left = 100 * (1 - _share(standing))
                step = next((step for step in _TELLS if left >= step), 0)
                some = f"about {step}%" if step else "less than 5%"
                told.append(f"{some} of the budget for {_whose(standing.bound)} is left")
        return f"[{'; '.join(told)}]" if told else ""


def _lent(turn: Turn) -> Amount:
    """What children have that are at work."""
    return sum_of([call.lent for call in turn.calls.values() if call.stage is Stage.CHILD])


def _same(one: object, other: object) -> bool:
    return one is other or (isinstance(one, (int, str, Amount)) and one == other)


def counts(most: Mapping[str, Any]) -> bool:
    """Whether a budget names anything."""
    return any(value is not None for value in most.values())


def _ninetenths(left: Mapping[str, Any], among: int) -> dict[str, Any]:
    found = dict(left)
    if "tokens" in found:
        found["tokens"] = found["tokens"] * 9 // 10
    if "cost" in found:
        found["cost"] = format(Decimal(found["cost"]) * 9 / 10, "f")
    return shared(found, max(1, among))


def _short(standing: Standing, input: int, terms: Terms) -> str:
    """Which unit of it does not leave enough for the call; "": none."""
    most, used = standing.most, standing.used
    for unit, least in (("iterations", 1), ("model_calls", 1)):
        if most.get(unit) is not None and getattr(used, unit) + least > most[unit]:
            return unit
    if most.get("time") is not None and used.time >= most["time"]:
        return "time"
    if most.get("tokens") is not None and fit(input, terms, Room(most["tokens"] - used.tokens, None)) is None:
        return "tokens"
    if most.get("cost") is not None and fit(input, terms, Room(None, most["cost"] - used.cost)) is None:
        return "cost"
    return ""


def _share(standing: Standing) -> float:
    """How much of it is used, of the unit of which there is least left."""
    used = standing.used._asdict()
    return max(
        (float(Decimal(used[unit]) / Decimal(most)) for unit, most in standing.most.items() if most), default=0.0
    )


def _error(short: Standing, input: int, terms: Terms, turn: Turn, more: str = "") -> Failure:
    unit = _short(short, input, terms) or "tokens"
    used = getattr(short.used, unit)
    if unit not in ("tokens", "cost"):
        return _limit(short, unit, f"{used:,} {unit.replace('_', ' ')}", turn, more)
    if unit == "tokens":
        needs = f"{input + LEAST:,} tokens ({input:,} to read, estimated, and {LEAST} to write)"
        return _limit(short, unit, f"{used:,} tokens", turn, f", and the next model call takes at least {needs}{more}")
    price = cost(input, LEAST, terms)
    needs = "" if price is None else f", and the next model call takes at least {format(price, 'f')}"
    return _limit(short, unit, format(used, "f"), turn, needs + more)


def _limit(short: Standing, unit: str, shown: str, turn: Turn, more: str = "") -> Failure:
    bound, most = short.bound, short.most[unit]
    allowed: int | str = _plain(most)
    of = allowed if isinstance(allowed, str) else f"{allowed:,}"
    name = unit.replace("_", " ")
    what = f"the limit on {name}" if bound is _LIMITS else f"the budget for {_whose(bound)}, its limit on {name},"
    said = f"{what} is reached: {shown} used of {of}{more}"
    if unit in short.lent:
        said += ", which was left of the limit of whoever ordered it; raise that one, or ask for less"
    else:
        said += "; raise the agent's limit, or ask for less"
    used = getattr(short.used, unit)
    data: dict[str, Any] = {"limit": unit, "used": _plain(used), "allowed": allowed, "per": bound.per}
    if far := so_far(turn):
        data["so_far"] = far
    return failure(LimitExceeded, said, data)


def so_far(turn: Turn) -> str:
    """The last words of the model in this turn."""
    said = [message.content for message in turn.messages if message.role == "assistant" and message.content]
    return said[-1][:4_096] if said else ""


def _whose(bound: Bound) -> str:
    return {"call": "one model call", "run": "this run", "session": "this session"}.get(bound.per, bound.per)


def _plain(value: Any) -> int | str:
    return format(value, "f") if isinstance(value, Decimal) else int(value)
