"""What a Task may call, as the interpreter sees it: who has the functions hands it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from ....state.codec import Writer, stored
from ...usercode.resilience import Policy
from ..definition.resource import Resource
from ..definition.states.map_data import ReaderConfig


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


class Reading(NamedTuple):
    """A page of a data set that a Map goes through. ``action``: ``s3:getObject`` or ``s3:listObjectsV2``; ``cursor``:
    where the last page ended; ``most``: items that are still wanted, None for all; ``room``: bytes of a page."""

    action: str
    arguments: Mapping[str, Any]
    config: ReaderConfig
    cursor: Mapping[str, Any] | None
    most: int | None
    room: int


class Export(NamedTuple):
    """Results that a Map writes, by their status. ``run`` names the Map Run, ``folder`` is what all keys begin with;
    ``lines``: a result on each line."""

    bucket: str
    folder: str
    owner: str
    run: str
    results: Mapping[str, list[Any]]
    lines: bool


class Resources(Protocol):
    """What a machine's Tasks may call, and where its Maps read and write."""

    def target(self, resource: Resource, arguments: Any) -> Call | Child:
        """Raises QueryError for arguments that can't be given to it."""
        ...

    def shaped(self, resource: Resource, value: Any) -> Any:
        """What came of it, as the resource gives it: an integration says more than its function."""
        ...

    def reads(self, reading: Reading) -> Call:
        """Gives ``{"parts": [{"source", "items", "keys"?}], "next": cursor or null}``."""
        ...

    def writes(self, export: Export) -> Call:
        """Gives ``{"Bucket", "Key"}`` of the manifest."""
        ...
