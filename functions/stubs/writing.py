"""The module of stubs of what a server says that it serves: the same text for the same functions."""

from __future__ import annotations

import hashlib
import inspect
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from ...state.errors import InvalidInput
from ...state.ids import check_name
from ..messages.message import read_model
from ..messages.models import Functions
from ..tools.docstring import read
from ..tools.tool import EFFECTS
from .names import IMPORTED, Names, identifier, title
from .shapes import Document, Field, Model, Shapes, Type

MARK = "# sha256 "
_OWN = ("ctx", "self", "cls")
"""What a parameter of a tool is not called here: it would be taken for another thing."""
WIDE = 120
_LONGEST = 4_000  # characters of a description
_LITERAL = 20_000  # of a schema that is written down


class Said(NamedTuple):
    """What a server says of one function."""

    name: str
    kind: Literal["agent", "tool", "workflow", "model"]
    description: str
    input: dict[str, Any]
    output: dict[str, Any]
    effect: str
    approval: str


def listing(answer: Any) -> list[Said]:
    """What ``GET /functions`` answered, by name. Raises InvalidInput when it is none, or a name is no function's."""
    if type(answer) is not dict or "functions" not in answer:
        raise InvalidInput("it is no server of overwinter: GET /functions does not list functions there")
    listed: Any = cast("dict[str, Any]", answer)["functions"]
    each = cast("Sequence[Any]", listed) if isinstance(listed, list) else ()
    if any(type(one) is dict and "output" not in one for one in each):
        raise InvalidInput("its GET /functions says nothing of outputs; bring that server up to this release")
    found: dict[str, Said] = {}
    for one in read_model(Functions, answer).functions:
        check_name(one.name, one.kind, for_models=one.kind in ("agent",))
        if one.name in found:
            raise InvalidInput(f"it lists two functions named {one.name!r}")
        text = "\n".join(line.rstrip() for line in inspect.cleandoc(one.description).splitlines())
        said = one.name, one.kind, text[:_LONGEST].strip(), one.input, one.output
        found[one.name] = Said(*said, one.effect or EFFECTS[1], one.approval or "")
    return [found[name] for name in sorted(found)]


def module(said: list[Said], url: str) -> str:
    """The text of the module."""
    body = _Module(said).text()
    digest = hashlib.sha256(body.encode()).hexdigest()
    place = ascii(url)[1:-1].replace('"', "%22").replace("\\", "%5C")
    return (
        f'"""Stubs of what {place} serves. Change nothing here; write it anew:\n\n'
        f"    overwinter stubs {place} --out FILE\n\n"
        f"and see whether it is out of date:\n\n"
        f'    overwinter stubs {place} --check FILE\n"""\n\n'
        f"{MARK}{digest}\n{body}"
    )


def mark_of(text: str) -> str:
    """What tells a module of stubs from one of other functions; "" when it is none."""
    return next((line.removeprefix(MARK).strip() for line in text.splitlines() if line.startswith(MARK)), "")


class _Module:
    def __init__(self, said: list[Said]) -> None:
        self._names = Names()
        self._said = [(one, self._names.take(identifier(one.name) or "function")) for one in said]
        self._shapes = Shapes(self._names)

    def text(self) -> str:
        functions = ["\n".join(self._function(one, name)) for one, name in self._said]
        models = ["\n".join(self._model(one)) for one in self._shapes.models]
        parts = ["from __future__ import annotations\n", "\n".join(self._imports()), *models, *functions]
        return "\n\n".join(part for part in parts if part).replace("annotations\n\n\n", "annotations\n\n") + "\n"

    def _imports(self) -> Iterator[str]:
        for place in dict.fromkeys(IMPORTED.values()):
            if place == "pydantic":
                yield ""
            names = [name for name in sorted(self._shapes.uses) if IMPORTED.get(name) == place]
            if names:
                yield f"from {place} import {', '.join(names)}"

    # -- models --------------------------------------------------------------------------------------

    def _model(self, model: Model) -> Iterator[str]:
        self._use("BaseModel")
        yield ""
        yield f"class {model.name}(BaseModel):"
        config = [] if model.extra == "ignore" else [f'extra="{model.extra}"']
        if any(field.key != field.name for field in model.fields.values()):
            config += ["populate_by_name=True", "serialize_by_alias=True"]
        if any(field.name.startswith("model_") for field in model.fields.values()):
            config += ["protected_namespaces=()"]
        if config:
            self._use("ConfigDict")
            yield f"    model_config = ConfigDict({', '.join(config)})"
            yield ""
        for field in model.fields.values():
            yield f"    {self._attribute(field)}"

    def _attribute(self, field: Field) -> str:
        about = field.type.about
        if field.key != field.name:
            about = (*about, f"validation_alias={field.key!a}", f"serialization_alias={field.key!a}")
        text, default = field.type.text, ""
        if not field.required:
            if field.default in ([], {}) and text.startswith(("list[", "dict[")):
                self._use("Field")
                made = ", ".join((f"default_factory={text[:4]}", *about))
                return f"{field.name}: {text} = Field({made})"
            default = _default(field)
            if not default:
                null_is_meant = text == "None" or text.endswith("| None")
                text, default = field.type.optional, "None"
                if not null_is_meant:
                    about = (*about, "exclude_if=unsaid")
                    self._use("unsaid")
        return f"{field.name}: {self._annotated(text, about)}" + (f" = {default}" if default else "")

    def _annotated(self, text: str, about: tuple[str, ...]) -> str:
        if not about:
            return text
        self._use("Annotated", "Field")
        return f"Annotated[{text}, Field({', '.join(about)})]"

    # -- functions -----------------------------------------------------------------------------------

    def _function(self, one: Said, name: str) -> Iterator[str]:
        yield ""
        if one.kind == "model":
            self._use("Final")
            yield f"{name}: Final = {f'function:{one.name}'!a}"
            return
        made = self._tool(one, name) if one.kind == "tool" else self._workflow(one, name)
        self._use("elsewhere")
        yield from made
        yield from _docstring(one.description)
        yield f"    raise elsewhere({one.name!a})"

    def _tool(self, one: Said, name: str) -> Iterator[str]:
        self._use("tool")
        options: list[str] = [] if one.name == name else [f"name={one.name!a}"]
        effect = "irreversible" if one.effect == "reconcilable" else one.effect  # who can tell, is over there
        options += [] if effect == EFFECTS[1] else [f"effect={effect!a}"]
        options += [f"approval={one.approval!a}"] if one.approval else []
        options += _description(one)
        document, gives = Document(one.input), self._type(one.output, f"{title(one.name)}Result").text
        parameters = self._parameters(document, title(one.name))
        if parameters is None:
            self._use("Any")
            options.append(f"schema={_schema(document.given)}")
            parameters = ["**arguments: Any"]
        yield f"@tool({', '.join(options)})" if options else "@tool"
        whole = f"async def {name}({', '.join(parameters)}) -> {gives}:"
        if len(whole) <= WIDE:
            yield whole
        else:
            yield f"async def {name}("
            yield from (f"    {one}," for one in parameters)
            yield f") -> {gives}:"

    def _parameters(self, document: Document, hint: str) -> list[str] | None:
        """The parameters of a tool; None when they can't be those of a function."""
        node = document.whole
        properties: object = node.get("properties", {})
        if (
            node.get("type") != "object"
            or node.get("additionalProperties") is not False
            or type(properties) is not dict
        ):
            return None
        names = cast("Mapping[str, Any]", properties)
        if any(identifier(name) != name or name in _OWN for name in names):
            return None
        found: list[str] = []
        fields = list(self._shapes.fields(document, {**node, "properties": names}, hint, ()))
        for number, field in enumerate(fields):
            text, default = field.type.text, _default(field)
            if not field.required:
                mixed = any(later.required for later in fields[number:])
                found += ["*"] if mixed and "*" not in found else []
                text, default = (text, default) if default else (field.type.optional, "None")
            annotated = self._annotated(text, field.type.about)
            found.append(f"{field.key}: {annotated}" + ("" if field.required else f" = {default}"))
        return found

    def _workflow(self, one: Said, name: str) -> Iterator[str]:
        self._use("workflow", "Context")
        yield "@workflow" if one.name == name else f"@workflow(name={one.name!a})"
        takes = self._type(one.input, f"{title(one.name)}Input")
        gives = self._type(one.output, f"{title(one.name)}Result").text
        text = self._annotated(takes.text, takes.about)
        input = "" if takes.text == "None" else f", input: {text}"
        if takes.text == "Any" or takes.text.endswith("| None"):
            input += " = None"
        yield f"async def {name}(ctx: Context{input}) -> {gives}:"

    def _type(self, schema: dict[str, Any], hint: str) -> Type:
        document = Document(schema)
        return self._shapes.type(document, document.whole, hint)

    def _use(self, *names: str) -> None:
        self._shapes.uses.update(names)


def _default(field: Field) -> str:
    """A default that the type takes, as a literal; "" for none."""
    value, text = field.default, field.type.text
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    fits: dict[str, Any] = {"str": str, "int": int, "float": (int, float), "bool": bool}
    if text in fits:
        return ascii(value) if isinstance(value, fits[text]) and (type(value) is bool) is (text == "bool") else ""
    if text.startswith("Literal[") and text.endswith("]") and isinstance(value, (str, int)):
        return ascii(value) if ascii(value) in text[len("Literal[") : -1].split(", ") else ""
    return ""


def _schema(given: Mapping[str, Any]) -> str:
    """The schema of arguments as it came, where it is one of an object and can be written down."""
    of_object = given.get("type", "object") == "object" and type(given.get("properties", {})) is dict
    written = ascii(dict(given))
    fits = of_object and len(written) <= _LITERAL and not {"inf", "-inf", "nan"} & set(re.findall(r"[\w-]+", written))
    return written if fits else "{'type': 'object'}"


def _description(one: Said) -> list[str]:
    """What a docstring would not be read as is said."""
    return (
        [f"description={one.description!a}"]
        if one.description and read(one.description, ()).text != one.description
        else []
    )


def _docstring(text: str) -> Iterator[str]:
    if not text:
        return
    plain = all(sign.isprintable() or sign == "\n" for sign in text) and "\\" not in text and '"""' not in text
    if not plain or text.endswith('"'):
        yield f"    {text!a}"
        return
    first, *more = text.splitlines()
    lines = [first, *(f"    {line}" if line.strip() else "" for line in more)]
    lines[0] = f'    """{lines[0]}'
    if more:
        yield from lines
        yield '    """'
    else:
        yield f'{lines[0]}"""'
