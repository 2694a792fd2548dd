"""Texts made into calls once, evaluated often: ``compile_intrinsic(text).evaluate(scope)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from ..failure import INTRINSIC, RUNTIME, QueryError, bounded
from ..paths import MISSING, Path, shown
from ..scope import Scope
from . import arrays, math, texts
from .arguments import Unfit
from .parser import Call, Literal, parse

PREFIX = "States."


class Function(NamedTuple):
    """``least`` and ``most``: how many arguments. ``by_chance``: it is given the scope's chance before them."""

    least: int
    most: int | None
    run: Callable[..., Any]
    by_chance: bool = False


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "States.Array": Function(0, None, arrays.make),
        "States.ArrayPartition": Function(2, 2, arrays.partition),
        "States.ArrayContains": Function(2, 2, arrays.contains),
        "States.ArrayRange": Function(3, 3, arrays.span),
        "States.ArrayGetItem": Function(2, 2, arrays.item),
        "States.ArrayLength": Function(1, 1, arrays.length),
        "States.ArrayUnique": Function(1, 1, arrays.unique),
        "States.Base64Encode": Function(1, 1, texts.encode),
        "States.Base64Decode": Function(1, 1, texts.decode),
        "States.Hash": Function(2, 2, texts.digest),
        "States.JsonMerge": Function(3, 3, arrays.merge),
        "States.StringToJson": Function(1, 1, texts.from_json),
        "States.JsonToString": Function(1, 1, texts.to_json),
        "States.MathRandom": Function(2, 3, math.draw, by_chance=True),
        "States.MathAdd": Function(2, 2, math.add),
        "States.StringSplit": Function(2, 2, texts.split),
        "States.UUID": Function(0, 0, math.uuid, by_chance=True),
        "States.Format": Function(1, None, texts.fill),
    }
)


class Intrinsic:
    """A call whose function exists and whose arguments are as many as it takes."""

    def __init__(self, call: Call) -> None:
        self.text = call.text
        self._call = call

    @bounded
    def evaluate(self, scope: Scope) -> Any:
        """Raises QueryError: States.IntrinsicFailure for what a function can't take, States.Runtime for a path that
        finds nothing. Its cause names the whole call, as it is written."""
        try:
            return _evaluate(self._call, scope)
        except QueryError as error:
            cause = f"The function '{self.text}' had the following error: {error.cause}"
            raise QueryError(error.error, cause) from None


@lru_cache(4096)
def compile_intrinsic(text: str) -> Intrinsic:
    """Raises QueryError (States.IntrinsicFailure) for a text that is no call of a known function."""
    call = parse(text)
    _check(call)
    return Intrinsic(call)


def _check(call: Call) -> None:
    function = FUNCTIONS.get(call.name)
    if function is None:
        raise QueryError(INTRINSIC, f"'{call.text}': there is no intrinsic function {call.name}.")
    count = len(call.arguments)
    if count < function.least or (function.most is not None and count > function.most):
        least, most = function.least, function.most
        wanted = f"{least}" if least == most else f"at least {least}" if most is None else f"{least} to {most}"
        raise QueryError(INTRINSIC, f"'{call.text}': {call.name} takes {wanted} arguments, but {count} are given.")
    for argument in call.arguments:
        if isinstance(argument, Call):
            _check(argument)


def _evaluate(call: Call, scope: Scope) -> Any:
    function = FUNCTIONS[call.name]
    arguments = [_value(argument, scope) for argument in call.arguments]
    if function.run is texts.fill and isinstance(call.arguments[0], Literal) and call.arguments[0].raw is not None:
        arguments[0] = call.arguments[0].raw
    try:
        return function.run(scope.chance, *arguments) if function.by_chance else function.run(*arguments)
    except Unfit as unfit:
        raise QueryError(INTRINSIC, f"{call.name} {unfit}.") from None


def _value(argument: Any, scope: Scope) -> Any:
    if isinstance(argument, Literal):
        return argument.value
    if isinstance(argument, Call):
        return _evaluate(argument, scope)
    path: Path = argument
    value = path.find(scope)
    if value is MISSING:
        named = path.text[1:] if path.context else path.text  # AWS names the state's input even then
        cause = f"The JsonPath argument for the field '{named}' could not be found in the input '{shown(scope.data)}'"
        raise QueryError(RUNTIME, cause)
    return value
