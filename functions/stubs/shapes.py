"""JSON schemas as types: models of pydantic for objects, and what Python has for the rest. What can't be told so, or
is too large or too deep to be read, is Any: a stub may promise less than its function, and never more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from .names import Names, attribute, title

MOST = 5_000
"""Parts of one schema. One that has more is Any."""
DEEPEST = 40
WIDEST = 100
"""Members of a union, values of an enumeration, items of a tuple."""
_FORMATS = {
    "date-time": "datetime", "date": "date", "time": "time", "duration": "timedelta", "uuid": "UUID"
}  # fmt: skip
_DECIMAL = r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"  # as some releases of pydantic say it
_DATA = frozenset({"const", "default", "enum", "examples", "example"})  # values, and no schemas
_VARYING = frozenset({"required", "default", "$defs"})
_INFINITE = {"Infinity", "-Infinity", "NaN"}
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_BOUNDS = {
    "minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt", "multipleOf": "multiple_of"
}  # fmt: skip
_LENGTHS = {"minLength": "min_length", "maxLength": "max_length"}
_COUNTS = {"minItems": "min_length", "maxItems": "max_length"}
Schema = Mapping[str, Any]


class Type(NamedTuple):
    """A type as it is written. ``about``: arguments of a Field that say more."""

    text: str
    about: tuple[str, ...] = ()

    @property
    def optional(self) -> str:
        return self.text if self.text in ("None", "Any") or self.text.endswith("| None") else f"{self.text} | None"


class Field:
    """One of a model's."""

    def __init__(self, key: str, name: str, type: Type, required: bool, default: Any) -> None:
        self.key, self.name, self.type, self.required, self.default = key, name, type, required, default


class Model:
    """A class that is to be written."""

    def __init__(self, name: str, extra: str) -> None:
        self.name, self.extra = name, extra
        self.fields: dict[str, Field] = {}


class Document:
    """One schema with its definitions."""

    def __init__(self, schema: Any) -> None:
        sound = type(schema) is dict and _fits(schema, 0, [MOST])
        self.given: Schema = cast("Schema", schema) if sound else {}
        self.whole: Schema = _plain(self.given)
        found: object = self.whole.get("$defs")
        self.left = MOST  # types that may still be made of it: one that is named often is made as often
        self.definitions: Schema = cast("Schema", found) if type(found) is dict else {}

    def find(self, reference: object) -> tuple[str, Any]:
        """The name of a definition and the schema; nothing is promised by one that leads nowhere in it."""
        if reference == "#":
            return str(self.whole.get("title") or ""), self.whole
        _, found, key = str(reference).partition("#/$defs/")
        key = key.replace("~1", "/").replace("~0", "~")
        return (key, self.definitions[key]) if found and key in self.definitions else ("", {})

    def closure(self, schema: Any) -> str:
        """All that a schema says, as one text: two of the same are the same type. Which fields are required may
        differ between what is taken and what is given."""
        seen: dict[str, Any] = {}
        open = [_told(schema)]
        whole = open[0]
        while open:
            for reference in _references(open.pop()):
                if reference not in seen:
                    seen[reference] = _told(self.find(reference)[1])
                    open.append(seen[reference])
        return json.dumps([whole, seen], sort_keys=True)


class Shapes:
    """The types of one module. ``uses`` are the names that it needs."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._known: dict[tuple[str, str], Model] = {}
        self.models: list[Model] = []
        self.uses: set[str] = set()

    def type(self, document: Document, schema: Any, hint: str, trail: tuple[str, ...] = ()) -> Type:
        """What stands in an annotation. ``hint`` is the name of a class that has none; ``trail`` the way here."""
        document.left -= 1
        if document.left < 0 or len(trail) > DEEPEST or type(schema) is not dict:
            return self._use("Any")
        node = cast("Schema", schema)
        if "$ref" in node:
            return self._referred(document, node["$ref"], hint, trail)
        if "const" in node or "enum" in node:
            return self._literal(node.get("enum", [node.get("const")]))
        for word in ("anyOf", "oneOf", "allOf"):
            if word in node:
                return self._union(document, node[word], hint, trail, every=word == "allOf")
        kind = node.get("type")
        if isinstance(kind, list):
            each = [{**node, "type": one} for one in cast("Sequence[Any]", kind)]
            return self._union(document, each, hint, trail)
        if kind == "array":
            return self._array(document, node, hint, trail)
        if kind == "object":
            return self._object(document, node, hint, trail)
        return self._scalar(node, kind)

    def fields(self, document: Document, node: Schema, hint: str, trail: tuple[str, ...]) -> Iterator[Field]:
        """The properties of an object."""
        needed = _needed(node)
        names = set[str]()
        for key, one in cast("Schema", node["properties"]).items():
            found = self.type(document, one, f"{hint}{title(key)}", (*trail, key))
            about: Schema = cast("Schema", one) if type(one) is dict else {}
            said: object = about.get("description")
            if isinstance(said, str) and said:
                found = found._replace(about=(*found.about, f"description={said[:2000]!a}"))
            yield Field(key, _once(names, attribute(key)), found, key in needed, about.get("default"))

    # -- kinds ---------------------------------------------------------------------------------------

    def _referred(self, document: Document, reference: object, hint: str, trail: tuple[str, ...]) -> Type:
        name, node = document.find(reference)
        if _is_model(node):
            return self._model(document, node, name or hint, trail)
        mark = f"$ref {reference}"
        if mark in trail:  # it is made of itself alone
            return self._use("Any")
        return self.type(document, node, name or hint, (*trail, mark))

    def _literal(self, values: Any) -> Type:
        every = _items(values)
        if not 0 < len(every) <= WIDEST or not all(isinstance(one, (str, int, bool, type(None))) for one in every):
            return self._use("Any")
        texts = list(dict.fromkeys("None" if one is None else ascii(one) for one in every))
        return Type("None") if texts == ["None"] else self._use("Literal", f"Literal[{', '.join(texts)}]")

    def _union(
        self, document: Document, members: Any, hint: str, trail: tuple[str, ...], *, every: bool = False
    ) -> Type:
        found = _items(members)
        if not 0 < len(found) <= WIDEST or (every and len(found) > 1):
            return self._use("Any")
        types = [self.type(document, one, f"{hint}{number or ''}", (*trail, "|")) for number, one in enumerate(found)]
        texts = list(dict.fromkeys(one.text for one in types))
        if "Any" in texts:
            return self._use("Any")
        if len(texts) == 1:
            return types[0]
        if "None" in texts:  # at the end, as people write it
            texts = [*(one for one in texts if one != "None"), "None"]
        return Type(" | ".join(texts))

    def _array(self, document: Document, node: Schema, hint: str, trail: tuple[str, ...]) -> Type:
        places: object = node.get("prefixItems")
        if isinstance(places, list):
            return self._tuple(document, node, cast("Sequence[Any]", places), hint, trail)
        item = self.type(document, node.get("items", {}), f"{hint}Item", (*trail, "[]"))
        return Type(f"list[{item.text}]", _bounds(node, _COUNTS, int))

    def _tuple(
        self, document: Document, node: Schema, places: Sequence[Any], hint: str, trail: tuple[str, ...]
    ) -> Type:
        fixed = node.get("minItems") == node.get("maxItems") == len(places)
        if not fixed or not 0 < len(places) <= WIDEST:
            return Type(f"list[{self._use('Any').text}]")
        each = [self.type(document, one, f"{hint}{number}", (*trail, "()")).text for number, one in enumerate(places)]
        return Type(f"tuple[{', '.join(each)}]")

    def _object(self, document: Document, node: Schema, hint: str, trail: tuple[str, ...]) -> Type:
        if _is_model(node):
            return self._model(document, node, str(node.get("title") or hint), trail)
        values = self.type(document, node.get("additionalProperties", {}), f"{hint}Value", (*trail, "{}"))
        return Type(f"dict[str, {values.text}]")

    def _scalar(self, node: Schema, kind: object) -> Type:
        if _is_decimal(node):
            return self._use("Decimal")
        if kind == "string" and node.get("format") in _FORMATS:
            return self._use(_FORMATS[str(node["format"])])
        text = _PLAIN.get(str(kind), "")
        if text == "str":
            return Type(text, _bounds(node, _LENGTHS, int))
        if text in ("int", "float"):
            return Type(text, _bounds(node, _BOUNDS, int if text == "int" else float))
        return Type(text) if text else self._use("Any")

    def _model(self, document: Document, node: Schema, name: str, trail: tuple[str, ...]) -> Type:
        wanted, more = title(name), node.get("additionalProperties")
        extra = "forbid" if more is False else "ignore" if more is None else "allow"
        key = wanted, document.closure(node)
        made = self._known.get(key)
        if made is None:
            made = self._known[key] = Model(self._names.take(wanted), extra)
            for field in self.fields(document, node, made.name, trail):
                made.fields[field.key] = field
            self.models.append(made)
        else:
            needed = _needed(node)
            for field in made.fields.values():
                if field.key not in needed:
                    field.required = False
                    about: Any = cast("Schema", node["properties"]).get(field.key)
                    field.default = cast("Schema", about).get("default") if type(about) is dict else None
        return Type(made.name)

    def _use(self, name: str, text: str = "") -> Type:
        self.uses.add(name)
        return Type(text or name)


def _once(taken: set[str], wanted: str) -> str:
    while wanted in taken:
        wanted += "_"
    taken.add(wanted)
    return wanted


def _items(value: object) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if isinstance(value, list) else ()


def _needed(node: Schema) -> set[str]:
    """The properties that must be there."""
    return set(map(str, _items(node.get("required"))))


def _is_model(node: Any) -> bool:
    if type(node) is not dict:
        return False
    members = cast("Schema", node)
    return members.get("type") == "object" and type(members.get("properties")) is dict and bool(members["properties"])


def _bounds(node: Schema, words: Mapping[str, str], kind: type) -> tuple[str, ...]:
    """Bounds as arguments of a Field: numbers alone, and those that can be one."""
    return tuple(f"{word}={value!r}" for name, word in words.items() if _bounds_by(word, value := node.get(name), kind))


def _bounds_by(word: str, value: Any, kind: type) -> bool:
    if type(value) is not int and (kind is int or type(value) is not float):
        return False
    if word.endswith("_length"):
        return 0 <= value < 2**31
    return -(2**53) < value < 2**53 and (word != "multiple_of" or value > 0)


def _plain(node: Any) -> Any:
    """A schema in which numbers are numbers, whatever else pydantic says that they may be: texts of a Decimal, and
    those that ``http.schemas`` names for what is infinite."""
    if isinstance(node, list):
        return [_plain(one) for one in cast("Sequence[Any]", node)]
    if type(node) is not dict:
        return node
    members = cast("dict[str, Any]", node)
    made = {key: one if key in _DATA else _plain(one) for key, one in members.items()}
    each = _items(made.get("anyOf"))
    if len(each) != 2 or not all(type(one) is dict for one in each) or each[0].get("type") != "number":
        return made
    if set(map(str, _items(each[1].get("enum")))) == _INFINITE:
        return {**each[0], **{key: one for key, one in made.items() if key != "anyOf"}}
    if _is_decimal(each[1]):
        return {**each[1], **{key: one for key, one in made.items() if key != "anyOf"}}
    return made


def _is_decimal(node: Schema) -> bool:
    return node.get("type") == "string" and node.get("pattern") == _DECIMAL


def _told(node: Any) -> Any:
    """A schema without what may differ between what is taken and what is given."""
    if isinstance(node, list):
        return [_told(one) for one in cast("Sequence[Any]", node)]
    if type(node) is not dict:
        return node
    members = cast("dict[str, Any]", node)
    return {key: one if key in _DATA else _told(one) for key, one in members.items() if key not in _VARYING}


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in cast("Sequence[Any]", node):
            yield from _references(one)
    elif type(node) is dict:
        for key, one in cast("dict[str, Any]", node).items():
            if key == "$ref" and isinstance(one, str):
                yield one
            else:
                yield from _references(one)


def _fits(node: Any, depth: int, left: list[int]) -> bool:
    left[0] -= 1
    if left[0] < 0 or depth > 4 * DEEPEST:
        return False
    if isinstance(node, list):
        return all(_fits(one, depth + 1, left) for one in cast("Sequence[Any]", node))
    if type(node) is dict:
        return all(_fits(one, depth + 1, left) for one in cast("dict[str, Any]", node).values())
    return True
