"""What a hook may say, and how it is recorded: one JSON object with one field.

Where it may say what, and what that means there, is in docs/hooks.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from ...orchestrator.agent.around import ModelReply, ModelUse
from ...orchestrator.agent.conversation import ToolCall
from ...orchestrator.protocol.media import holds_made, is_parts
from ...state.codec import dumps, stored
from ...state.errors import InvalidInput
from .asked import changes


class Change(NamedTuple):
    """Other arguments, as a mapping of all of them; another outcome, input or output; another answer (a text, calls, a
    ModelReply); or, before a model call, what is different: ``{"instructions", "message", "model", "tools",
    "settings"}``, any of these."""

    to: Any


class Skip(NamedTuple):
    """It is not done; this stands for its result. Before it only."""

    result: Any


class Guide(NamedTuple):
    """What the model is told. A tool call is not made, an answer or an output is not taken: the model goes on."""

    text: str


class Ask(NamedTuple):
    """Somebody of that role must approve it first. Where several hooks ask, the first names the role."""

    role: str


class Refuse(NamedTuple):
    """It is not done, or its outcome is withheld: the model is told why, or the turn ends with that error."""

    why: str


Verdict = Change | Skip | Guide | Ask | Refuse | None
MAY = {
    "before_tool": ("change", "skip", "guide", "ask", "refuse"),
    "after_tool": ("change", "guide", "refuse"),
    "before_run": ("change", "skip", "guide", "ask", "refuse"),
    "before_model": ("change", "skip", "guide", "refuse"),
    "after_model": ("change", "guide", "refuse"),
    "after_run": ("change", "guide", "ask", "refuse"),
}
"""What may be said where."""


def said(hook: str, place: str, verdict: object) -> dict[str, Any] | None:
    """A verdict as plain JSON. Raises InvalidInput for what is none there."""
    if verdict is None:
        return None
    kind, may = type(verdict).__name__.lower(), MAY[place]
    if not isinstance(verdict, (Change, Skip, Guide, Ask, Refuse)) or kind not in may:
        raise InvalidInput(
            f"the hook {hook!r} returned {verdict!r:.80}; return None or one of "
            + ", ".join(word.capitalize() for word in may)
        )
    if kind in ("guide", "ask", "refuse"):
        text: object = verdict[0]
        if not isinstance(text, str) or not text.strip():
            raise InvalidInput(f"the hook {hook!r} returned {verdict!r:.80}, which says nothing; give it a text")
        return {kind: stored(text)}
    if place in ("before_model", "after_model"):
        return {kind: verdict[0]}
    if holds_made(cast("object", verdict[0])):
        raise InvalidInput(
            f"the hook {hook!r} gives images, sounds or files, which only tools and messages may; say it in words"
        )
    value = stored(verdict[0])
    if place == "before_tool" and kind == "change" and not isinstance(value, dict):
        raise InvalidInput(f"the hook {hook!r} changes the arguments to {value!r:.80}; give a mapping of them")
    if place == "before_run" and kind == "change" and is_parts(cast("object", value)):
        raise InvalidInput(f"the hook {hook!r} gives images or files; give the words, what else there is stays")
    return {kind: value}


def asked(hook: str, told: dict[str, Any] | None, use: ModelUse) -> dict[str, Any] | None:
    """What is said before a model call."""
    if told is not None and "change" in told:
        return {"change": changes(f"the hook {hook!r}", told["change"], use)}
    return {"skip": reply(hook, told["skip"])} if told is not None and "skip" in told else told


def answered(hook: str, told: dict[str, Any] | None) -> dict[str, Any] | None:
    """What is said of a model's answer."""
    return {"change": reply(hook, told["change"])} if told is not None and "change" in told else told


def reply(hook: str, given: object) -> dict[str, Any]:
    """An answer in the place of a model's: a text, tool calls, both (ModelReply), or anything else as JSON."""
    found = given if isinstance(given, ModelReply) else ModelReply("", (), "", "")
    if isinstance(given, ToolCall):
        found = found._replace(calls=(given,))
    elif isinstance(given, str):
        found = found._replace(text=given)
    elif (
        isinstance(given, Sequence)
        and given
        and all(isinstance(one, ToolCall) for one in cast("Sequence[object]", given))
    ):
        found = found._replace(calls=tuple(cast("Sequence[ToolCall]", given)))
    elif not isinstance(given, ModelReply):
        found = found._replace(text=dumps(stored(given)))
    calls = [{"id": one.id, "name": one.name, "arguments": one.arguments} for one in found.calls]
    said: Mapping[str, Any] = {"text": found.text, "tool_calls": calls, "refusal": found.refusal}
    made = {name: value for name, value in said.items() if value}
    if not made or (found.refusal and calls):
        raise InvalidInput(f"the hook {hook!r} gives {given!r:.80} for an answer; give a text, or calls of tools")
    return cast("dict[str, Any]", stored(made))
