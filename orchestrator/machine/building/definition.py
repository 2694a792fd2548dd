"""``machine``: a plain definition of states, checked whole, with the functions that it names."""

from __future__ import annotations

from ..built import Definition
from ..validation.compiling import compiled
from .chains import Chain, State
from .fields import QueryLanguage
from .layout import flow


def machine(
    *elements: State | Chain,
    comment: str | None = None,
    query_language: QueryLanguage | None = None,
    timeout_seconds: int | None = None,
    version: str | None = None,
) -> Definition:
    """The definition that begins with the first of these; each leads to the next.

    Raises InvalidInput for what can't be said so, and for a definition that can't be run, with what is wrong with it.
    """
    used: dict[int, object] = {}
    laid = flow(Chain(elements), lambda function: used.setdefault(id(function), function))
    head = {"Comment": comment, "Version": version, "QueryLanguage": query_language, "TimeoutSeconds": timeout_seconds}
    made = {**{name: value for name, value in head.items() if value is not None}, **laid}
    compiled(made)
    return Definition(made, tuple(used.values()))
