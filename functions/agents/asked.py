"""What one model call may have different from what the agent says, as hooks write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from ...orchestrator.agent.around import ModelUse
from ...state.codec import stored
from ...state.errors import InvalidInput


def changes(whose: str, given: object, use: ModelUse) -> dict[str, Any]:
    """As plain JSON. Raises InvalidInput for what can't be asked."""
    if not isinstance(given, Mapping) or not given:
        raise InvalidInput(f"{whose} changes a model call to {given!r:.80}; give a mapping with {', '.join(_FIELDS)}")
    made: dict[str, Any] = {}
    for name, value in cast("Mapping[object, Any]", given).items():
        read = _FIELDS.get(str(name))
        if read is None:
            raise InvalidInput(f"{whose} changes {str(name)[:40]!r} of a model call; there are {', '.join(_FIELDS)}")
        try:
            made |= read(value, use)
        except ValueError as error:
            raise InvalidInput(f"{whose} changes {name} of a model call to {value!r:.80}: {error}") from None
    return cast("dict[str, Any]", stored(made))


def _text(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("give a text")
    return {name: value}


def _message(value: object, use: ModelUse) -> dict[str, Any]:
    return {"messages": [_text(value, "text")["text"]]}


def _model(value: object, use: ModelUse) -> dict[str, Any]:
    if value not in use.models:
        raise ValueError(f"the agent has {', '.join(use.models)}; name them all: model=[…]")
    return {"model": value}


def _tools(value: object, use: ModelUse) -> dict[str, Any]:
    names = list(cast("Sequence[object]", value)) if isinstance(value, (list, tuple, set, frozenset)) else None
    if names is None:
        raise ValueError("give names in a list; an empty one for none")
    if more := [name for name in names if name not in use.tools]:
        raise ValueError(f"{more[0]!r} is not offered; a hook may take some of {', '.join(use.tools) or 'none'} away")
    return {"tools": [name for name in use.tools if name in names]}


def _settings(value: object, use: ModelUse) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("give a mapping")
    return {"settings": dict(cast("Mapping[str, Any]", value))}


def _choice(value: object, use: ModelUse) -> dict[str, Any]:
    if value not in ("auto", "required", "none", *use.tools):
        raise ValueError(f"give auto, required, none or one of {', '.join(use.tools) or 'the tools'}")
    return {"tool_choice": value}


def _parallel(value: object, use: ModelUse) -> dict[str, Any]:
    if not isinstance(value, bool):
        raise ValueError("give True or False")
    return {"parallel_calls": value}


_FIELDS: dict[str, Callable[[Any, ModelUse], dict[str, Any]]] = {
    "instructions": lambda value, use: _text(value, "instructions"),
    "message": _message,
    "model": _model,
    "tools": _tools,
    "settings": _settings,
    "tool_choice": _choice,
    "parallel_calls": _parallel,
}
