"""What undoes a call: a function that is given what the call was given and what came of it, by the names of its
parameters.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ...state.errors import InvalidInput
from ...state.quantities import briefly
from .annotations import name_of


@dataclass(frozen=True, slots=True)
class Undo:
    """``function`` undoes a call. Each of its parameters gets the argument of the call that has the same name; the one
    that is called ``result`` here gets what the call gave, the one that is called ``key`` its idempotency key.
    ``unsure``: it may be called, with None for the result, also when nobody knows whether the call took effect."""

    function: Callable[..., Any]
    result: str = "result"
    key: str = "call_key"
    unsure: bool = False

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise InvalidInput(f"undo= is a function or a tool that undoes the call, not {briefly(self.function)}")
        if self.unsure is not True and self.unsure is not False:
            raise InvalidInput(f"unsure= is True or False, not {briefly(self.unsure)}")

    def check(self, names: Collection[str], what: str) -> None:
        """Raises InvalidInput when the arguments of a call of ``what``, that have these names, are not enough."""
        taken = parameters(self.function)
        if taken is None:
            return
        own = {self.result, self.key}
        twice = [name for name in taken.named if name in own and name in names]
        if twice:
            raise InvalidInput(
                f"{twice[0]!r} is a parameter of {what!r} and of {name_of(self.function)!r}, which undoes it; say "
                f'which one gets the result and the key: Undo({name_of(self.function)}, result="…", key="…")'
            )
        missing = [name for name in taken.required if name not in names and name not in own]
        if missing:
            raise InvalidInput(
                f"{name_of(self.function)!r} is to undo {what!r}, which has no parameter {missing[0]!r}; it can be "
                f"given the arguments of {what!r}, its {self.result!r} and its {self.key!r}"
            )

    def given(self, arguments: Mapping[str, Any], result: Any, key: str) -> Callable[[], Any]:
        """The undoing call of a call that had these arguments."""
        taken = parameters(self.function)
        known = {**arguments, self.result: result, self.key: key}
        named = known if taken is None or taken.all else {name: known[name] for name in taken.named if name in known}
        return partial(self.function, **named)


class Taken(NamedTuple):
    """The parameters of a function that can be given by name; ``all``: any others too."""

    named: tuple[str, ...]
    required: tuple[str, ...]
    all: bool


def parameters(function: Callable[..., Any]) -> Taken | None:
    """None when nothing is known about them."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    named = [one for one in found if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    required = [one.name for one in found if one.default is one.empty and one.kind in (*_NAMED, one.POSITIONAL_ONLY)]
    return Taken(tuple(one.name for one in named), tuple(required), any(one.kind is one.VAR_KEYWORD for one in found))


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def arguments_of(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What a call gives to each parameter, defaults among them. Raises TypeError when it can't be called like that."""
    while isinstance(function, partial):
        args, kwargs, function = (*function.args, *args), {**function.keywords, **kwargs}, function.func
    try:
        signature = inspect.signature(function)
    except ValueError:  # of some built-in functions nothing is known
        return dict(kwargs)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    given: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        given |= value if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD else {name: value}
    return given


def undo_of(given: object, what: str) -> Undo | None:
    """What was declared as undoing ``what``. Raises InvalidInput."""
    if given is None or isinstance(given, Undo):
        return given
    if not callable(given):
        raise InvalidInput(f"undo= of {what!r} is a function or a tool that undoes it, not {briefly(given)}")
    return Undo(given)
