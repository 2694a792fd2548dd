"""A callable as a foreign agent: the whole of it is one step, recorded once, since nobody sees into it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from ...state.errors import InvalidInput
from .port import Turn


class OneStep:
    """``fn(input)`` or ``fn(input, past)``, plain or async. It may do anything; when its process dies in the middle,
    it is called again, with the same ``current_call().idempotency_key``. ``policy``: its ``retry`` and ``timeout``."""

    whole = True

    def __init__(self, fn: Callable[..., Any], **policy: Any) -> None:
        self.name = str(getattr(fn, "__name__", type(fn).__name__))
        self.fn = fn
        self._policy = policy
        try:
            parameters = list(inspect.signature(fn).parameters.values())
        except (TypeError, ValueError):
            raise InvalidInput(f"{fn!r} is no agent; give a callable, or an object with `async def answer`") from None
        open_ = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        needed = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        if not open_ or len(needed) > 2 or any(p.kind is p.KEYWORD_ONLY for p in needed):
            raise InvalidInput(f"{self.name}: an agent is a callable of (input), or of (input, past)")
        self._past = len(open_) > 1
        self.output = _returned(fn)

    async def answer(self, turn: Turn) -> Any:
        given = (turn.input, turn.past) if self._past else (turn.input,)
        return await turn.ctx.step(self.fn, *given, name=self.name, **self._policy)


def _returned(fn: Callable[..., Any]) -> Any:
    """What it is annotated to return; Any when that is not said."""
    plain = fn if inspect.isroutine(fn) else getattr(fn, "__call__", fn)  # noqa: B004  # its method, not whether it has one
    try:
        return get_type_hints(plain).get("return", Any)
    except (NameError, TypeError):
        return Any
