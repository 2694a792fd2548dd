"""Values typed at a shell: JSON when it reads as JSON, else the text itself; ``-`` is standard input."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

DATA = "DATA"
LIMIT = 64 * 1024 * 1024


def read_value(text: str, hint: str) -> Any:
    """The JSON value of an argument, or the argument as text. What begins like an object, a list or a quoted
    text and is no JSON is a usage error, because it was meant to be JSON."""
    if text == "-":
        text = sys.stdin.read(LIMIT + 1)
        if len(text) > LIMIT:
            raise click.BadParameter("standard input holds more than 64 MB", param_hint=hint)
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise click.BadParameter("this JSON is nested too deeply", param_hint=hint) from None
    except ValueError as error:
        if text.lstrip()[:1] in ("{", "[", '"'):
            raise click.BadParameter(f"this is no valid JSON: {error}", param_hint=hint) from None
        return text


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
