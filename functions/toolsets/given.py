"""Tools with what their functions need and the model does not see: a pool of connections, a client, settings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from ...state.errors import InvalidInput
from ..tools.tool import Tool
from .changed import Changed
from .source import UNASKED, Source


class Given(Changed):
    """Parameters of these names are filled in, and no part of the schema. Raises InvalidInput for one that no function
    has."""

    def __init__(self, inner: Source, values: Mapping[str, Any]) -> None:
        super().__init__(inner)
        self._values = dict(values)
        taken = {name for tool in inner.tools(UNASKED) for name in _parameters(tool.function)}
        for name in self._values.keys() - taken if not inner.servers else ():
            raise InvalidInput(f"given: no tool has a parameter {name!r}")

    def change(self, tool: Tool) -> Tool:
        names = _parameters(tool.function)
        values = {name: value for name, value in self._values.items() if name in names}
        return tool.but(_filled(tool.function, values)) if values else tool


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # of some built-in functions nothing is known
        return {}


def _filled(function: Callable[..., Any], values: Mapping[str, Any]) -> Callable[..., Any]:
    """The function with those parameters filled in. It is async if that one is, since it gives what that gives."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs, **values)

    signature = inspect.signature(function)
    left = [parameter for name, parameter in signature.parameters.items() if name not in values]
    cast("Any", called).__signature__ = signature.replace(parameters=left)
    cast("Any", called).__dict__.pop("__overwinter__", None)
    return called
