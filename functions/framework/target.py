"""Decorated functions stay plain functions: callable in tests as they were written, and loadable by platforms
that insist on ``types.FunctionType``. The durable object behind one hangs on it as ``__overwinter__``.

Functions Framework calls its target with one request object. Such a call is served over HTTP and CloudEvents
(``framework``); every other call is the original's.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from ...orchestrator.usercode.fields import minded
from ...orchestrator.usercode.served import served
from .request import is_request

__all__ = ["served", "target"]

P = ParamSpec("P")
R = TypeVar("R")


def target(original: Callable[P, R], durable: object) -> Callable[P, R]:
    """A plain function that behaves as ``original`` and carries ``durable`` (a Tool or a Workflow).

    An ``async def`` stays one. Only in a process of Functions Framework it becomes a plain function that
    returns the awaitable, because the framework's Flask side can't call coroutine functions.
    """

    @functools.cache
    def behind() -> Callable[..., Any]:
        return minded(original) or original

    @functools.wraps(original)
    def called(*args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and is_request(args[0]):
            return _respond(durable, original, args[0])
        return behind()(*args, **kwargs)

    @functools.wraps(original)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and is_request(args[0]):
            return _respond(durable, original, args[0])
        return await behind()(*args, **kwargs)

    stays_async = inspect.iscoroutinefunction(original) and "functions_framework" not in sys.modules
    function = cast("Any", awaited if stays_async else called)
    function.__overwinter__ = durable
    return cast("Callable[P, R]", function)


def _respond(durable: object, original: object, request: Any) -> Any:
    from .server import respond

    return respond(durable, getattr(original, "__module__", ""), request)
