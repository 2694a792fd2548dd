"""The type of an agent's final answer: how it is asked of a model, and how it is read, whatever form it comes in.

A provider's own mode takes only objects. What is none (a number, a list, a union) is asked for in one,
``{"result": …}``, under a name that no member of the type has as a field. It is read wrapped and bare, and so is never
taken for what it is not. Of a union each member has a schema, and in the mode "tool" a tool, of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Required, Union, cast, get_args, get_origin

from pydantic_core import ValidationError
from typing_extensions import TypeAliasType, TypedDict

from ...orchestrator.usercode.calling import judged
from ...state.codec import adapter, dumps, form, loads
from ...state.errors import InvalidInput
from ...state.form import Form
from ..models.port import OutputSchema, ToolSchema
from ..tools.parameters import complaint
from .schemas import Schema, simplified

OutputMode = Literal["auto", "native", "tool", "prompt"]
MODES: Sequence[str] = get_args(OutputMode)
TOOL = "final_result"
_KEYS = ("result", "value", "answer", "final_result")
_BLOCK = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL)
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]+")
_FORM = "When you have the final answer, give nothing but JSON that fits this schema: {}"
_CALL = "When you have the final answer, give it by calling {}, alone and once."
_WORDS = " If none of these fits, answer in words."
_DESCRIPTION = 1_000


class Output:
    """The output type ``annotation`` of the agent ``agent``, asked for in ``mode``."""

    def __init__(self, annotation: Any, agent: str, mode: OutputMode = "auto") -> None:
        if mode not in MODES:
            raise InvalidInput(f"output_mode of agent {agent!r} is {mode!r}; it is one of {', '.join(MODES)}")
        self.annotation = annotation
        self.mode: OutputMode = mode
        self.typed = annotation is not str

    # -- asked ---------------------------------------------------------------------------------------

    @property
    def words(self) -> str:
        """What the instructions say of it; "" for nothing."""
        if not self.typed or self.mode == "native":
            return ""
        if self.mode != "tool":
            return self._form
        names = " or ".join(self.tools)
        return _CALL.format(names) + (_WORDS if self._text else "") if names else ""

    @cached_property
    def _form(self) -> str:
        return _FORM.format(dumps(self.schema.schema))

    @property
    def native(self) -> OutputSchema | None:
        """What is told to the provider beside the conversation."""
        return self.schema if self.typed and self.mode in ("auto", "native") else None

    @cached_property
    def schema(self) -> OutputSchema:
        """Of the whole answer, which is an object. Raises what pydantic raises for a type without one."""
        name = _UNFIT.sub("_", str(self._own.get("title", "output")))[:64]
        whole = self._own if self._plain else _wrapped(self._key, self._own)
        return OutputSchema(name, whole, always=self.mode == "native")

    def describe(self) -> None:
        """Make what a model is told of it. Raises what pydantic raises for a type without a schema."""
        if self.typed:
            _ = self.schema, self.offered

    @cached_property
    def tools(self) -> dict[str, ToolSchema]:
        """The tools whose call is the final answer, by name: one for each member, but for text, which needs none.
        They are known in each mode, since a session may have been begun in another one."""
        return {name: member.tool(name) for name, member in self._members.items() if member.annotation is not str}

    @cached_property
    def names(self) -> list[str]:
        """The names of these tools, told without building them."""
        return [name for name, member in self._members.items() if member.annotation is not str]

    @property
    def offered(self) -> tuple[ToolSchema, ...]:
        """Those that the model is told of."""
        return tuple(self.tools.values()) if self.typed and self.mode == "tool" else ()

    # -- read ----------------------------------------------------------------------------------------

    def parse(self, text: str) -> Any:
        """The final answer in ``text`` as plain JSON of the output type. Raises InvalidInput that says what is wrong,
        whatever the code of that type raises."""
        return judged(lambda: self._parsed(text), "it can't be checked") if self.typed else text

    def conclude(self, tool: str, arguments: str) -> Any:
        """``parse`` for the arguments of a call of one of the ``tools``."""
        return judged(lambda: self._concluded(self._members[tool], arguments), "it can't be checked")

    def _concluded(self, member: Member, arguments: str) -> Any:
        return self._taken(lambda: member.read(arguments))

    def _parsed(self, text: str) -> Any:
        said = unfenced(text, whole=self._text)
        try:
            given = loads(said)
        except ValueError as error:
            return self._bare(said, error)
        if not self._plain and isinstance(given, dict) and list(cast("Schema", given)) == [self._key]:
            return self._either(said)
        try:
            return self._taken(lambda: form(self.annotation).parse(said))
        except InvalidInput:
            if not self._text:
                raise
            return form(self.annotation).take(text)

    def _either(self, said: str) -> Any:
        """An object of the one field that was asked for is what it is asked to be, if it can."""
        try:
            return self._taken(lambda: _unwrapped(self._wrapper, self._key, said))
        except InvalidInput as wrong:
            try:
                return self._taken(lambda: form(self.annotation).parse(said))
            except InvalidInput:
                raise wrong from None

    def _bare(self, said: str, error: ValueError) -> Any:
        """Models answer a choice or a date without the quotes that JSON wants."""
        if self._objects:
            raise InvalidInput(f"it is not valid JSON ({error})")
        return self._taken(lambda: adapter(self.annotation).validate_python(said))

    def _taken(self, read: Any) -> Any:
        try:
            return form(self.annotation).take(read())
        except ValidationError as error:
            raise InvalidInput(complaint(error)) from None

    # -- about the type ------------------------------------------------------------------------------

    @cached_property
    def _members(self) -> dict[str, Member]:
        kinds = list(_flat(self.annotation))
        if len(kinds) == 1:
            return {TOOL: Member(kinds[0], _label(kinds[0]))}
        found: dict[str, Member] = {}
        for kind in kinds:
            name = label = f"{TOOL}_{_label(kind)}"[:60]
            number = 1
            while name in found:
                number += 1
                name = f"{label}_{number}"
            found[name] = Member(kind, name.removeprefix(f"{TOOL}_"))
        return found

    @cached_property
    def _own(self) -> Schema:
        """The schema of the type itself, each member of a union with its name."""
        own = simplified(adapter(self.annotation).json_schema())
        several = own.get("anyOf", ())
        members = list(self._members.values())
        if len(members) > 1 and len(several) == len(members):
            for schema, member in zip(several, members, strict=True):
                if "$ref" not in schema:
                    schema.setdefault("title", member.label)
        return own

    @cached_property
    def _plain(self) -> bool:
        """It is an object as it is."""
        return self._own.get("type") == "object"

    @cached_property
    def _objects(self) -> bool:
        """All that it may be are objects, or lists: nothing that can be said in bare words."""
        return all(member.own.get("type") in ("object", "array") for member in self._members.values())

    @cached_property
    def _text(self) -> bool:
        """Any words are an answer."""
        return any(member.annotation is str for member in self._members.values())

    @cached_property
    def _key(self) -> str:
        taken = {field for member in self._members.values() for field in member.own.get("properties", ())}
        return _key(taken)

    @cached_property
    def _wrapper(self) -> Form:
        return _form_of(self._key, self.annotation)


class Member:
    """One of the types that an answer may have, alone."""

    def __init__(self, annotation: Any, label: str) -> None:
        self.annotation = annotation
        self.label = label

    @cached_property
    def own(self) -> Schema:
        return simplified(adapter(self.annotation).json_schema())

    @property
    def plain(self) -> bool:
        return self.own.get("type") == "object"

    def tool(self, name: str) -> ToolSchema:
        own = dict(self.own)
        told = str(own.pop("description", ""))[:_DESCRIPTION] if self.plain else ""
        own.pop("title", None)
        if self.annotation is NoneType:
            return ToolSchema(name, "There is no answer to give.", _closed_object({}))
        description = f"The final answer: {told or self.label}"
        return ToolSchema(name, description, own if self.plain else _wrapped(_KEYS[0], self.own))

    def read(self, arguments: str) -> Any:
        """The value that the arguments of its tool say. Raises ValidationError, TypeFailed."""
        if self.annotation is NoneType:
            return None
        if self.plain:
            return form(self.annotation).parse(arguments)
        return _unwrapped(self._wrapper, _KEYS[0], arguments)

    @cached_property
    def _wrapper(self) -> Form:
        return _form_of(_KEYS[0], self.annotation)


def _flat(annotation: Any) -> Iterator[Any]:
    """The members of a union, those of unions within it included; a type that is none, alone."""
    inner = annotation
    while True:
        if isinstance(inner, TypeAliasType) or type(inner).__name__ == "TypeAliasType":
            inner = inner.__value__
        elif get_origin(inner) is Annotated and get_origin(get_args(inner)[0]) in (Union, UnionType):
            inner = get_args(inner)[0]
        else:
            break
    if get_origin(inner) not in (Union, UnionType):
        yield NoneType if inner is None else annotation
        return
    for member in get_args(inner):
        yield from _flat(member)


def _label(annotation: Any) -> str:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if annotation is NoneType:
        return "None"
    name = str(annotation) if get_args(annotation) else getattr(annotation, "__name__", str(annotation))
    return _UNFIT.sub("_", re.sub(r"\b(?:\w+\.)+", "", name)).strip("_") or "answer"


def _key(taken: set[str]) -> str:
    """A name that no member has as a field."""
    free = (name for name in _KEYS if name not in taken)
    number = 2
    if found := next(free, None):
        return found
    while f"{_KEYS[0]}_{number}" in taken:
        number += 1
    return f"{_KEYS[0]}_{number}"


def _form_of(key: str, annotation: Any) -> Form:
    fields: dict[str, Any] = {key: Required[annotation]}
    shape = TypedDict("Answer", fields)  # type: ignore[misc]  # made at run time
    return Form(shape)


def _unwrapped(wrapper: Form, key: str, text: str) -> Any:
    return wrapper.parse(text)[key]


def _wrapped(key: str, own: Schema) -> Schema:
    own = dict(own)
    definitions = own.pop("$defs", None)
    whole = _closed_object({key: own})
    return whole | {"$defs": definitions} if definitions else whole


def _closed_object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def unfenced(text: str, *, whole: bool = False) -> str:
    """The JSON in an answer: models put it into a block, and say something before it. ``whole``: only if nothing is
    said beside it."""
    said = text.strip()
    if said[:1] in ("{", "["):
        return said
    blocks = list(_BLOCK.finditer(said))
    if len(blocks) != 1 or (whole and blocks[0][0] != said):
        return said
    return blocks[0][1].strip()
