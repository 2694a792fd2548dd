"""States that lead to each other: those of a machine, of a branch, or of what a Map does with each item. A state's
``next`` names another of the same flow, never one outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .fields import Fields
from .states.state import State


@dataclass(frozen=True, slots=True)
class Flow:
    """Where it begins, and its states by name, in the order they were written in."""

    start_at: str
    states: Mapping[str, State]
    comment: str | None = None


BuildFlow = Callable[[Fields], Flow]
"""Makes a flow of ``StartAt`` and ``States``; the fields that a machine has beside are left to who calls."""
