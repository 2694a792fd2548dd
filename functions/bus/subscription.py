"""``@subscribe``: a tool, a workflow or an agent is to get the events that a filter means.

A Subscription is data: it can be announced, kept and rendered, and read back in a process that does not have the code.
It hangs on the function that it is of; there is no registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar, cast

from ...orchestrator.queue.pace import Pace
from ...orchestrator.queue.pace import from_json as paced
from ...orchestrator.usercode.resilience import Retry
from ...orchestrator.usercode.served import served
from ...state.errors import InvalidInput
from ...state.ids import check_id, check_name
from ..events.event import CloudEvent
from . import filters
from .filters import Filter
from .pacing import pace_of

F = TypeVar("F")
Given = Literal["data", "event"]
KINDS = ("tool", "workflow", "agent")


class Subscription(NamedTuple):
    """``function``, of ``kind``, gets the events that all of ``filters`` mean: their data, or the whole event in its
    JSON form (``gives``). ``session``: of an agent, the attribute that names the session, or ``"=KEY"``, the session
    KEY; "": each event begins a run of its own. With a ``pace`` its events go through a queue, with ``order`` those
    with the same value of that attribute one after another. ``lane``: what its events are that nobody else may mean
    (``events.addressed``); a broker may keep them apart."""

    name: str
    function: str
    kind: str
    filters: Sequence[Filter] = ()
    gives: str = "data"
    session: str = ""
    pace: Pace | None = None
    order: str = ""
    lane: str = ""

    def matches(self, attributes: Mapping[str, str]) -> bool:
        """Whether an event of these attributes is meant."""
        return all(filters.matches(one, attributes) for one in self.filters)

    def session_of(self, event: CloudEvent) -> str:
        """The key of the session that an event goes to. Raises InvalidInput when it names none."""
        if self.session.startswith("="):
            return self.session[1:]
        key = filters.attributes_of(event).get(self.session, "")
        if not key:
            raise InvalidInput(f"the event has no {self.session}, which names the session of {self.function}")
        return check_id(key, f"the {self.session} of an event, as the key of a session")

    def as_json(self) -> dict[str, Any]:
        """What is announced of it."""
        made: dict[str, Any] = {"function": self.function, "kind": self.kind, "filters": list(self.filters)}
        made |= {"gives": self.gives} if self.gives != "data" else {}
        made |= {"pace": self.pace.as_json()} if self.pace is not None else {}
        made |= {"order": self.order} if self.order else {}
        return made | ({"session": self.session} if self.session else {})


def from_json(name: str, told: Mapping[str, Any]) -> Subscription:
    """A subscription as it was announced. Raises InvalidInput for what this release does not understand."""
    try:
        found = tuple(filters.checked(one) for one in told.get("filters", ()))
        pace = paced(told["pace"]) if "pace" in told else None
        gives, session, order = (str(told.get(what, "")) for what in ("gives", "session", "order"))
        return Subscription(
            name, str(told["function"]), str(told["kind"]), found, gives or "data", session, pace, order
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"the subscription {name!r} can't be read ({error!r}); upgrade this process") from None


class Wanted(NamedTuple):
    """What ``@subscribe`` says, before it is known under which name the function is served."""

    name: str
    filters: Sequence[Filter]
    gives: str
    session: str
    pace: Pace | None = None
    order: str = ""

    def of(self, function: str, kind: str) -> Subscription:
        name = self.name or function
        return Subscription(name, function, kind, self.filters, self.gives, self.session, self.pace, self.order)


def subscribe(
    *,
    type: str | Sequence[str] | None = None,
    source: str | Sequence[str] | None = None,
    subject: str | Sequence[str] | None = None,
    where: Filter | Sequence[Filter] | None = None,
    name: str = "",
    gives: Given = "data",
    session: str | None = None,
    key: str | None = None,
    concurrency: int | None = None,
    rate: str | None = None,
    order: str | None = None,
    retry: Retry | None = None,
) -> Callable[[F], F]:
    """Let a function get events: write it above ``@tool`` or ``@workflow``, or call it with an agent.

    - ``type``, ``source``, ``subject``: what the event must have, one text or one of several.
    - ``where``: filters of the CloudEvents Subscriptions API that must hold too, as data:
      ``{"prefix": {"type": "order."}}``, ``{"not": {"exact": {"region": "eu"}}}``.
    - ``name``: the subscription's, by default the function's. It tells events that were taken from those that were not,
      so it stays the same; a second subscription of one function needs one.
    - ``gives``: "data": the function gets the event's data; "event": all of it, in its JSON form.
    - ``session``: of an agent, the attribute that names the session ("subject", "partitionkey"); ``key``: all events go
      to the session of that key. Without either each event begins a run of its own.

    - ``concurrency``: how many events are worked on at a time; ``rate``: how many begin in a time, "10/s", "100/m",
      "5/10s"; ``order``: events with the same value of this attribute ("partitionkey", "subject") are worked on one
      after another; ``retry``: how often and when one that failed begins anew (attempts, first, factor, most).

    A workflow begins once for each event, a tool is called in a durable execution of its own. Raises InvalidInput.
    """
    wanted = _wanted(type, source, subject, where, name, gives, session, key)
    wanted = wanted._replace(pace=pace_of(concurrency, rate, order, retry), order=order or "")

    def subscribed(thing: F) -> F:
        function = served(thing)
        kind = getattr(function, "kind", None)
        if kind not in KINDS:
            raise InvalidInput(f"{thing!r} is no tool, workflow or agent; write @subscribe above @tool or @workflow")
        if wanted.session and kind != "agent":
            raise InvalidInput(f"a {kind} has no sessions; leave out session= and key=")
        if wanted.session and wanted.pace is not None:
            raise InvalidInput(
                "a session takes one message after another anyway; leave out concurrency, rate, order, retry"
            )
        known: tuple[Wanted, ...] = getattr(function, "subscriptions", ())
        if any(other.name == wanted.name for other in known):
            raise InvalidInput(f"{function.name} has a subscription of that name; give this one another: name=…")
        function.subscriptions = (*known, wanted)
        return thing

    return subscribed


def _wanted(
    type: str | Sequence[str] | None,
    source: str | Sequence[str] | None,
    subject: str | Sequence[str] | None,
    where: Filter | Sequence[Filter] | None,
    name: str,
    gives: str,
    session: str | None,
    key: str | None,
) -> Wanted:
    given = {"type": type, "source": source, "subject": subject}
    found = [filters.one_of(attribute, values) for attribute, values in given.items() if values is not None]
    if where is not None:
        several = isinstance(where, (list, tuple))
        found += map(filters.checked, cast("Sequence[Filter]", where) if several else [where])
    if not found:
        raise InvalidInput('@subscribe needs to know which events: type="order.paid", or where=…')
    if gives not in ("data", "event"):
        raise InvalidInput(f'gives= is "data" or "event", not {gives!r:.40}')
    if session is not None and key is not None:
        raise InvalidInput("session= names the attribute and key= the session; give one of them")
    if name:
        check_name(name, "subscription", for_models=False)
    place = "" if session is None else session
    if key is not None:
        place = "=" + check_id(key, "the key of a session")
    elif session is not None:
        filters.checked({"exact": {session: "any"}})
    return Wanted(name, tuple(found), gives, place)


def subscriptions_of(functions: Mapping[str, Any]) -> dict[str, Subscription]:
    """The subscriptions of functions that are served, by name. Raises InvalidInput for two of one name."""
    found: dict[str, Subscription] = {}
    for served_as, function in functions.items():
        wanted: Iterable[Wanted] = getattr(function, "subscriptions", ())
        for one in (each.of(served_as, str(function.kind)) for each in wanted):
            if one.name in found:
                raise InvalidInput(
                    f"{found[one.name].function} and {served_as} both have a subscription {one.name!r}; "
                    "give one of them another name: @subscribe(name=…)"
                )
            found[one.name] = one
    return found
