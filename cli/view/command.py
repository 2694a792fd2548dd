"""How a suggested command is written: every word quoted for a shell and safe to show, options before ``--`` where a
word would be read as one. Whatever suggests a command writes it by this."""

from __future__ import annotations

import shlex

from .text import clean


def command(verb: str, *words: str, **options: str | None) -> str:
    """``overwinter VERB WORD… --option VALUE…``; options that are None are left out."""
    given = [
        f"--{name}={quoted(value)}" if value.startswith("-") else f"--{name} {quoted(value)}"
        for name, value in options.items()
        if value is not None
    ]
    parts = [quoted(word) for word in words]
    dashed = any(word.startswith("-") for word in words)
    return " ".join(("overwinter", verb, *((*given, "--", *parts) if dashed else (*parts, *given))))


def quoted(text: str) -> str:
    """A shell word that names it, safe to show and to paste."""
    return shlex.quote(clean(text))
