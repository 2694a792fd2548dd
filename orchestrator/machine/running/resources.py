"""What a Task may call, as the interpreter sees it: who has the functions hands it in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ....state.codec import Writer, stored
from ...usercode.resilience import Policy
from ..definition.resource import Resource


class Call(NamedTuple):
    """A function that is called in an execution of the machine itself. ``invoke`` gives its value, or an awaitable."""

    name: str
    invoke: Callable[[], Any]
    threaded: bool
    policy: Policy
    write: Writer = stored
    away: bool = False


class Child(NamedTuple):
    """A workflow, an agent or another machine: an execution of its own."""

    name: str
    input: Any
    kind: str = ""
    id: str = ""
    detached: bool = False


class Resources(Protocol):
    """What a machine's Tasks may call."""

    def target(self, resource: Resource, arguments: Any) -> Call | Child:
        """Raises QueryError for arguments that can't be given to it."""
        ...

    def shaped(self, resource: Resource, value: Any) -> Any:
        """What came of it, as the resource gives it: an integration says more than its function."""
        ...
