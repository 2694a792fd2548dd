"""Beginning a function with what came from outside: once for each key, durably, whatever kind of function it is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...orchestrator.usercode.annotations import annotation
from ...state.errors import AlreadyExists, AlreadyFinished, InvalidInput
from ..events.event import CloudEvent
from ..events.intake import arguments_of, content_of
from ..events.json_form import write
from ..invocation.loading import kind_of

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime

log = logging.getLogger("overwinter.http")
WHOLE = "*"


def whole_of(function: Any) -> str:
    """What of a function takes the whole event: the parameter of a tool by its name, or the input (WHOLE); "" for
    nothing."""
    if kind_of(function) != "tool":
        return WHOLE if getattr(function, "input", None) is CloudEvent else ""
    names = function.parameters.get("properties", {})
    return next((name for name in names if annotation(function.function, name) is CloudEvent), "")


def given_of(whole: str, event: CloudEvent) -> Any:
    """What the function gets of an event: its data, or all of it where it takes that."""
    if not whole:
        return event.data
    return write(event) if whole == WHOLE else {whole: write(event)}


async def begin(runtime: Runtime, name: str, given: Any, *, key: str, by: str, session: str | None = None) -> None:
    """Begin the function served as ``name``, or find that ``key`` has begun it. Durable when it returns. Raises
    InvalidInput for what it can't take, StoreError."""
    try:
        if session is not None:
            await runtime.send(name, session, content_of(given), id=key, by=by)
            return
        target: Any = name
        if kind_of(runtime.functions[name]) == "tool":
            tasks: Mapping[str, Any] = getattr(runtime, "tasks")  # noqa: B009  # of the class above ours
            target, given = tasks[name], arguments_of(given)
        await runtime.start(target, given, id=f"{name}-{key}", by=by)
    except AlreadyExists:
        log.info("what began %s-%s came again with another content", name, key)
    except AlreadyFinished as error:  # 409 would be sent again for ever
        raise InvalidInput(str(error)) from error
