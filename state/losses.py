"""What values of a type could lose on their way to JSON and back, told from the type alone.

A pydantic core schema is walked once. What it says is for sure: a ``SecretStr`` is written as asterisks, a field
with ``exclude=True`` not at all, a tuple as a key becomes text that is no tuple. What depends on the value (a
subclass in ``list[Base]``, NaN in a model) is found when there is one: see ``form``. A serializer of the user's
own is believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_INSIDE = ("schema", "fields", "items_schema", "keys_schema", "values_schema", "arguments_schema", "extras_schema")
_OWNERS = frozenset({"model", "dataclass", "typed-dict"})
_TUPLES = frozenset({"call", "named-tuple"})  # how named tuples are described
_NO_KEY = _OWNERS | _TUPLES | {"tuple", "list", "set", "frozenset", "dict", "none"}
_WRITTEN = {"none": "None", "call": "a named tuple", "named-tuple": "a named tuple"}
_TEXTS = frozenset(
    {"datetime", "date", "time", "timedelta", "decimal", "uuid", "bytes", "url", "multi-host-url", "complex"}
)
_ARRAYS = frozenset({"list", "set", "frozenset", "tuple"})
_READ_FROM: dict[str, Any] = {"str": str, "int": int, "float": (int, float), "bool": int}  # values of enums by kind
_NUMBERS = frozenset({"int", "float", "bool"})


class Losses:
    """``found``: what would be lost, a sentence each. ``by_alias``: what aliases write is read back too.
    ``round_trip``: computed fields must stay out. ``floats``: a number that is not finite could hide in it.
    ``times``: a time could."""

    def __init__(self, schema: Schema) -> None:
        self.found: list[str] = []
        self.by_alias = True
        self.round_trip = False
        self.floats = False
        self.times = False
        self._definitions: dict[str, Schema] = {}
        self._seen: set[str] = set()  # owners that were looked at
        self._followed: set[str] = set()  # references, to owners and others
        self._walk(schema, "", {"ser_json_bytes": "base64", "val_json_bytes": "base64"})

    def _walk(self, schema: Schema, where: str, config: Schema, converted: bool = False) -> None:
        """``where``: the field that leads here. ``converted``: a validator of the user's own reads it first."""
        kind = schema.get("type")
        if kind == "definitions":
            self._definitions |= {one["ref"]: one for one in schema["definitions"]}
            return self._walk(schema["schema"], where, config)
        if kind == "definition-ref":
            ref = schema["schema_ref"]
            if ref not in self._followed and ref in self._definitions:
                self._followed.add(ref)
                self._walk(self._definitions[ref], where, config)
            return None
        if "serialization" in schema:
            if _is_secret(schema["serialization"]):
                self._lost(where, "a secret is written as asterisks; take it from the environment inside the function")
            return None
        if kind in _OWNERS:
            return self._owner(schema, where)
        if kind == "lax-or-strict":
            return self._walk(schema["lax_schema"], where, config, converted)
        if kind == "json-or-python":
            return self._walk(schema["json_schema"], where, config, converted)
        self._leaf(schema, where, config, converted)
        converted = converted or kind in ("function-before", "function-wrap", "function-plain")
        for inner in _children(schema):
            self._walk(inner, where, config, converted)
        return None

    def _leaf(self, schema: Schema, where: str, config: Schema, converted: bool) -> None:
        kind = schema.get("type")
        if kind == "bytes":
            modes = {config.get("ser_json_bytes", "utf8"), config.get("val_json_bytes", "utf8")}
            if modes not in ({"base64"}, {"hex"}):
                self._lost(
                    where,
                    "bytes that are no UTF-8 can't be written; give the model "
                    "ConfigDict(ser_json_bytes='base64', val_json_bytes='base64')",
                )
        elif kind in ("is-instance", "is-subclass", "callable") and not converted:
            name = getattr(schema.get("cls"), "__name__", "a function")
            self._lost(where, f"{name} has no JSON form; use plain data, a pydantic model or a dataclass")
        elif kind == "dict" and "keys_schema" in schema:
            self._keys(schema["keys_schema"], where)
        elif kind == "union":
            self._union([self._bare(choice) for choice in _choices(schema)], schema.get("mode") or "smart", where)
        elif kind == "json":
            self.round_trip = True
        elif kind in ("float", "any", "function-plain", "complex"):
            self.floats = True
        elif kind in ("datetime", "time"):
            self.times = True
        elif kind == "generator":
            self._lost(where, "an iterable is read once and then empty; use list, or Sequence")

    def _owner(self, schema: Schema, where: str) -> None:
        """A model, dataclass or TypedDict with its fields."""
        ref = schema.get("ref")
        if ref is not None:
            if ref in self._seen:
                return
            self._seen.add(ref)
        name = getattr(schema.get("cls"), "__name__", where)
        config: Schema = schema.get("config") or {}
        fields = _fields_of(schema)
        if fields is None:
            return self._walk(schema["schema"], name, config)
        extra = fields.get("extra_behavior") or config.get("extra_fields_behavior") or "ignore"
        if fields.get("computed_fields") and extra != "ignore":
            self.round_trip = True
        for key, field in _named(fields):
            self._field(key, field, f"{name}.{key}")
            self._walk(field["schema"], f"{name}.{key}", config)
        if extra == "allow":
            self.floats = True
        return None

    def _field(self, key: str, field: Schema, where: str) -> None:
        if field.get("serialization_exclude"):
            self._lost(where, "it is declared with exclude=True; leave that out, or keep the value elsewhere")
        if field.get("init_only"):
            self._lost(where, "an InitVar is not kept; make it a field")
        written = field.get("serialization_alias", key)
        read = field.get("validation_alias", key)
        paths: list[Any] = [[read]] if isinstance(read, str) else read if isinstance(read[0], list) else [read]
        if written != key and [written] not in paths:
            self.by_alias = False

    def _keys(self, schema: Schema, where: str) -> None:
        kinds = {str(one["type"]): one for one in self._flat(schema)}
        wrong = sorted(kinds.keys() & _NO_KEY)
        expected = kinds["literal"]["expected"] if "literal" in kinds else ()
        if wrong or not all(isinstance(one, str) for one in expected):
            what = _WRITTEN.get(wrong[0], _a(wrong[0])) if wrong else "a number"
            self._lost(where, f"{what} can't be a key in JSON; use text, or a list of pairs")
        elif "str" in kinds and kinds.keys() - {"str", "literal"}:
            self._lost(where, "its keys could be read back as text; give them one type")

    def _union(self, choices: list[Schema], mode: str, where: str) -> None:
        kinds = [str(choice.get("type")) for choice in choices]
        texts = [kind for kind, one in zip(kinds, choices, strict=True) if kind in _TEXTS or _is_plain_enum(one)]
        if mode == "left_to_right":
            texts += [kind for kind in kinds if kind in _NUMBERS]
        if texts and ("str" in kinds or ("bytes" in texts and len(set(texts)) > 1)):
            other = "str" if "str" in kinds else "bytes"
            return self._lost(where, f"{_a(texts[0])} could be read back as {other}; choose one, or tag the choices")
        if told := _enum_read_as(choices):
            return self._lost(where, f"{told}; choose one, or tag the choices")
        if "dict" in kinds and (owner := next((kind for kind in kinds if kind in _OWNERS), "")):
            return self._lost(where, f"a {owner} could be read back as a dict, or a dict as one; choose one of them")
        arrays = [choice for choice in choices if choice.get("type") in _ARRAYS]
        for index, one in enumerate(arrays):
            if any(_items(one) in (None, _items(other)) or _items(other) is None for other in arrays[:index]):
                return self._lost(where, f"a {one['type']} could be read back as a {arrays[0]['type']}; choose one")
        owners = [choice for choice in choices if choice.get("type") in _OWNERS]
        for index, one in enumerate(owners):
            for earlier in owners[:index]:
                if _reads(earlier, one):
                    names = (one["cls"].__name__, earlier["cls"].__name__)
                    self._lost(where, f"a {names[0]} could be read back as a {names[1]}; add a field that tells them")
        return None

    def _flat(self, schema: Schema) -> Iterator[Schema]:
        """The alternatives of a key."""
        schema = self._bare(schema)
        if schema["type"] == "nullable":
            yield {"type": "none"}
            yield from self._flat(schema["schema"])
        elif schema["type"] == "union":
            for choice in _choices(schema):
                yield from self._flat(choice)
        else:
            yield schema

    def _bare(self, schema: Schema) -> Schema:
        """Without what only checks or names it."""
        while "serialization" not in schema:
            if schema["type"] == "definition-ref" and schema["schema_ref"] in self._definitions:
                schema = self._definitions[schema["schema_ref"]]
            elif schema["type"] in ("default", "function-after"):
                schema = schema["schema"]
            elif schema["type"] == "lax-or-strict":
                schema = schema["lax_schema"]
            elif schema["type"] == "json-or-python":
                schema = schema["json_schema"]
            else:
                break
        return schema

    def _lost(self, where: str, what: str) -> None:
        self.found.append(f"{where}: {what}" if where else what)


def _children(schema: Schema) -> Iterator[Schema]:
    if schema.get("type") in ("union", "tagged-union"):
        yield from _choices(schema)
    for key in _INSIDE:
        inner = schema.get(key)
        if isinstance(inner, dict):
            yield inner  # pyright: ignore[reportUnknownVariableType]  # a schema
        elif isinstance(inner, list):
            for one in inner:  # pyright: ignore[reportUnknownVariableType]  # schemas, or arguments with one each
                yield one["schema"] if "type" not in one else one
    yield from schema.get("steps", ())


def _choices(schema: Schema) -> list[Schema]:
    choices: Any = schema["choices"]
    if isinstance(choices, dict):
        choices = list(choices.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return [choice[0] if isinstance(choice, tuple) else choice for choice in choices]


def _fields_of(schema: Schema) -> Schema | None:
    """What holds the fields of an owner; None for a root model, or one behind validators of its own."""
    while schema.get("type") not in ("model-fields", "dataclass-args", "typed-dict"):
        inner: Schema = schema.get("schema") or {}
        if inner.get("type", "") in ("", *_OWNERS):
            return None
        schema = inner
    return schema


def _named(fields: Schema) -> list[tuple[str, Schema]]:
    found: Any = fields["fields"]
    return list(found.items()) if isinstance(found, dict) else [(one["name"], one) for one in found]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _is_secret(serialization: Schema) -> bool:
    function = serialization.get("function")
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    return module == "pydantic.types" and "secret" in name.lower()


def _enum_read_as(choices: list[Schema]) -> str:
    """How a member of an enum among the choices could be read back as another of them; "" when none could."""
    enums = [choice["cls"] for choice in choices if choice.get("type") == "enum"]
    for index, cls in enumerate(enums):
        values = [member.value for member in cls]
        for choice in choices:
            kind = str(choice.get("type"))
            if any(isinstance(value, _READ_FROM.get(kind, ())) for value in values):
                return f"a {cls.__name__} could be read back as {kind}"
            if kind == "literal" and any(value in choice["expected"] for value in values):
                return f"a {cls.__name__} could be read back as text or a number"
        for earlier in enums[:index]:
            if any(value in values for value in (member.value for member in earlier)):
                return f"a {cls.__name__} could be read back as a {earlier.__name__}"
    return ""


def _is_plain_enum(schema: Schema) -> bool:
    return schema.get("type") == "enum" and not issubclass(schema["cls"], str)


def _items(schema: Schema) -> Any:
    """The type of an array's items; None for any."""
    items = schema.get("items_schema")
    if schema["type"] == "tuple" and isinstance(items, list):
        items = items[0] if schema.get("variadic_item_index") == 0 else items  # pyright: ignore[reportUnknownVariableType]
    return None if items is None or items == {"type": "any"} else items  # pyright: ignore[reportUnknownVariableType]


def _reads(one: Schema, other: Schema) -> bool:
    """Whether what ``other`` writes could be read as ``one``, which is tried first."""
    mine, theirs = (dict(_named(fields)) if (fields := _fields_of(owner)) else {} for owner in (one, other))
    if not mine or not theirs or not theirs.keys() <= mine.keys():
        return False
    needed = {key for key, field in mine.items() if field["schema"]["type"] != "default"}
    return needed <= theirs.keys() and all(_told(mine[key]) == _told(theirs[key]) for key in theirs)


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"


def _told(field: Schema) -> tuple[Any, ...]:
    """What tells the values of a field from those of another."""
    schema = field["schema"]
    while schema["type"] in ("default", "nullable"):
        schema = schema["schema"]
    return schema["type"], str(schema.get("expected", "")), str(schema.get("cls", ""))
