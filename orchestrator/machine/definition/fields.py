"""The fields of one object of a definition, read once each by the kind that they have.

A builder asks for what it knows; ``done`` refuses what it did not ask for. So a model never drops a field in silence,
and never holds a value of another kind than it says. Raises Malformed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from .document import Pointer, location
from .plain import is_object
from .values import Expression, Number, Path, QueryLanguage, Template, Text, expression, is_expression, template

ABSENT: Any = object()


class Malformed(ValueError):
    """A value has no place in the model. ``pointer`` tells where; ``validation`` says such things better."""

    def __init__(self, message: str, pointer: Pointer) -> None:
        super().__init__(f"{message} at {location(pointer)}")
        self.pointer = pointer


class Fields:
    """An object that is being read, in the query language that holds for it."""

    def __init__(self, value: Any, pointer: Pointer, language: QueryLanguage) -> None:
        if not is_object(value):
            raise Malformed("an object should stand", pointer)
        self.members: Mapping[str, Any] = value
        self._left = dict.fromkeys(self.members)
        self.pointer = pointer
        self.language: QueryLanguage = language

    def done(self) -> None:
        """All fields have been read."""
        if self._left:
            raise Malformed(f"{', '.join(map(repr, self._left))} has no meaning", self.pointer)

    def has(self, name: str) -> bool:
        return name in self.members

    def at(self, name: str) -> Pointer:
        return (*self.pointer, name)

    def raw(self, name: str, default: Any = ABSENT) -> Any:
        """The value as it stands."""
        self._left.pop(name, None)
        value = self.members.get(name, default)
        if value is ABSENT:
            raise Malformed(f"{name!r} is missing", self.pointer)
        return value

    def text(self, name: str) -> str:
        return cast("str", self._typed(name, self.raw(name), str))

    def maybe_text(self, name: str) -> str | None:
        return self.text(name) if self.has(name) else None

    def flag(self, name: str) -> bool:
        return cast("bool", self._typed(name, self.raw(name, False), bool))

    def number(self, name: str, default: float) -> int | float:
        value = self.raw(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Malformed("a number should stand", self.at(name))
        return value

    def integer(self, name: str, default: int | None) -> int | None:
        if not self.has(name):
            return default
        value = self.number(name, 0)
        if int(value) != value:
            raise Malformed("a whole number should stand", self.at(name))
        return int(value)

    def items(self, name: str) -> list[Any]:
        return cast("list[Any]", self._typed(name, self.raw(name), list))

    def maybe_items(self, name: str) -> list[Any]:
        return self.items(name) if self.has(name) else []

    def one_of(self, name: str, values: tuple[str, ...], default: str) -> str:
        value = self.raw(name, default)
        if value not in values:
            raise Malformed(f"one of {values} should stand", self.at(name))
        return cast("str", value)

    def path(self, name: str, default: str) -> Path | None:
        """A path; None for null, which some fields may be."""
        value = self.raw(name, default)
        return None if value is None else Path(self._typed(name, value, str))

    def maybe_template(self, name: str) -> Template | None:
        return template(self.raw(name), self.language) if self.has(name) else None

    def either(self, *names: str) -> Template | None:
        """The template of the one field of these that is there."""
        there = [name for name in names if self.has(name)]
        if len(there) > 1:
            raise Malformed(f"{there} exclude each other", self.pointer)
        return self.maybe_template(there[0]) if there else None

    def dynamic_number(self, name: str) -> Number | None:
        """``name``, or its path under ``namePath``."""
        found = self._dynamic(name)
        if isinstance(found, bool) or not (found is None or isinstance(found, (int, float, Expression, Path))):
            raise Malformed("a number should stand", self.at(name))
        return found

    def dynamic_text(self, name: str) -> Text | None:
        found = self._dynamic(name)
        if not (found is None or isinstance(found, (str, Expression, Path))):
            raise Malformed("text should stand", self.at(name))
        return found

    def nested(self, name: str) -> Fields | None:
        return Fields(self.raw(name), self.at(name), self.language) if self.has(name) else None

    def each(self, name: str, build: Callable[[Fields], Any]) -> tuple[Any, ...]:
        """What ``build`` makes of the objects of a list."""
        place = self.at(name)
        values = enumerate(self.maybe_items(name))
        return tuple(build(Fields(value, (*place, index), self.language)) for index, value in values)

    def _dynamic(self, name: str) -> Any:
        path = f"{name}Path"
        if self.has(path) and self.language == "JSONPath":
            if self.has(name):
                raise Malformed(f"{name!r} and {path!r} exclude each other", self.pointer)
            return Path(self.text(path))
        value = self.raw(name, None)
        if value is None and self.has(name):
            raise Malformed("null has no meaning", self.at(name))
        return expression(value) if self.language == "JSONata" and is_expression(value) else value

    def _typed(self, name: str, value: Any, kind: type[Any]) -> Any:
        if not isinstance(value, kind):
            raise Malformed(f"a {kind.__name__} should stand", self.at(name))
        return value


def members(value: Any, pointer: Pointer) -> Mapping[str, Any]:
    """The members of an object whose keys are names that people chose."""
    if not is_object(value):
        raise Malformed("an object should stand", pointer)
    return value
