"""What an agent's model has against itself before it is asked: a missing key, a missing library, a name that no
provider has. A model says so by ``wrong(settings)``, or by ``doubt(settings)`` when it may be mistaken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Finding(NamedTuple):
    """``certain``: it would fail at its first call."""

    text: str
    certain: bool


def findings(functions: Mapping[str, Any]) -> list[Finding]:
    """One for each agent whose model can't answer, with its place; what is certain comes first. Loads the library of
    the models, which may take seconds; nobody is asked."""
    from ..functions.loading import kind_of

    found: list[Finding] = []
    for name, function in functions.items():
        if kind_of(function) != "agent":
            continue
        for word in ("wrong", "doubt"):
            ask = getattr(function.model, word, None)
            said = str(ask(function.settings)) if callable(ask) else ""
            if said:
                found.append(Finding(f"{_place(function)}agent {name}: {said}", certain=word == "wrong"))
                break
    return sorted(found, key=lambda finding: not finding.certain)


def _place(function: Any) -> str:
    from ..functions.places import place_of

    place = place_of(function)
    return f"{place}: " if place else ""
