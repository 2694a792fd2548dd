"""An answer that comes in pieces of OpenAI's chat protocol, put together to the body that would have come at once.

What is said is told as it comes in; calls are gathered. Servers number the pieces of calls each in its own way, so a
piece belongs to the call that its id, its number and its name together say. Nothing here asks anybody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from ...state.codec import dumps
from .chat import Unfit, fields_of, finished, words
from .counting import split
from .port import Delta, Emit
from .reasoning import thought

_TEXTS = ("refusal", "reasoning_content", "reasoning")
"""Fields of which each piece goes on where the one before has ended."""
_BESIDE_CALL = ("extra_content", "provider_specific_fields")
_GROWING = ("text", "summary")
"""Fields of a part of OpenRouter's reasoning that come in pieces."""


class Pieces:
    """``finish`` is why it ended, as the server says it; "" while it has not."""

    def __init__(self, emit: Emit) -> None:
        self.finish = ""
        self.said = False  # anything at all
        self._emit = emit
        self._went_on = False  # after it had ended
        self._content: list[str] = []
        self._texts: dict[str, list[str]] = {}
        self._place = ""  # where the reasoning stands
        self._thoughts: list[str] = []
        self._blocks: list[dict[str, Any]] = []
        self._details: list[dict[str, Any]] = []
        self._items: list[Any] = []
        self._specific: dict[str, Any] = {}
        self._calls: list[_Call] = []
        self._usage: Any = None
        self._choice: object = None  # the number of the one that is read

    @property
    def whole(self) -> bool:
        """Whether the server said that it ended, and nothing came behind that."""
        return bool(self.finish) and not self._went_on

    def add(self, chunk: object) -> None:
        """One piece, a JSON object. Raises Unfit."""
        piece = fields_of(chunk, "a piece of the answer")
        self.count(piece.get("usage"))
        self.count(_maybe(piece.get("x_groq")).get("usage"))
        choices = piece.get("choices")
        for item in cast("list[object]", choices) if isinstance(choices, list) else ():
            choice = fields_of(item, "a choice")
            number = choice.get("index") or 0
            if self._choice is None:
                self._choice = number
            if number == self._choice:
                self.count(choice.get("usage"))  # Moonshot's place for it
                self._read(choice)

    def left_out(self, delta: Mapping[str, Any]) -> None:
        """What of a piece is not handed on with it: a refusal, parts of reasoning."""
        if isinstance(refusal := delta.get("refusal"), str):
            self.said = True
            self._texts.setdefault("refusal", []).append(refusal)
        for part in _maps(delta.get("reasoning_details")):
            _join_detail(self._details, part)

    def body(self) -> dict[str, Any]:
        """What would have come at once."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._content) or None}
        message |= {name: "".join(texts) for name, texts in self._texts.items()}
        calls = self._ordered()
        several = {
            "thinking_blocks": self._blocks if finished(self.finish) != "length" else _signed(self._blocks),
            "reasoning_details": self._details,
            "reasoning_items": self._items, "provider_specific_fields": self._specific,
            "tool_calls": [call.whole() for call in calls],
        }  # fmt: skip
        message |= {name: value for name, value in several.items() if value}
        choice = {"index": 0, "message": message, "finish_reason": self.finish or None}
        return {"choices": [choice], "usage": self._usage}

    def reasoning(self) -> str:
        """What was told of it."""
        return "".join(self._thoughts)

    def counted(self) -> dict[str, Any]:
        """What was counted so far, as a body without an answer."""
        return {"usage": self._usage}

    def count(self, usage: object) -> None:
        """The last count holds: those before are of the answer so far. Some servers end with an empty one."""
        if usage is not None and (self._usage is None or split(usage).total):
            self._usage = usage

    def _read(self, choice: Mapping[str, Any]) -> None:
        given = choice.get("delta")
        if given is None:
            given = choice.get("message")  # of servers that send all at once
        delta = fields_of({} if given is None else given, "a piece of the answer")
        if _says(delta):
            self.said = True
            self._went_on = self._went_on or bool(self.finish)
        self._think(delta)
        for name in _TEXTS:
            if isinstance(text := delta.get(name), str) and text:
                self._texts.setdefault(name, []).append(text)
        if text := words(delta.get("content")):
            self._content.append(text)
            self._emit(Delta(text))
        given = delta.get("tool_calls")
        if given is not None and not isinstance(given, list):
            raise Unfit("tool_calls is no list")
        pieces = cast("list[object]", given or [])
        for place, piece in enumerate(pieces):
            self._call(fields_of(piece, "a tool call"), place if len(pieces) > 1 else None)
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self.finish = reason

    def _think(self, delta: Mapping[str, Any]) -> None:
        text, self._place = thought(delta, self._place)
        for block in _maps(delta.get("thinking_blocks")):
            _join_block(self._blocks, block)
        for part in _maps(delta.get("reasoning_details")):
            _join_detail(self._details, part)
        if isinstance(items := delta.get("reasoning_items"), list):
            self._items = merged(self._items, items)
        if isinstance(specific := delta.get("provider_specific_fields"), Mapping):
            self._specific = merged(self._specific, specific)
        if text:
            self._thoughts.append(text)
            self._emit(Delta(reasoning=text))

    def _call(self, piece: Mapping[str, Any], place: int | None) -> None:
        function = _maybe(piece.get("function"))
        name, arguments = function.get("name"), function.get("arguments")
        if name is not None and not isinstance(name, str):
            raise Unfit("the name of a tool call is no text")
        if (id := piece.get("id")) is not None and not isinstance(id, str):
            raise Unfit("the id of a tool call is no text")
        text = arguments if isinstance(arguments, str) else "" if arguments is None else dumps(arguments)
        index = piece.get("index")
        index = index if isinstance(index, int) else None
        call = self._belongs(id or "", index, name or "", place)
        if call is None:
            call = _Call(index)
            self._calls.append(call)
        call.add(id or "", name or "", text, {field: piece[field] for field in _BESIDE_CALL if piece.get(field)})

    def _belongs(self, id: str, index: int | None, name: str, place: int | None) -> _Call | None:
        """The call of which it is a piece; None when it begins one."""
        if id and (known := next((call for call in self._calls if call.id == id), None)) is not None:
            return known
        if index is not None:
            last = next((call for call in reversed(self._calls) if call.index == index), None)
        elif place is not None and not name:
            last = self._calls[place] if place < len(self._calls) else None
        else:
            last = self._calls[-1] if self._calls and (not name or not self._calls[-1].name) else None
        return last if last is not None and last.goes_on(id, name) else None

    def _ordered(self) -> list[_Call]:
        numbers = [call.index for call in self._calls]
        if any(number is None for number in numbers):
            return self._calls
        return sorted(self._calls, key=lambda call: call.index or 0)


class _Call:
    """A tool call as far as it is known."""

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self._arguments: list[str] = []
        self._beside: dict[str, Any] = {}

    def goes_on(self, id: str, name: str) -> bool:
        """Whether a piece with its number is a piece of it. One with another id and a name begins another call (Ollama
        numbers each 0), with another id alone it does not (some servers draw one for each piece)."""
        if not name or not self.name:
            return True
        if id and self.id:
            return False
        return not self._arguments or (name == self.name and not self._ended())

    def add(self, id: str, name: str, arguments: str, beside: Mapping[str, Any]) -> None:
        self.id = self.id or id
        if name and name != self.name:
            self.name += name
        if arguments:
            self._arguments.append(arguments)
        for field, value in beside.items():
            self._beside[field] = merged(self._beside.get(field), value)

    def whole(self) -> dict[str, Any]:
        function = {"name": self.name or None, "arguments": "".join(self._arguments)}
        return {"id": self.id or None, "type": "function", "function": function, **self._beside}

    def _ended(self) -> bool:
        """Whether its arguments are whole, so that more of them would be another's."""
        try:
            return isinstance(json.loads("".join(self._arguments)), dict)
        except (ValueError, RecursionError):
            return False


def merged(old: Any, new: Any) -> Any:
    """What is known after ``new``. A list may come piece by piece or each time whole; of two items with one id the
    later adds what the earlier has not."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _both(cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", new))
    if isinstance(old, list) and isinstance(new, list):
        return _joined(old, new)  # pyright: ignore[reportUnknownArgumentType]  # of any provider
    return old if new is None else new  # pyright: ignore[reportUnknownVariableType]  # of any provider


def _both(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    later = {name: merged(old.get(name), value) for name, value in new.items() if value is not None}
    return {**old, **later}


def _joined(old: list[Any], new: list[Any]) -> list[Any]:
    whole = list(old)
    for item in new:
        _put(whole, item)
    return whole


def _put(whole: list[Any], item: Any) -> None:
    id = _maybe(item).get("id")
    for place, known in enumerate(whole):
        if known == item:
            return
        if id is not None and _maybe(known).get("id") == id:
            whole[place] = {**item, **{name: value for name, value in known.items() if value is not None}}
            return
    whole.append(item)


def _join_block(blocks: list[dict[str, Any]], block: Mapping[str, Any]) -> None:
    """One piece of Anthropic's thinking, as litellm hands it on. A signature ends a block."""
    last = blocks[-1] if blocks else None
    text, signature = block.get("thinking"), block.get("signature")
    block = {name: value for name, value in block.items() if name != "index"}  # of the stream
    if block.get("type") != "thinking" or last is None or last.get("type") != "thinking" or last.get("signature"):
        blocks.append(block)
        return
    before = last.get("thinking") or ""
    if isinstance(text, str):  # with the signature, some releases repeat the whole
        last["thinking"] = text if signature and before and text.startswith(before) else before + text
    if signature:
        last["signature"] = signature


def _signed(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Blocks that can go back, of an answer that was cut: a provider that signs refuses one without."""
    return [block for block in blocks if block.get("type") != "thinking" or block.get("signature")]


def _join_detail(details: list[dict[str, Any]], part: Mapping[str, Any]) -> None:
    """One piece of OpenRouter's reasoning: texts with one number are one."""
    kind, number = part.get("type"), part.get("index")
    known = details[-1:] if number is None else [one for one in details if one.get("index") == number]
    same = next((one for one in reversed(known) if one.get("type") == kind), None)
    if same is None or part.get("data"):  # what is encrypted is never cut
        if part not in details:
            details.append(dict(part))
        return
    for name, value in part.items():
        if name in _GROWING and isinstance(value, str):
            same[name] = (same.get(name) or "") + value
        elif value is not None:
            same[name] = value


def _says(delta: Mapping[str, Any]) -> bool:
    return any(value for name, value in delta.items() if name not in ("role", "annotations"))


def _maybe(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _maps(value: object) -> list[Mapping[str, Any]]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("Mapping[str, Any]", item) for item in items if isinstance(item, Mapping)]
