"""What the agent loop asks of the ways to make a conversation fit into its window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

from ..governance.budgets.account import Account
from ..governance.budgets.hold import Hold, Terms
from ..usercode.resilience import Policy
from .conversation import Message


class Leaving(NamedTuple):
    """What is about to leave the window of a conversation, for whoever says what is to stand in its place.
    ``earlier`` is the summary that stands before it, and goes too."""

    messages: tuple[Message, ...]
    earlier: str


class Compactor(Protocol):
    """One way to make a conversation fit into its window again (``compaction``)."""

    @property
    def name(self) -> str: ...

    @property
    def keep(self) -> int:
        """Characters that are left of a long result of a tool. 0: whole groups of messages leave."""
        ...

    @property
    def part(self) -> float:
        """So many leave that the rest fits into this part of the window."""
        ...

    @property
    def asks(self) -> str:
        """Who is asked for a summary."""
        ...

    @property
    def policy(self) -> Policy: ...

    @property
    def threaded(self) -> bool:
        """A plain function: it runs in a thread."""
        ...

    def call(self, leaving: Leaving) -> Callable[[], Any] | None:
        """A function that gives a summary of what leaves, or an awaitable of it: a text or a model's answer. None:
        nothing stands in its place."""
        ...


@runtime_checkable
class Priced(Protocol):
    """A call for a summary that a budget can count, before it is made."""

    @property
    def terms(self) -> Terms:
        """What is known of it; all that it reads is ``beside``."""
        ...

    def within(self, hold: Hold | None, accounts: tuple[Account, ...]) -> Self:
        """The same with a limit on what it writes, charged to these accounts."""
        ...
