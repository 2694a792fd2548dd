"""What a Task may call, as the interpreter sees it: who has the functions hands it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from ....state.codec import Writer, stored
from ...governance.approvals.rule import Approval
from ...protocol.decider import Fact
from ...usercode.resilience import Policy
from ..definition.resource import Resource
from ..definition.states.map_data import ReaderConfig
from .failure import Failure


class Asking(NamedTuple):
    """The operation that calls: of which execution and machine, when it was begun (epoch milliseconds), and the seed
    that what it makes up is drawn from."""

    execution: str
    machine: str
    op: str
    at: int
    seed: str


class Wants(NamedTuple):
    """A tool that may want an approval. ``rule`` says whose for these arguments, and raises InvalidInput for what could
    not be called; ``lasts`` is for how many milliseconds somebody is asked, ``version`` the tool's; ``remade`` is the
    call with other arguments."""

    rule: Callable[[Any], Approval | None]
    lasts: int
    version: str
    remade: Callable[[Any], Call]


class Call(NamedTuple):
    """A function that is called in an execution of the machine itself. ``invoke`` gives its value, or an awaitable.
    ``detached``: what comes of it is of no concern to the Task. ``input``: what it is called with. ``wants`` says who
    must approve it first; None: nobody. It raises InvalidInput. ``pure``: it changes nothing."""

    name: str
    invoke: Callable[[], Any]
    threaded: bool
    policy: Policy
    write: Writer = stored
    away: bool = False
    detached: bool = False
    input: Any = None
    wants: Wants | None = None
    pure: bool = False


class Child(NamedTuple):
    """A workflow, an agent or another machine: an execution of its own."""

    name: str
    input: Any
    kind: str = ""
    id: str = ""
    detached: bool = False


class Publication(NamedTuple):
    """Events, in their JSON form, for whoever has subscribed to them. When all of them are durable where they go to,
    ``Resources.published`` says what the Task has of it."""

    events: tuple[Fact, ...]


class Activity(NamedTuple):
    """A task for whichever worker asks for one of that activity: its outcome comes by the task's token."""

    name: str


Work = Call | Child | Publication | Activity


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

    def target(self, resource: Resource, arguments: Any, asking: Asking) -> Work:
        """The same for the same arguments. Raises QueryError for arguments that can't be given to it."""
        ...

    def shaped(self, resource: Resource, arguments: Any, value: Any) -> Any:
        """What came of it, as the resource gives it: an integration says more than its function."""
        ...

    def published(
        self, resource: Resource, arguments: Any, asking: Asking, refused: Mapping[int, str]
    ) -> Any | Failure:
        """What a Task has of its events, of which some were ``refused`` for good: their numbers, and why."""
        ...

    def reads(self, reading: Reading) -> Call:
        """Gives ``{"parts": [{"source", "items", "keys"?}], "next": cursor or null}``."""
        ...

    def writes(self, export: Export) -> Call:
        """Gives ``{"Bucket", "Key"}`` of the manifest."""
        ...
