"""What is read of one execution for whoever tells of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...state.records import Head
from ..protocol.decider import Fact


class Story(NamedTuple):
    """One execution: its head, the entries of its journal from number ``first`` on with their numbers, how much mail
    waits for it, and its children, oldest first (a hundred at the most, the newest)."""

    head: Head
    first: int
    entries: Sequence[tuple[int, Fact]]
    mail: int
    children: Sequence[Head]
