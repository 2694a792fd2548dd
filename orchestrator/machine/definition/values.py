"""What stands in a definition for a value that is known only when it runs.

A field such as ``TimeoutSeconds`` is a number, an ``Expression`` (JSONata), or, written ``TimeoutSecondsPath``, a
``Path`` (JSONPath). In the model the three share one attribute, so that an interpreter asks for the class and not for
the name of a field. A ``Template`` is a whole JSON value with such parts inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from .plain import is_list, is_object

QueryLanguage = Literal["JSONPath", "JSONata"]
LANGUAGES: tuple[QueryLanguage, ...] = ("JSONPath", "JSONata")


@dataclass(frozen=True, slots=True)
class Path:
    """A path by JSONPath (``$.a``, ``$$.Execution.Id``, ``$name.a``), or a call of an intrinsic function where one may
    stand."""

    text: str


@dataclass(frozen=True, slots=True)
class Expression:
    """A JSONata expression, without its ``{% %}``."""

    text: str


@dataclass(frozen=True, slots=True)
class Template:
    """A JSON value. ``dynamic``: something in it is to be evaluated; without, it is taken as it stands."""

    source: Any
    language: QueryLanguage
    dynamic: bool


Number = int | float | Expression | Path
Text = str | Expression | Path


def is_expression(value: object) -> TypeGuard[str]:
    """Whether a string is JSONata as a whole: ``{%`` and ``%}`` with nothing around them."""
    return isinstance(value, str) and len(value) >= 4 and value.startswith("{%") and value.endswith("%}")


def expression(text: str) -> Expression:
    """What stands between ``{%`` and ``%}``."""
    return Expression(text[2:-2].strip())


def template(source: Any, language: QueryLanguage) -> Template:
    """The template of a value, which is not copied."""
    return Template(source, language, _dynamic(source, language))


def _dynamic(source: Any, language: QueryLanguage) -> bool:
    if is_object(source):
        if language == "JSONPath" and any(key.endswith(".$") for key in source):
            return True
        return any(_dynamic(value, language) for value in source.values())
    if is_list(source):
        return any(_dynamic(value, language) for value in source)
    return language == "JSONata" and is_expression(source)
