"""What one model call takes of the accounts that executions share: its worst case is held before each attempt, and the
entry that records what came of it says what is settled (``settled``: the slices, and the amount)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ...orchestrator.engine.performing import CallInfo, current_call
from ...orchestrator.governance.budgets.amount import NOTHING, ZERO, Amount
from ...orchestrator.governance.budgets.held import NO_MEANS, Held
from ...orchestrator.governance.budgets.hold import Hold, Terms, reading, wanted
from ..models.port import Answer, Request
from .terms import bounded


class Paying:
    """For one call, attempt after attempt. ``terms`` tells what is known of the model, ``calls`` whether what is called
    by that name counts as a tool. ``doubt`` is what calls of processes that have died may have taken, of which nothing
    is written yet."""

    def __init__(
        self,
        means: Held = NO_MEANS,
        terms: Callable[[], Terms] = Terms,
        calls: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.hold = means.hold  # what is set aside for one attempt; None: nothing counts it
        self._accounts = means.accounts
        self._lost = means.lost
        self._deaths = means.deaths
        self._calls = calls
        self._model, self._unpriced = "", set[str]()
        self._terms = terms
        self._slices: list[str] = []
        self._used = NOTHING
        self._open = NOTHING  # what the attempt under way may take
        self.doubt = NOTHING

    async def begin(self, request: Request) -> Request:
        """Hold the worst case of an attempt. The request, which may write no more than that. Raises BudgetExceeded,
        StoreError."""
        if self.hold is not None:
            request = request._replace(settings=bounded(request.settings, self.hold))
        call = _call() if self._accounts else None
        purse = None if call is None else call.purse
        if call is None or purse is None:
            return request
        accounts = await purse.counted(self._accounts)
        if not accounts:
            return request
        if self.hold is None:
            self.hold = self._wanted(request)
            request = request._replace(settings=bounded(request.settings, self.hold))
        if self.hold.cost is None:
            self._unpriced, self._model = purse.unpriced, request.model
            await purse.priced(request.model, accounts)
        if self._slices and not purse.holds(call.idempotency_key):  # an attempt that is recorded: it is settled
            self._slices, self._used = [], NOTHING
        if self._lost is not None:
            lost, self._lost = self._lost, None
            self._slices += await purse.charge(call.idempotency_key, accounts, lost)
            self._used = self._used.plus(lost)
        if self._deaths and not self._terms().keeps:
            lost, self._deaths = self.hold.amount.times(self._deaths), 0
            self._slices += await purse.charge(call.idempotency_key, accounts, lost)
            self._used, self.doubt = self._used.plus(lost), lost
        called = any(self._calls(tool.name) for tool in request.tools)
        self._slices += await purse.hold(call.idempotency_key, accounts, _of(self.hold, called))
        self._open = self.hold.amount
        return request

    def ended(self) -> None:
        """The attempt is over, and has said what it took."""
        self._open = NOTHING

    @property
    def cut(self) -> dict[str, Any] | None:
        """What is settled when nobody waits for the call any more: also what the attempt under way may take. None:
        nothing is held."""
        used = self._used.plus(self._open).record()
        return {"slices": list(dict.fromkeys(self._slices)), **used} if self._slices else None

    def answered(self, answer: Answer, cost: str | None) -> None:
        """It was answered. What nobody knows the price of cost as much as was held for it."""
        if not self._slices:
            return
        known = self.hold.cost if cost is None and self.hold is not None else cost
        if known is None:
            self._unpriced.add(self._model)
        called = sum(self._calls(one.name) for one in answer.tool_calls)
        self.took(Amount(answer.usage.total, Decimal(known or 0), 1, called, 1))

    def took(self, amount: Amount) -> None:
        """An attempt has taken that."""
        self._used = self._used.plus(amount)

    @property
    def settled(self) -> dict[str, Any] | None:
        """What the entry says; None when nothing was held."""
        return {"slices": list(dict.fromkeys(self._slices)), **self._used.record()} if self._slices else None

    def _wanted(self, request: Request) -> Hold:
        terms = self._terms()
        characters = sum(len(message.content) for message in request.messages if message.role != "system")
        return wanted(reading(characters, None, terms) + 4 * len(request.messages), terms)


def charged(means: Held) -> bool:
    """Whether a call may be charged to an account, as far as that is known without asking the store."""
    call = _call() if means.accounts else None
    return call is not None and call.purse is not None and not call.purse.nobody(means.accounts)


def _of(hold: Hold, called: bool) -> Amount:
    """What must be left: of time and calls of tools anything, because how much it will be nobody knows."""
    return Amount(hold.input + hold.output, hold.cost or ZERO, 1, int(called), 1, 1)


def _call() -> CallInfo | None:
    try:
        return current_call()
    except LookupError:
        return None
