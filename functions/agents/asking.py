"""One model call of an agent, attempt after attempt: what is asked, what is recorded, what it cost.

A failed attempt may have been paid for. Its error says so (``ModelError.billed``), and the sum over all attempts of
this process goes into whatever is recorded next, an error or an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ...orchestrator.agent.conversation import Message
from ...orchestrator.engine import collecting
from ...orchestrator.engine.performing import current_call
from ...orchestrator.governance.budgets.amount import NOTHING, Amount
from ...orchestrator.governance.budgets.held import NO_MEANS, Held
from ...orchestrator.governance.usage import Usage, reported
from ...orchestrator.streaming.audience import Speech
from ...state.errors import ModelError
from ..models.hosts import Hosts
from ..models.port import Answer, Delta, Model, Request
from ..models.prices import Prices, written
from .bringing import brought
from .paying import Paying, charged

Streaming = Callable[[Request, Callable[[Delta], None]], Awaitable[Answer]]


class Asking:
    """A function without arguments that asks the model and gives the answer's JSON. ``request`` makes what is asked."""

    def __init__(
        self,
        model: Model,
        request: Any,
        prices: Mapping[str, Prices],
        hosts: Hosts,
        means: Held = NO_MEANS,
        paying: Callable[[Held], Paying] = Paying,
    ) -> None:
        self._model = model
        self._hosts = hosts
        self._request = request
        self._prices = prices
        self._first = 0  # the attempt that the sum begins with
        self._billed: Usage | None = None
        self._by = ""  # who said it piece by piece
        self._means, self._made = means, paying
        self._paying = None if means.hold is None else paying(means)  # None: nobody counts what it takes
        self._lost = NOTHING  # what attempts may have been billed for that said nothing of it
        self._begun = False  # it has said something

    async def __call__(self) -> dict[str, Any]:
        self._first = self._first or _attempt()
        try:
            request: Request = self._request()
            seen = any([message.parts for message in request.messages])
            if seen:
                request = request._replace(messages=await brought(request.messages, self._hosts))
            if self._paying is not None or charged(self._means):
                request = await self._paid(request)
            try:
                answer = await self._answer(request)
            finally:
                collecting.weigh(_weight(request.messages, seen=seen))
        except ModelError as error:
            self._failed(error)
            raise
        except (asyncio.CancelledError, TimeoutError, ConnectionError):
            self._doubted()
            raise
        finally:
            if self._paying is not None:
                self._paying.ended()
        cost = self._cost(answer)
        if self._paying is not None:
            self._paying.answered(answer, cost)
        record = answer._replace(cost=cost).record(self._model.name)
        if self._by:
            record["by"] = self._by
        if (billed := self.billed) is not None:
            record["billed"] = billed
        return record

    async def _paid(self, request: Request) -> Request:
        """What it may take is held. What others before may have taken, who have died, is found out there, once."""
        paying = self._paying = self._paying or self._made(self._means)
        known = paying.doubt
        request = await paying.begin(request)
        if paying.doubt is not known:
            self._lost = self._lost.plus(paying.doubt)
        return request

    async def _answer(self, request: Request) -> Answer:
        """Piece by piece when somebody listens and the model can, else as a whole."""
        self._by = ""
        stream: Streaming | None = getattr(self._model, "stream", None)
        speech = None if stream is None else _speech()
        if stream is None or speech is None or not await speech.wanted():
            return await self._model.complete(request)
        with speech:
            self._by, self._begun = speech.by, False

            def emit(delta: Delta) -> None:
                self._begun = True
                speech.say(delta.text, delta.reasoning)

            return await stream(request, emit)

    def _failed(self, error: ModelError) -> None:
        """Add up what the attempt was billed for, and let the error tell of all."""
        if error.billed:
            used = reported(error.billed)
            prices = self._known(error.model)
            if prices is not None:
                cost = prices.of(used.parts)
                used = used._replace(cost=Decimal(cost or 0), unpriced=int(cost is None))
            self._billed = used if self._billed is None else self._billed.plus(used)
            if self._paying is not None:
                self._paying.took(Amount(used.tokens, used.cost, model_calls=1))
        elif self._begun:
            self._doubted()
        if (billed := self.billed) is not None:
            error.billed = billed

    def _doubted(self) -> None:
        """An attempt was cut short, and may be billed for all the same: it counts as it was held."""
        self._begun = False
        if self._paying is not None and (hold := self._paying.hold) is not None:
            self._lost = self._lost.plus(hold.amount)
            self._paying.took(hold.amount)

    @property
    def held(self) -> bool:
        """Whether something is set aside for it: what becomes of it must be recorded."""
        return self._paying is not None and self._paying.hold is not None

    @property
    def cut(self) -> dict[str, Any] | None:
        """What is settled of shared accounts when the turn ends while it is under way."""
        return None if self._paying is None else self._paying.cut

    @property
    def settled(self) -> dict[str, Any] | None:
        """What is settled of shared accounts by the entry that tells what came of it."""
        return None if self._paying is None else self._paying.settled

    @property
    def billed(self) -> dict[str, Any] | None:
        """What the attempts that failed were billed for, or may have been; None: nothing that is known."""
        if self._billed is None and self._lost is NOTHING:
            return None
        told: dict[str, Any] = {"first": self._first}
        if self._billed is not None:
            cost = None if self._billed.unpriced else written(self._billed.cost)
            told |= {"usage": self._billed.parts.record(), "cost": cost}
        return told if self._lost is NOTHING else told | {"doubt": self._lost.record()}

    def _cost(self, answer: Answer) -> str | None:
        """By the agent's own prices, where it has some for who answered; else what the model says."""
        prices = self._known(answer.model)
        return answer.cost if prices is None or not answer.usage.total else prices.of(answer.usage)

    def _known(self, model: str) -> Prices | None:
        return self._prices.get(model or self._model.name) or self._prices.get("")


def _weight(messages: Sequence[Message], *, seen: bool) -> int:
    """About how many bytes of a request they are. Asked for each call, so it costs little for a long conversation."""
    text = sum([len(message.content) for message in messages])
    if not seen:
        return text
    return text + sum(len(part.data) * 4 // 3 for message in messages for part in message.parts)


def _speech() -> Speech | None:
    try:
        return current_call().speech
    except LookupError:
        return None


def _attempt() -> int:
    try:
        return current_call().attempt
    except LookupError:
        return 1
