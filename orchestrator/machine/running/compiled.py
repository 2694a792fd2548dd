"""What the expressions of one definition compile to, each when it is first needed. It lives as long as its machine."""

from __future__ import annotations

from typing import Any

from ..definition.machine import Machine
from ..definition.states.choice import Rule
from ..definition.values import Path, Template
from ..language import choice, paths
from ..language.template import Computation, Payload, Query, compile_payload, compile_query


class Compiled:
    """Of ``machine``, which is kept by it: what is compiled is known by the part of the model that it is of."""

    __slots__ = ("_made", "machine")

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._made: dict[int, Any] = {}

    def payload(self, template: Template) -> Payload:
        """Raises QueryError."""
        found = self._made.get(id(template))
        if found is None:
            found = self._made[id(template)] = compile_payload(template.source)
        return found

    def query(self, template: Template, field: str) -> Query:
        """Raises QueryError."""
        found = self._made.get(id(template))
        if found is None:
            found = self._made[id(template)] = compile_query(template.source, field)
        return found

    def computation(self, path: Path, field: str) -> Computation:
        """Raises QueryError."""
        found = self._made.get(id(path))
        if found is None:
            found = self._made[id(path)] = Computation(path.text, field)
        return found

    def path(self, path: Path) -> paths.Path:
        """Raises QueryError."""
        return paths.compile_path(path.text)

    def rule(self, rule: Rule) -> choice.Rule:
        """Raises QueryError."""
        found = self._made.get(id(rule))
        if found is None:
            found = self._made[id(rule)] = choice.compile_rule(rule.source)
        return found
