"""The validators of an agent's final answers: functions that see the typed value, and take it, change it, or raise
ModelRetry to make the model try again.

They may be slow, look things up and be different each time, so they are called once for an answer, as one step that is
recorded: plain functions in a thread, async ones on the loop. What else they raise is an error of that step, tried
again where that may help, and in the end the turn's.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property, partial
from typing import Any, cast

from ...orchestrator.usercode.resilience import DEFAULT
from ...state.codec import copied, decoder, form
from ...state.errors import InvalidInput, ModelRetry

Validator = Callable[..., Any]
"""A function of the answer, or of the answer and what the turn is about: the input or message, typed. It returns the
answer, another one of the type, or None to take it as it is."""
_FIT = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_UNSAID = "it was not accepted."


class Checks:
    """All validators of an agent, in the order in which they are asked."""

    policy = DEFAULT

    def __init__(self, agent: str, output: Any, input: Any) -> None:
        self._agent = agent
        self._output = output
        self._input = input
        self._validators: list[tuple[Validator, bool]] = []  # with whether it takes the input too

    def __bool__(self) -> bool:
        return bool(self._validators)

    @property
    def name(self) -> str:
        return ", ".join(str(getattr(validator, "__name__", "output_validator")) for validator, _ in self._validators)

    @property
    def threaded(self) -> bool:
        return not any(_asynchronous(validator) for validator, _ in self._validators)

    def add(self, validator: Validator) -> None:
        """Raises InvalidInput for what can't be called with an answer."""
        self._validators.append((validator, self._takes_input(validator)))

    def call(self, value: Any, content: Any) -> Callable[[], Any]:
        return partial(self._in_thread if self.threaded else self._on_loop, value, content)

    def _in_thread(self, value: Any, content: Any) -> Any:
        try:
            answer = self._typed(value)
            for validator, both in self._validators:
                answer = self._next(answer, validator(*self._given(answer, content, both=both)))
            return self._made(value, answer)
        except ModelRetry as error:
            return _again(error)

    async def _on_loop(self, value: Any, content: Any) -> Any:
        try:
            answer = self._typed(value)
            for validator, both in self._validators:
                given = self._given(answer, content, both=both)
                if _asynchronous(validator):
                    said = await validator(*given)
                else:
                    said = await asyncio.to_thread(validator, *given)
                answer = self._next(answer, said)
            return self._made(value, answer)
        except ModelRetry as error:
            return _again(error)

    def _typed(self, value: Any) -> Any:
        read = decoder(self._output)
        return value if read is None else read(value)

    def _given(self, answer: Any, content: Any, *, both: bool) -> tuple[Any, ...]:
        if not both:
            return (answer,)
        read = decoder(self._input)
        return answer, copied(content) if read is None else read(content)

    def _next(self, answer: Any, said: Any) -> Any:
        """What the next one sees. A validator that returns nothing has nothing against the answer, unless nothing is
        an answer of the type."""
        if isinstance(said, Awaitable):
            raise InvalidInput(
                f"an output validator of {self._agent!r} returned an awaitable; make it an async function"
            )
        return answer if said is None and not self._nothing_fits else said

    @cached_property
    def _nothing_fits(self) -> bool:
        try:
            return form(self._output).parse("null") is None
        except ValueError:
            return False

    def _made(self, value: Any, answer: Any) -> Any:
        try:
            written = form(self._output).take(answer)
        except InvalidInput as error:
            raise InvalidInput(f"what an output validator of {self._agent!r} returned does not fit: {error}") from None
        return None if written == value else {"value": written}

    def _takes_input(self, validator: Validator) -> bool:
        try:
            taken = list(inspect.signature(validator).parameters.values())
        except (TypeError, ValueError):
            taken = []
        several = any(one.kind is one.VAR_POSITIONAL for one in taken)
        places = [one for one in taken if one.kind in _FIT]
        needed = [
            one for one in taken if one.default is one.empty and one.kind in (*_FIT, inspect.Parameter.KEYWORD_ONLY)
        ]
        if not callable(validator) or not (places or several) or len(needed) > 2 or not set(needed) <= set(places):
            raise InvalidInput(
                f"an output validator of {self._agent!r} is {validator!r:.80}; give a function of the answer, or of "
                "the answer and the input"
            )
        return len([one for one in places if one.default is one.empty]) == 2


def _again(error: ModelRetry) -> dict[str, str]:
    return {"retry": str(error) or _UNSAID}


def _asynchronous(function: Validator) -> bool:
    inner = inspect.unwrap(function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(
        getattr(inner, "__call__", None)  # noqa: B004  # the method itself is looked at, not whether it is there
    )


def checks(agent: str, output: Any, input: Any, validators: Validator | Sequence[Validator] | None) -> Checks:
    """Those that were given: none, one or several."""
    found = Checks(agent, output, input)
    several = cast("Sequence[Validator]", validators if isinstance(validators, (list, tuple)) else (validators,))
    for validator in () if validators is None else several:
        found.add(validator)
    return found
