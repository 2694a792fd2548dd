"""Values typed at a shell: JSON when it reads as JSON, else the text itself; ``-`` is standard input. What takes
nothing but text gets what was typed, digits and brackets too."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click

DATA = "DATA"
ATTACH = "--attach"
LIMIT = 64 * 1024 * 1024
Command = TypeVar("Command", bound=Callable[..., Any])


def typed(text: str, hint: str) -> str:
    """The argument, or standard input for ``-``."""
    if text == "-":
        text = sys.stdin.read(LIMIT + 1)
        if len(text) > LIMIT:
            raise click.BadParameter("standard input holds more than 64 MB", param_hint=hint)
    return text


def read_value(text: str, hint: str) -> Any:
    """The JSON value of an argument, or the argument as text."""
    return value_of(typed(text, hint), hint)


def value_of(text: str, hint: str) -> Any:
    """The JSON value of a text, or the text. What begins like an object, a list or a quoted text and is no JSON is a
    usage error, because it was meant to be JSON."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise click.BadParameter("this JSON is nested too deeply", param_hint=hint) from None
    except ValueError as error:
        if text.lstrip()[:1] in ("{", "[", '"'):
            raise click.BadParameter(f"this is no valid JSON: {error}", param_hint=hint) from None
        return text


def object_of(text: str, hint: str) -> dict[str, Any]:
    """A JSON object: as it is typed, of a file (``@FILE``), or of standard input (``-``)."""
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text("utf-8")
        except (OSError, ValueError) as error:
            raise click.BadParameter(f"{text[1:]} can't be read: {error}", param_hint=hint) from None
    value = read_value(text, hint)
    if not isinstance(value, dict):
        raise click.BadParameter("give a JSON object, like '{\"amount\": 5}'", param_hint=hint)
    return cast("dict[str, Any]", value)


def fitting(text: str, schema: Mapping[str, Any], hint: str) -> Any:
    """The value of a text for what takes ``schema``. Where only text is taken, only a text in quotes is read as JSON:
    ``42`` is what somebody said."""
    return said(text) if takes_text(schema) else value_of(text, hint)


def attach_option(command: Command) -> Command:
    """``--attach FILE``, as often as there are files."""
    return click.option(
        ATTACH,
        "files",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="An image, a sound or another file for an agent, beside INPUT. May be repeated.",
    )(command)


def with_files(value: Any, files: Sequence[Path], kind: str | None) -> Any:
    """What an agent is told: a text, with the files behind it."""
    if not files:
        return value
    from ..orchestrator.protocol.media import attached, is_parts

    if kind != "agent":
        raise click.BadParameter(f"only an agent takes files, and this is a {kind}", param_hint=ATTACH)
    if not (value is None or isinstance(value, str) or is_parts(value)):
        raise click.BadParameter("files stand beside a text, and this INPUT is none", param_hint=ATTACH)
    before: list[Any] = [] if value is None else [value] if isinstance(value, str) else value
    try:
        return [*before, *map(attached, files)]
    except OSError as error:
        raise click.BadParameter(str(error), param_hint=ATTACH) from None


def said(text: str) -> str:
    """A text as it stands, or without the quotes of JSON."""
    if text.startswith('"'):
        try:
            value: object = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return value if isinstance(value, str) else text
    return text


def takes_text(schema: Mapping[str, Any]) -> bool:
    """Whether nothing but text fits the schema."""
    if "$ref" in schema:
        named: Mapping[str, Any] = schema.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2], {})
        return "$ref" not in named and takes_text(named)
    if "const" in schema or "enum" in schema:
        values = cast("Sequence[object]", schema.get("enum", [schema.get("const")]))
        return all(isinstance(value, str) for value in values)
    return schema.get("type") == "string"


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
