"""A parameter that gets the idempotency key of the durable call, which no model and no caller has to know of."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from ...orchestrator.engine.performing import current_call
from ...state.errors import InvalidInput


def keyed(function: Callable[..., Any], key: str) -> Callable[..., Any]:
    """``function`` without its parameter ``key``, which is given to it. By hand, outside of a durable call, it is
    passed like any other. Raises InvalidInput when there is no such parameter."""
    signature = inspect.signature(function)
    parameters = signature.parameters
    takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    known = parameters.get(key)
    if (known is None and not takes_all) or (known is not None and known.kind is known.POSITIONAL_ONLY):
        name = getattr(function, "__name__", repr(function))
        raise InvalidInput(f"key={key!r} names no parameter of {name!r} that can be passed by name")

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **_given(key, kwargs))

    @functools.wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **_given(key, kwargs))

    made: Any = awaited if _asynchronous(function) else called
    made.__signature__ = signature.replace(parameters=[one for name, one in parameters.items() if name != key])
    return cast("Callable[..., Any]", made)


def without(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The schema of the arguments without that of the key. Raises InvalidInput when it has none."""
    if not key:
        return schema
    known: Any = schema.get("properties")
    if not isinstance(known, Mapping) or key not in known:
        raise InvalidInput(f"key={key!r} names no property of the schema")
    rest = {name: one for name, one in cast("Mapping[str, Any]", known).items() if name != key}
    required: list[Any] = [name for name in schema.get("required", ()) if name != key]
    return {**schema, "properties": rest, **({"required": required} if "required" in schema else {})}


def _given(key: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    if key in kwargs:
        return kwargs
    try:
        return kwargs | {key: current_call().idempotency_key}
    except LookupError:
        return kwargs


def _asynchronous(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  # the method itself is looked at, not whether it is there
    )
