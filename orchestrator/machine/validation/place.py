"""A place in a definition that is being looked at: what holds there, and how to complain about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..definition.document import Pointer
from ..definition.values import QueryLanguage
from .diagnostic import Report

MachineType = Literal["STANDARD", "EXPRESS"]


@dataclass(slots=True)
class Ledger:
    """What is gathered on the way, to be judged as a whole afterwards."""

    reads: list[tuple[str, Pointer]] = field(default_factory=list[tuple[str, Pointer]])
    labels: dict[str, Pointer] = field(default_factory=dict[str, Pointer])


@dataclass(frozen=True, slots=True)
class Place:
    """``machine`` is the language of the whole machine, ``language`` the one that holds here. ``aws``: AWS's own rules
    are errors. ``states``: the parts of ``$states`` that can be read here."""

    report: Report
    ledger: Ledger
    pointer: Pointer = ()
    machine: QueryLanguage = "JSONPath"
    language: QueryLanguage = "JSONPath"
    express: bool = False
    aws: bool = False
    distributed: bool = False
    states: frozenset[str] = frozenset(("input", "context"))

    @property
    def jsonata(self) -> bool:
        return self.language == "JSONata"

    def at(self, *parts: str | int) -> Place:
        return Place(  # not replace(), which takes ten times as long
            self.report,
            self.ledger,
            (*self.pointer, *parts),
            self.machine,
            self.language,
            self.express,
            self.aws,
            self.distributed,
            self.states,
        )

    def reading(self, *parts: str) -> Place:
        """Where these parts of ``$states`` can be read as well."""
        return replace(self, states=self.states | {*parts})

    def error(self, rule: str, message: str, **more: Any) -> None:
        self.report.add("ERROR", rule, self.pointer, message, **more)

    def warning(self, rule: str, message: str, **more: Any) -> None:
        self.report.add("WARNING", rule, self.pointer, message, **more)

    def strict(self, rule: str, message: str, **more: Any) -> None:
        """What AWS refuses and what does no harm here."""
        (self.error if self.aws else self.warning)(rule, message, **more)

    def uses(self, variables: Iterable[str]) -> None:
        self.ledger.reads += [(name, self.pointer) for name in sorted(variables)]


def kind_of(value: Any) -> str:
    """The JSON type of a value, for sentences."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, (int, float)):
        return "a number"
    return "an object" if isinstance(value, dict) else "a list"
