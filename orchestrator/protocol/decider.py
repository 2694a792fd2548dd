"""The line between logic and the world. A decider is pure: facts go in, a decision comes out; it does no
I/O, reads no clock and draws no random number. The engine commits the decision, then performs its effects.

A *fact* is a JSON object with a ``type``. Facts come from the mailbox (start, message, event, decided,
callback, beat, child, answered, resolved, cancel), from effects (step, model, tool, check, summary, hook, begun,
retrying, sent, doubt, resolved)
and from time (timer). A fact that a decider takes is journaled as it is: from then on it is an *entry*. A decider adds
entries of its own (ordered, reply, checkpoint, completed, failed, cancelled). docs/journal.md lists them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol

from ...state.codec import Writer, stored
from ..usercode.resilience import Policy

Fact = dict[str, Any]
NO_EVENTS = "an agent waits for no events; send it a message"
DEAF = {
    "agent": NO_EVENTS,
    "schedule": "a schedule waits for no events; overwinter schedule run begins a run",
    "queue": "a queue takes what is published for its subscription, and nothing else",
}
"""What takes no events at all, by its kind, and what to do."""


def when(fact: Fact) -> int:
    """From when the fact counts: mail that had to wait, from when it was taken up."""
    at: int = fact["taken"] if "taken" in fact else fact.get("at", 0)
    return at


class Verdict(Enum):
    """What becomes of an offered fact."""

    TAKEN = "taken"  # journal it
    LATER = "later"  # leave it in the mailbox, with the ordinary mail behind it, and offer it again after a decision
    IGNORED = "ignored"  # late, duplicated or unknown: it changes nothing; drop it


class Heard(NamedTuple):
    """What a model call answers, for those who listen while it is being said: the message and its content ("" and the
    input of a run), and whether its sender wants to listen (``wanted``). ``mark`` tells the turn from every other one,
    also of another execution that is made under the same id. What is ``held`` is told to nobody
    before it is recorded."""

    message: str
    content: Any
    wanted: bool
    mark: str = ""
    held: bool = False


class Away(NamedTuple):
    """What goes with a call that another process is to make: which function it comes from, until when anybody wants its
    outcome (epoch milliseconds), whether a person has approved it. ``mark`` is drawn when it is recorded, before it is
    sent, and tells it from every other call, also of an execution that is made under the same id later; ``sends`` says
    how often it was accepted and had no outcome yet, ``heard`` how often it was when the other side last said that it
    is at work, ``again`` that it may have left before. ``answer`` is what has come of it, when that was told."""

    caller: str
    deadline: int | None = None
    approved: bool = False
    mark: str = ""
    sends: int = 0
    heard: int = 0
    answer: Fact | None = None
    again: bool = False
    budget: Mapping[str, Any] = {}  # what is left of the limits of the one that orders it (``governance.budget``)


class Doubt(NamedTuple):
    """Nobody knows whether a call took effect, ``since`` then. ``asked``: how often its reconcile function could not
    tell. ``resolved``: the fact that says what came of it."""

    since: int
    asked: int = 0
    resolved: Fact | None = None


ALIKE, SAME, NONE = "alike", "same", "none"
"""Which record of another execution answers a call of a fork: that of a call of that name with those arguments; that of
the same operation alone, since nobody knows what it is called with; none, since no entry tells that."""


class Invoke(NamedTuple):
    """Call a function in this process, at least once, and report its outcome as one fact.

    The fact: ``{"type": report, "op", "name", "at", "ms", "n"?, "args"?, **extra, "value" | "error"}``, where ``n`` is
    the number of attempts when it is above 1, ``at`` the time of the report and ``ms`` the duration of the
    last attempt. Before that, the engine may offer ``begun`` (at most once), ``retrying`` and ``doubt`` facts.
    """

    op: str  # the operation's id, stable over replays and retries
    name: str
    report: str  # type of the fact: "step", "model", "tool", "check", "listed", "summary" or "hook"
    call: Callable[[], Any]  # returns the value, or an awaitable of it
    threaded: bool  # a plain def: run it in a thread
    policy: Policy
    extra: Mapping[str, Any] = {}
    attempt: int = 0  # attempts recorded so far
    begun: bool = False  # an at-most-once attempt was begun and never finished: its outcome is in doubt
    write: Writer = stored  # makes plain JSON of the value, or refuses it by InvalidInput
    args: str | None = None  # fingerprint of what it is called with; recorded with each of its facts
    heard: Heard | None = None  # a model call, which may be listened to
    caller: Mapping[str, Any] = {}  # what whoever ordered the execution from elsewhere says about itself
    away: Away | None = None  # another process makes it: recorded before it is sent, and sent until it is answered
    given: Callable[[], Mapping[str, Any]] | None = None  # the arguments of a tool, as plain JSON
    doubt: Doubt | None = None  # it is in doubt, or was and is resolved
    pure: bool = False  # it changes nothing: a fork makes it
    like: str = ALIKE  # what of another execution's record answers it in a fork
    edited: Mapping[str, Any] | None = None  # what a person has put in the place of what ``args`` tells of


class Spawn(NamedTuple):
    """Start another execution. Confirmed by a ``sent`` fact with the same op; its end arrives as ``child``."""

    op: str
    id: str
    function: str  # name of a workflow or agent
    input: Any  # plain JSON
    detached: bool  # nobody waits for it; it is not cancelled with this one
    depth: int = 0  # how many executions are above the one that starts it
    kind: str = ""  # "workflow" or "agent", when that is known
    caller: Mapping[str, Any] = {}  # what is handed on of who ordered the one that starts it (``callers``)


class Post(NamedTuple):
    """Put a fact into another execution's mailbox (its key makes it arrive once). Confirmed by ``sent``."""

    op: str
    id: str
    key: str
    fact: Fact


class Publish(NamedTuple):
    """Publish an event, given in its JSON form. Confirmed by ``sent``, which tells of it when it can never be sent."""

    op: str
    event: Fact


class Access(NamedTuple):
    """Read or write a key-value entry; reported as a ``step`` fact with the value or etag, or with an error when
    ``check`` raises ValueError or TypeError for what was read. ``read`` makes of that what is reported, and may raise
    the same."""

    op: str
    name: str
    action: str  # "get", "put", "remove" or "keys"
    scope: str
    key: str
    value: Any = None
    etag: str | None = None
    check: Callable[[Any], Any] | None = None
    args: str | None = None  # fingerprint of what is written; recorded with the fact
    read: Callable[[Any], Any] | None = None


Effect = Invoke | Spawn | Post | Publish | Access


class Decision:
    """What a decider wants after the facts it was offered."""

    __slots__ = (
        "abandon", "awaits", "base", "entries", "error", "immediate", "note", "outside", "perform", "state", "status",
        "wake",
    )  # fmt: skip

    def __init__(self) -> None:
        self.entries: list[Fact] = []  # own entries, journaled after the taken facts
        self.perform: list[Effect] = []  # each effect appears in one decision only
        self.abandon: Sequence[str] = ()  # ops whose running effects are no longer wanted
        self.status = "waiting"  # one of records.STATUSES; a final one comes with its final entry
        self.wake: int | None = None  # earliest deadline of timers, timeouts and durable retries
        self.outside = False  # ``wake`` is a timer's, and something from outside may be meant to precede it
        self.awaits = ""  # for people: "event customer.reply", "approval refund", "2 children"
        self.note = ""  # the status line set by the code
        self.state = ""  # JSON of the small state that the head carries; a few KB at the most
        self.base: int | None = None  # new first needed entry, when it moves
        self.immediate = False  # effects may start before the taken facts are committed, see below
        self.error: str = ""  # with status "stuck": what disagrees, and where


# ``immediate`` is for effects that follow from nothing but mail that is durable already and that no other
# mail could overtake with another outcome: the first steps after ``start``, the model call after a
# ``message``. It saves one commit an activation.


class Decider(Protocol):
    """The logic of one rehydrated execution. ``limit``: bytes that one value may have in the store, set by whoever runs
    it: an entry of its own that is bigger must be refused to the code that asks for it."""

    @property
    def limit(self) -> int: ...
    @limit.setter
    def limit(self, bytes_: int, /) -> None: ...

    def replay(self, state: str, first: int, entries: Sequence[Fact], now: int) -> None:
        """Become what the journal says. ``entries`` are numbered from ``first``; ``state`` is Head.state.
        Called once, before anything else. Never raises for a disagreement: ``decide`` reports it as stuck."""
        ...

    def offer(self, fact: Fact) -> Verdict:
        """Consider one fact. TAKEN facts are journaled in the order of offering, before own entries."""
        ...

    def expire(self, now: int) -> list[Fact]:
        """Timer facts that are due at ``now`` (to be offered); due durable retries are queued to perform. The engine
        asks deadline by deadline, earliest first, when all mail that came by then was offered."""
        ...

    def decide(self) -> Decision:
        """What is wanted now. Called after facts were offered and after replay and expire; then every effect
        that is open and not yet handed out is in ``perform`` (after replay: all that are open)."""
        ...

    def close(self) -> None:
        """Drop everything without running user code that has effects."""
        ...


class Heir(Protocol):
    """A decider that is told how many owners of its execution have died since it was last written."""

    deaths: int


class Function(Protocol):
    """An agent or a workflow as the engine sees it."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """ "workflow" or "agent"."""
        ...

    def check(self, value: Any) -> Any:
        """The input as plain JSON, validated. Raises InvalidInput that names the fields."""
        ...

    def decider(self, id: str) -> Decider: ...
