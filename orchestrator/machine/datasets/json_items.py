"""Items of JSON: those of an array or an object in a file, or one on each line of it (JSON Lines)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from ..definition.plain import is_list, is_object
from .bucket import Refused
from .content import Content, text_of

NOT_ITERABLE = "Attempting to map over non-iterable node."


class Whole:
    """The items of one array or object, or of the one that ``pointer`` (RFC 6901) leads to. An object's items have
    keys."""

    def __init__(self, content: Content, pointer: str, cursor: dict[str, Any]) -> None:
        self._content = content
        self._pointer = pointer
        self._index: int = cursor.get("index", 0)

    def __iter__(self) -> Iterator[tuple[str | None, Any]]:
        key = self._content.key
        value = _loads(text_of(self._content.whole(), key, "the file").removeprefix("\ufeff"), key)
        found = _led(value, self._pointer, key) if self._pointer else value
        items: list[tuple[str | None, Any]] = []
        if is_object(found):
            items.extend(found.items())
        elif is_list(found):
            items.extend((None, item) for item in found)
        else:
            raise Refused(NOT_ITERABLE)
        for item in items[self._index :]:
            self._index += 1
            yield item

    def cursor(self) -> dict[str, Any]:
        return {"index": self._index}


class Lines:
    """The items of a file that has one on each line. Empty lines are none."""

    def __init__(self, content: Content, cursor: dict[str, Any]) -> None:
        self._content = content
        self._line: int = cursor.get("line", 0)

    def __iter__(self) -> Iterator[tuple[None, Any]]:
        key = self._content.key
        for line in self._content.lines():
            self._line += 1
            text = text_of(line, key, f"line {self._line}")
            text = text.removeprefix("\ufeff") if self._line == 1 else text
            if text.strip():
                yield None, _loads(text, f"{key}, line {self._line}")

    def cursor(self) -> dict[str, Any]:
        return {"at": self._content.at, "line": self._line}


def _loads(text: str, place: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise Refused(f"{place} is nested too deeply") from None
    except ValueError as error:  # also an integer of too many digits
        raise Refused(f"{place} is not JSON: {error}") from None


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _led(value: Any, pointer: str, key: str) -> Any:
    if not pointer.startswith("/"):
        raise Refused(f"ItemsPointer {pointer!r:.200} is no JSON pointer; it begins with /")
    for step in pointer[1:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if is_object(value) and name in value:
            value = value[name]
        elif is_list(value) and re.fullmatch(r"0|[1-9]\d{0,9}", name) and int(name) < len(value):
            value = value[int(name)]
        else:
            raise Refused(f"ItemsPointer {pointer!r:.200} leads nowhere in {key}: there is no {name!r:.80}")
    return value
