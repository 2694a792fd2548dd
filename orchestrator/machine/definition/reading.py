"""A definition's text to a document: JSON when it begins like JSON, YAML otherwise, or as its form says."""

from __future__ import annotations

from typing import Literal

from .document import Document, Unreadable
from .json_text import read_json
from .yaml_text import read_yaml

Form = Literal["json", "yaml"]

LARGEST = 16 * 1024 * 1024
"""Characters of a definition that are read at all."""


def read(text: str, form: Form | None = None) -> Document:
    """Raises Unreadable with the place of what can't be read."""
    if len(text) > LARGEST:
        raise Unreadable(f"a definition may have {LARGEST:,} characters, and this has {len(text):,}", None)
    if not text:
        raise Unreadable("there is nothing in this text", None, code="MISSING_DESCRIPTION")
    if not text.strip():
        raise Unreadable("there is nothing but space in this text", None, code="SCHEMA_VALIDATION_FAILED")
    return read_yaml(text) if (form or guessed(text)) == "yaml" else read_json(text)


def guessed(text: str) -> Form:
    """The form of a text that nobody told of."""
    return "json" if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "[", '"') else "yaml"
