"""Every mistake of the corpus is found, with its code and place, and nothing else is complained about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overwinter.orchestrator.machine.validation.checking import check
from overwinter.orchestrator.machine.validation.compiling import InvalidDefinition, compiled
from overwinter.orchestrator.machine.validation.rules import RULES

from .mistakes import MISTAKES, Mistake


def found(definition: Any, options: dict[str, Any]) -> list[tuple[str, str, str]]:
    return sorted((one.severity[0], one.code, one.pointer) for one in check(definition, **options))


@pytest.mark.parametrize("mistake", MISTAKES, ids=[one.id for one in MISTAKES])
def test_a_mistake_is_found_where_it_is(mistake: Mistake) -> None:
    assert found(mistake.definition, mistake.options) == sorted(mistake.found)


@pytest.mark.parametrize("mistake", MISTAKES, ids=[one.id for one in MISTAKES])
def test_each_has_a_rule_a_line_and_words(mistake: Mistake) -> None:
    definition = mistake.definition
    text = definition if isinstance(definition, str) else json.dumps(definition, indent=1)
    found = check(text, **mistake.options)
    lines = [(one.line or 0, one.column or 0) for one in found]
    assert lines == sorted(lines)
    for one in found:
        assert one.rule in RULES
        assert one.message and one.message[0] != " " and not one.message.endswith(".")
        assert not one.advice or one.advice.endswith((".", "?")), one.advice
        assert one.line is not None or not text.strip(), one


@pytest.mark.parametrize("mistake", MISTAKES, ids=[one.id for one in MISTAKES])
def test_what_is_wrong_is_not_compiled(mistake: Mistake) -> None:
    """Here as everywhere: mistakes that only AWS minds are none, and those that would only show later don't block."""
    errors = [one for one in check(mistake.definition, form=mistake.options.get("form")) if one.blocks]
    if not errors:
        assert compiled(mistake.definition).digest
        return
    with pytest.raises(InvalidDefinition) as refused:
        compiled(mistake.definition, form=mistake.options.get("form"))
    assert errors[0].message in str(refused.value)


def test_there_are_enough_of_them() -> None:
    assert len({one.id for one in MISTAKES}) == len(MISTAKES) >= 200
    print(f"{len(MISTAKES)} mistakes")
