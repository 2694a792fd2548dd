"""A recorded model answer, read without trust: whatever the JSON holds, this gives a Reading and never raises.

The shape is ``{"text"?, "tool_calls"?: [{"id", "name", "arguments"}], "usage": {"input", "output", …}, "cost",
"model"?, "finish"?, "refusal"?, "reasoning"?, "opaque"?}``, a call with its own ``opaque``?. ``reasoning`` is for
people, and nobody reads it here. ``finish`` is stop or tool_calls when left out, else length, content_filter, pause
(the provider wants to be asked to go on) or malformed (it could not read what its model wrote, which is the text).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from ...state.codec import dumps, readable
from ...state.errors import InvalidInput
from ..governance.usage import Usage, reported
from .conversation import Opaque, ToolCall

MOST_CALLS = 32
"""Tool calls of one answer that are made; the model is told that the others were not."""

LONGEST = 200
"""Characters of a call's name or id. No tool has a longer name, and every entry about the call repeats them."""

_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")
_NOTHING = frozenset({"", "null", "None"})
"""What models write for no arguments."""


class Asked(NamedTuple):
    """A tool call that the model asked for. ``arguments`` is None when they are no JSON object."""

    call: ToolCall
    arguments: dict[str, Any] | None
    problem: str  # why there are no arguments


class Reading(NamedTuple):
    """What a model answer says. ``cut`` when it ended at the length limit, ``malformed`` what the provider could not
    make a call of; there are no calls then. ``paused``: the provider goes on when it is asked again."""

    text: str
    calls: tuple[Asked, ...]
    surplus: int  # calls beyond MOST_CALLS
    cut: bool
    refusal: str
    usage: Usage
    opaque: Opaque | None = None
    model: str = ""  # who answered
    paused: bool = False
    malformed: str = ""


def read(value: Any, op: str, asked_of: str = "") -> Reading:
    """Read the ``value`` of a model fact, of the model ``asked_of`` unless it says another one. Call ids are made
    unique; an exact repetition of a call is dropped."""
    answer = cast("dict[str, Any]", value if isinstance(value, dict) else {"text": value})
    text = _text(answer.get("text"))
    finish = answer.get("finish")
    refusal = _text(answer.get("refusal"))
    if finish == "content_filter" and not refusal:
        refusal = text or "The provider's content filter withheld the answer."
    cut = finish == "length"
    malformed = (text.strip() or "(nothing)") if finish == "malformed" else ""
    asked = [] if cut or refusal or malformed else _calls(answer.get("tool_calls"), op)
    return Reading(
        "" if malformed else text,
        tuple(asked[:MOST_CALLS]),
        max(0, len(asked) - MOST_CALLS),
        cut,
        refusal,
        reported(answer, 1),
        None if refusal else _opaque(answer.get("opaque")),
        _text(answer.get("model")) or asked_of,
        finish == "pause" and not asked,
        malformed,
    )


def _opaque(value: Any) -> Opaque | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) and value else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _calls(value: Any, op: str) -> list[Asked]:
    asked: list[Asked] = []
    seen: dict[str, tuple[str, str]] = {}
    items = cast("Sequence[Any]", value if isinstance(value, list) else ())
    for index, item in enumerate(items):
        record = cast("dict[str, Any]", item if isinstance(item, dict) else {})
        name = _text(record.get("name"))[:LONGEST]
        arguments = record.get("arguments")
        raw = arguments if isinstance(arguments, str) else "" if arguments is None else dumps(arguments)
        id = _text(record.get("id"))
        if id and seen.get(id) == (name, raw):
            continue
        if not id or id in seen or len(id) > LONGEST:
            id = f"call_{op.replace('.', '_')}_{index}"
        seen[id] = (name, raw)
        asked.append(_asked(id, name, raw, _opaque(record.get("opaque"))))
    return asked


def _asked(id: str, name: str, raw: str, opaque: Opaque | None) -> Asked:
    call = ToolCall(id, name, raw, opaque)
    if raw.strip() in _NOTHING:
        return Asked(call, {}, "")
    try:
        arguments = readable(raw)
    except InvalidInput as error:
        return Asked(call, None, f"the arguments are not valid JSON ({error})")
    if not isinstance(arguments, dict):
        return Asked(call, None, "the arguments must be a JSON object")
    return Asked(call, cast("dict[str, Any]", arguments), "")


def shown(asked: Asked) -> ToolCall:
    """The call as later requests repeat it: with a name and arguments that every provider accepts back."""
    name = _UNFIT.sub("_", asked.call.name)[:64] or "unnamed"
    return ToolCall(asked.call.id, name, "{}" if not asked.arguments else asked.call.arguments, asked.call.opaque)
