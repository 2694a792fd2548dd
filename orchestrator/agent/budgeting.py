"""What an agent's budgets leave for its next model call, for the children that it orders and for tools, and what
follows when that is not enough: the turn ends, a cheaper model is asked, or somebody is asked for more.

Before a model call its worst case is set aside; while it is open, that counts as used. The call is made with a limit
on its output, so it can't take more. A call that somebody has begun and nobody has recorded may have been paid for: it
counts as used (``lost``), before it is made again. All this is a function of the journal, and part of its transitions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ..errors.failures import Failure
from ..governance.approvals.proposal import propose
from ..governance.budget import lesser, remaining, shared, within
from ..governance.budgets.account import Account, Limit, fits
from ..governance.budgets.amount import NOTHING, Amount, amount_of
from ..governance.budgets.bound import ACCOUNTS, INSIDE, Bound
from ..governance.budgets.hold import CHARACTERS, LEAST, Hold, Room, Terms, fit, reading
from ..governance.usage import Allowance, exceeded, repeated
from ..protocol.decider import Fact, Invoke
from ..usercode.resilience import each_told
from .call import Stage
from .conversation import size_of
from .identity import life
from .judging import Failed, Judged
from .leaving import Priced
from .mode import Mode
from .routing import Choice
from .run import Run
from .spec import AgentSpec
from .standing import LIMITS, Standing, counts, error, plain, reached, share_of, short_of, told, whose
from .stock import sum_of
from .turn import Phase, Turn

NOTHING_TOLD = "", ""
WITHIN = 7 * 24 * 3_600_000
"""Milliseconds after which a request for more that nobody has decided counts as denied."""
_ORDERS = (Stage.ASKED, Stage.READY, Stage.APPROVAL)


class Budgeting:
    """Of one agent; ``first`` is the one that the conversation began with, whose budgets hold."""

    __slots__ = (
        "_bounds",
        "_charged",
        "_counting",
        "_first",
        "_own",
        "_shared",
        "_spec",
        "_tells",
        "_unbound",
        "_warns",
    )

    def __init__(self, spec: AgentSpec, first: AgentSpec) -> None:
        self._spec = spec
        self._first = first
        self._bounds = tuple(bound for bound in first.budgets if bound.per in INSIDE)
        self._shared = tuple(bound for bound in first.budgets if bound.per not in INSIDE)
        limits = (first.limits, spec.limits)
        self._unbound = not self._bounds and all(one.tokens is None and one.cost is None for one in limits)
        self._counting = any(bound.most.keys() - {"tokens", "cost"} for bound in self._bounds)
        self._warns = any(bound.warn is not None or bound.then == "cheaper" for bound in self._bounds)
        self._tells = any(bound.tell for bound in self._bounds)
        self._own: tuple[Account, ...] = ()  # for nobody in particular
        self._charged: tuple[object, tuple[Account, ...]] = (None, ())

    # -- before a model call -------------------------------------------------------------------------

    def allowed(self, run: Run) -> Allowance:
        """The limits of a turn: those of the agent, or of whoever has ordered it."""
        lent = run.caller.get("budget")
        return within(self._first.limits, lent) if lent else self._first.limits

    def _free(self, run: Run) -> bool:
        """Whether nothing that is kept in the execution counts tokens, money or calls: as for most agents."""
        return self._unbound and "budget" not in run.caller

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
        if (turn.stock.ample and not self._counting) or self._free(run):
            return None
        standings = [one for one in self._standings(run, turn) if one.bound.then == "stop" and counts(one.most)]
        if not standings:
            return None
        terms = self._spec.terms(self._spec.model_named(turn.model), turn.content, turn.offered)
        input = self._input(run, turn, terms)
        if fit(input, terms, self._room(standings)) is not None and not self._counting:
            return None
        short = next((one for one in standings if short_of(one, input, terms)), None)
        return None if short is None else error(short, input, terms, turn)

    def due(self, run: Run, turn: Turn, model: Callable[[Turn], str], deaths: int) -> Judged:
        """What comes before the call of the ``model`` that is asked; None when it may be made, with what ``turn.stock``
        holds, or waits for somebody."""
        stock = turn.stock
        stock.hold, stock.says, stock.accounts = None, NOTHING_TOLD, self._accounts(run)
        if self._free(run) and not self._shared:
            if deaths:  # nothing is written of it: whether an account counts it, only the store knows
                stock.deaths = turn.thinking(), deaths
            return None
        if stock.waiting() is not None:
            return None
        standings, op, name = self._standings(run, turn), turn.thinking(), model(turn)
        if not (self._shared or self._bounds or any(counts(standing.most) for standing in standings)):
            stock.deaths = (op, deaths) if deaths else stock.deaths
            return None
        terms = self._spec.offering(turn.tools).terms(name, turn.content, turn.offered)
        says = told(standings) if self._tells else ""
        input = self._input(run, turn, terms) + -(-len(says) // CHARACTERS)
        hold, short = fit(input, terms, room := self._room(standings)), None
        if hold is None or self._counting:
            short = next((one for one in standings if short_of(one, input, terms)), None)
        if deaths and not terms.keeps and hold is not None and short is None:  # else nobody has made it
            return _lost(op, name, hold)
        for standing in standings if self._warns else ():
            if standing.bound is not LIMITS and (said := self._early(turn, standing, name, op)) is not None:
                return said
        if hold is not None and short is None:
            stock.hold, stock.says, stock.ample = (op, hold), (op, says), room.ample(hold)
            return None
        return self._over(run, turn, short or standings[0], input, terms, name, run.now())

    def _accounts(self, run: Run) -> tuple[Account, ...]:
        """Who may be charged for a call: the agent, and for whom it works."""
        caller = run.caller
        if self._charged[0] is not caller:
            self._charged = caller, self._charging(caller)
        return self._charged[1]

    def _charging(self, caller: Mapping[str, Any]) -> tuple[Account, ...]:
        if not caller and not self._shared:
            self._own = self._own or (Account("agent", self._first.name),)
            return self._own
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

    # -- before a summary ----------------------------------------------------------------------------

    def affords(self, run: Run, turn: Turn, call: Invoke) -> bool:
        """Whether what is left is enough for that call for a summary."""
        standings = self._limiting(run, turn)
        return not standings or not isinstance(call.call, Priced) or self._summing(standings, call.call) is not None

    def summed(self, run: Run, turn: Turn, call: Invoke, deaths: int) -> Fact | None:
        """What comes before it; None when it may be made, with what ``turn.stock`` holds."""
        turn.stock.hold, turn.stock.accounts, standings = None, self._accounts(run), self._limiting(run, turn)
        hold = self._summing(standings, call.call) if standings and isinstance(call.call, Priced) else None
        if hold is not None and deaths:
            return _lost(call.op, call.name, hold)
        turn.stock.hold = None if hold is None else (call.op, hold)
        return None

    def bounded(self, turn: Turn, call: Invoke) -> Invoke:
        """The call with a limit on what it writes, if something is held for it."""
        hold, accounts = turn.stock.hold, turn.stock.accounts
        held = None if hold is None or hold[0] != call.op else hold[1]
        if (held is None and not accounts) or not isinstance(call.call, Priced):
            return call
        return call._replace(call=call.call.within(held, accounts), policy=each_told(call.policy))

    def _limiting(self, run: Run, turn: Turn) -> list[Standing]:
        return [one for one in self._standings(run, turn) if counts(one.most)]

    def _summing(self, standings: Sequence[Standing], call: Priced) -> Hold | None:
        """What is held for a summary; None: it does not fit."""
        terms = call.terms
        input = reading(0, None, terms)
        short = any(short_of(one, input, terms) for one in standings)
        return None if short else fit(input, terms, self._room(standings))

    def _standings(self, run: Run, turn: Turn) -> list[Standing]:
        """All budgets that a call of the turn must fit into."""
        allowed = self.allowed(run)
        open_ = _lent(turn)
        used = turn.usage.minus(turn.allowed).amount.plus(open_)
        lent: tuple[str, ...] = getattr(allowed, "lent", ())
        found = [Standing(LIMITS, {"tokens": allowed.tokens, "cost": allowed.cost}, used, lent)]
        if run.seat.holder:
            own = self._spec.limits
            most = {"tokens": own.tokens, "cost": own.cost}
            found.append(Standing(LIMITS, most, turn.usage.minus(turn.holding.usage).amount.plus(open_)))
        for bound in self._bounds:
            of = NOTHING if bound.per == "call" else used
            if bound.per == "session":
                of = run.thread.used.plus(turn.usage).amount.plus(open_)
            granted = turn.stock.raised(bound.key) if turn.stock.pleas or turn.stock.lasting.raised else None
            found.append(Standing(bound, bound.raised(granted), of))
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
        tokens: int | None = None
        money: Decimal | None = None
        for _, most, used, _ in standings:
            if (bound := most.get("tokens")) is not None and (tokens is None or bound - used.tokens < tokens):
                tokens = bound - used.tokens
            if (bound := most.get("cost")) is not None and (money is None or bound - used.cost < money):
                money = bound - used.cost
        return Room(tokens, money)

    def _early(self, turn: Turn, standing: Standing, name: str, op: str) -> Fact | None:
        """What is done before a budget is used up: it is said, or a cheaper model is asked."""
        bound, stock = standing.bound, turn.stock
        if bound.warn is None and bound.then != "cheaper":
            return None
        share = share_of(standing)
        if bound.warn is not None and share >= bound.warn and bound.key not in stock.of(bound.key).warned:
            return {"type": "warned", "op": op, "budget": bound.key, "share": round(share, 4)}
        if bound.then == "cheaper" and share >= bound.share and self._may_switch(turn, bound, name, op):
            why = f"{round(100 * share)}% of the budget for {whose(bound)} is used"
            return Choice(bound.model, turn.route, why).entry(op) | {"budget": bound.key}
        return None

    def _may_switch(self, turn: Turn, bound: Bound, name: str, op: str) -> bool:
        return name != bound.model and turn.stock.switched != op

    def _over(self, run: Run, turn: Turn, short: Standing, input: int, terms: Terms, name: str, at: int) -> Judged:
        """A budget does not leave enough for the call."""
        bound, op = short.bound, turn.thinking()
        if bound.then == "cheaper" and self._may_switch(turn, bound, name, op):
            return Choice(bound.model, turn.route, f"the budget for {whose(bound)} is nearly used up").entry(op) | {
                "budget": bound.key
            }
        if bound.then == "ask":
            if turn.stock.refused(op) is None:
                return self._plea(run, turn, short, {"needs": input + LEAST}, at)
            return Failed(error(short, input, terms, turn, "; nobody has granted more"))
        return Failed(error(short, input, terms, turn))

    def _plea(self, run: Run, turn: Turn, short: Standing, why: Fact, at: int) -> Fact:
        """The entry by which somebody is asked for more."""
        bound, op = short.bound, turn.thinking()
        what = f"{self._first.name} budget"
        number = len([asked for asked in turn.stock.pleas if asked.startswith(f"{op}.more")]) + 1
        most = {unit: plain(value) for unit, value in short.most.items() if value is not None}
        used = {unit: value for unit, value in short.used.record().items() if unit in most}
        data = {"budget": bound.key, "used": used, "allowed": most, "more": bound.more.record(), **why}
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
        hold = turn.stock.hold
        made = sum(call.stage in (Stage.OPEN, Stage.CHILD) for call in turn.calls.values())
        lost = turn.stock.lasting.counted(tool_calls=made)
        cut = self._cut(run, turn)
        if hold is not None and hold[0] in run.calls:
            lost = lost.plus(hold[1].amount)
        elif cut is not None:  # an operator's limits alone count it
            lost = lost.plus(amount_of(cut))
        if cut is not None:
            said["settled"] = cut
        if lost is not NOTHING:
            said["lost"] = lost.record()
        if run.depth and run.mode is Mode.ONCE:
            said["used"] = turn.usage.amount.plus(lost).plus(_lent(turn)).record()
        return said

    def _cut(self, run: Run, turn: Turn) -> Fact | None:
        """What accounts are charged for a model call that is under way still, of whatever it has held there."""
        for op in (turn.thinking(), turn.summarizing()):
            call = run.calls.find(op)
            if call is not None and (cut := getattr(call.call, "cut", None)):
                return {"op": op, **cut}
        return None

    # -- for tools, children and the model -----------------------------------------------------------

    def tools(self, run: Run, turn: Turn, at: int) -> Judged:
        """What becomes of an answer that asks for more calls of tools than there may be; None when there may be as
        many, or somebody is being asked."""
        if "tool_calls" not in turn.stock.lasting.counts or turn.stock.waiting() is not None:
            return None
        spec = self._spec.offering(turn.tools)
        asked = [call for call in turn.unfinished() if call.stage in _ORDERS and not spec.concludes(call.name)]
        more = sum(spec.find(call.name) is not None and spec.handoff(call.name) is None for call in asked)
        for standing in self._standings(run, turn):
            most, used = standing.most.get("tool_calls"), standing.used.tool_calls
            if most is None or used + more <= most:
                continue
            refused = turn.stock.refused(turn.thinking())
            if standing.bound.then == "ask" and refused is None:
                return self._plea(run, turn, standing, {"needs": more}, at)
            told = f", and the model asks for {more:,} more" + ("; nobody has granted more" if refused else "")
            return Failed(reached(standing, "tool_calls", f"{used:,} calls of tools", turn, told))
        return None

    def left(self, run: Run, turn: Turn) -> dict[str, Any]:
        """What goes along with what the turn orders of others: tokens and cost."""
        found: dict[str, Any] = {}
        if self._free(run):
            return found
        for standing in self._standings(run, turn):
            if standing.bound.per != "call":
                found = lesser(found, remaining(standing.used, standing.most))
        return found

    def share(self, run: Run, turn: Turn, offered: AgentSpec) -> dict[str, Any]:
        """What a child may take that is ordered now, beside those that are yet to be ordered for the same answer. A
        tenth stays with who orders them, for the answer that it makes of theirs."""
        tools = [offered.find(call.name) for call in turn.calls.values() if call.stage in _ORDERS]
        return _ninetenths(self.left(run, turn), sum(tool is not None and bool(tool.child) for tool in tools))


def _lost(op: str, name: str, worst: Hold) -> Fact:
    """The entry by which a call counts that a process has begun, which has died. However many have died since anything
    was written: whoever comes after it writes this first, so only one of them can have begun it."""
    return {"type": "lost", "op": op, "name": name} | worst.amount.record()


def _lent(turn: Turn) -> Amount:
    """What children have that are at work."""
    return sum_of([call.lent for call in turn.calls.values() if call.stage is Stage.CHILD])


def _ninetenths(left: Mapping[str, Any], among: int) -> dict[str, Any]:
    found = dict(left)
    if "tokens" in found:
        found["tokens"] = found["tokens"] * 9 // 10
    if "cost" in found:
        found["cost"] = format(Decimal(found["cost"]) * 9 / 10, "f")
    return shared(found, max(1, among))
