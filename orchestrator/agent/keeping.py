"""What the model keeps by a tool, such as a to-do list: the last result of that tool, under the key that it names.

It is a result in the journal like any other, whose entry says that it is kept (``keeps``). When that leaves the window,
the model reads what is kept before the messages that are left; and so that a replay, which begins with the window,
knows it too, it goes along in the head from then on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ...state.codec import loads
from .conversation import Message

NOTHING = "There is nothing there yet."
_SHOWN = "This is kept by {tool}, as it stands now:\n{text}"


def kept_in(state: str) -> dict[str, str]:
    """By key the text, of what an execution's head says."""
    found: dict[str, Any] = loads(state) if state else {}
    return {key: one[2] for key, one in found.get("kept", {}).items()}


class Kept:
    """Of one execution: by key the tool, the number of the entry, and the text."""

    __slots__ = ("_found",)

    def __init__(self, saved: object = None) -> None:
        given = cast("Mapping[str, Any]", saved if isinstance(saved, dict) else {})
        self._found: dict[str, tuple[str, int, str]] = {key: (one[0], one[1], one[2]) for key, one in given.items()}

    def keep(self, key: str, tool: str, number: int, value: object) -> None:
        """The tool has had that result. An empty one takes away what was kept."""
        self._found.pop(key, None)
        if isinstance(value, str) and value:
            self._found[key] = tool, number, value

    def text(self, key: str) -> str:
        return self._found[key][2] if key in self._found else NOTHING

    def record(self, first: int) -> dict[str, Any]:
        """For the head: what a replay that begins with the entry of that number does not come by."""
        gone = {key: list(one) for key, one in self._found.items() if one[1] < first}
        return {"kept": gone} if gone else {}

    def shown(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The messages, and before them what is kept and stands in none of them."""
        if not self._found:
            return tuple(messages)
        there = {(message.entry, message.content) for message in messages if message.entry}  # and none was shortened
        gone = [one for one in self._found.values() if one[1:] not in there]
        return (*(Message("user", _SHOWN.format(tool=tool, text=text)) for tool, _, text in gone), *messages)
