"""``check``: all that is wrong with a definition. It never raises, whatever it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..definition.document import DEPTH, Document, Unreadable
from ..definition.plain import is_list, is_object
from ..definition.reading import Form, read
from .diagnostic import Diagnostic, Report
from .graph import flows, graph
from .limits import limits
from .place import Ledger, MachineType, Place
from .variables import variables
from .walking import machine


def check(
    definition: str | Document | Mapping[str, Any] | Any,
    *,
    type: MachineType = "STANDARD",
    aws: bool = False,
    form: Form | None = None,
) -> list[Diagnostic]:
    """Everything that is wrong, in the order of the text.

    ``definition`` is a text (JSON, or YAML by ``form``), a document that was read, or a plain value. With ``aws``, what
    AWS would refuse is an error also where it does no harm here. Raises InvalidInput only when a text in YAML can't
    be read because PyYAML is not installed.
    """
    try:
        document = _document(definition, form)
    except Unreadable as error:
        return [unreadable(error)]
    report = Report(document)
    if not _deep(document.value, report):
        place = Place(report, ledger := Ledger(), express=type == "EXPRESS", aws=aws)
        _look(place, document, ledger)
    return report.diagnostics()


def unreadable(error: Unreadable) -> Diagnostic:
    """What is wrong with a text that is no JSON or YAML."""
    report = Report(Document(None))
    report.add(
        "ERROR",
        "nesting" if error.code == "TOO_DEEPLY_NESTED" else "json",
        (),
        str(error),
        code=error.code,
        advice=error.advice,
        at=error.location,
        mark=error.mark,
    )
    return report.diagnostics()[0]


def _document(definition: Any, form: Form | None) -> Document:
    if isinstance(definition, Document):
        return definition
    return read(definition, form) if isinstance(definition, str) else Document(definition)


def _look(place: Place, document: Document, ledger: Ledger) -> None:
    value = document.value
    if not isinstance(value, dict):
        return place.error("json", "a definition is an object", at="")
    _duplicates(place, document)
    machine(place, value)
    graph(place, value)
    variables(place, value, ledger)
    if place.aws:
        limits(place, document)
    return None


def _duplicates(place: Place, document: Document) -> None:
    levels = {(*flow.pointer, "States") for flow in flows(document.value)}
    for pointer, mark in document.duplicates:
        name = pointer[-1]
        if pointer[:-1] in levels:
            what, code = f"there is another state {name!r:.80} beside", "DUPLICATE_STATE_NAME"
        else:
            what, code = f"the field {name!r:.80} stands here twice", "DUPLICATE_FIELD"
        place.report.add("ERROR", "duplicates", pointer, what, code=code, mark=mark, advice="The last one would count.")


def _deep(value: Any, report: Report) -> bool:
    """Whether a value is nested too deeply, or holds what JSON does not have; looked at without recursion."""
    level: list[Any] = [value]
    for depth in range(DEPTH + 2):
        if not level:
            return False
        if depth > DEPTH:
            break
        below: list[Any] = []
        for item in level:
            if is_object(item):
                keys: list[Any] = [*item]
                if not all(isinstance(key, str) for key in keys):
                    report.add("ERROR", "json", (), "a key must be text", at="")
                    return True
                below += item.values()
            elif is_list(item):
                below += item
            elif not (item is None or isinstance(item, (str, int, float))):
                report.add("ERROR", "json", (), f"a value of Python's {item.__class__.__name__} is no JSON", at="")
                return True
        level = below
    report.add("ERROR", "nesting", (), f"it is nested more than {DEPTH} levels deep", code="TOO_DEEPLY_NESTED", at="")
    return True
