"""``compiled``: the model of a definition that can be run, or an error that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ....state.errors import InvalidInput
from ..definition.document import Document, Unreadable
from ..definition.machine import Machine, build
from ..definition.reading import Form, read
from .checking import check, unreadable
from .diagnostic import Diagnostic

SHOWN = 5


class InvalidDefinition(InvalidInput):
    """This state machine can't be run. ``diagnostics`` has all that is wrong with it; the message the first of that."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        wrong = [one for one in diagnostics if one.blocks]
        lines = [sentence(one) for one in wrong[:SHOWN]]
        more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        super().__init__("; ".join([*lines, *more]))


def compiled(definition: str | Document | Mapping[str, Any], *, form: Form | None = None) -> Machine:
    """Raises InvalidDefinition. Mistakes that would only show while it runs, such as a variable that is never
    assigned, don't keep a machine from running, as they don't on AWS; ``check`` tells of them."""
    try:
        document = _document(definition, form)
    except Unreadable as error:
        raise InvalidDefinition([unreadable(error)]) from None
    found = check(document)
    if any(one.blocks for one in found):
        raise InvalidDefinition(found)
    return build(document.value)


def sentence(diagnostic: Diagnostic) -> str:
    """The place, what is wrong there, and what to do."""
    advice = f" {diagnostic.advice}" if diagnostic.advice else ""
    place = diagnostic.pointer or "the definition"
    line = f" (line {diagnostic.line})" if diagnostic.line is not None else ""
    return (
        f"{place}{line}: {diagnostic.message}.{advice}".removesuffix(".")
        if advice
        else f"{place}{line}: {diagnostic.message}"
    )


def _document(definition: str | Document | Mapping[str, Any], form: Form | None) -> Document:
    if isinstance(definition, Document):
        return definition
    return read(definition, form) if isinstance(definition, str) else Document(definition)
