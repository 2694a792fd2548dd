"""``publish``: an event for whoever has subscribed to it.

It is recorded before it is sent, and sent again until that is confirmed. Its source, id and time are fixed when it is
ordered, so what is sent again is known to be the same.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, cast
from urllib.parse import quote

from ...state.codec import copied, stored
from ...state.errors import InvalidArgument, InvalidInput
from ...state.quantities import briefly
from ..protocol.decider import Fact, Publish
from ..usercode import fingerprint as fingerprints
from . import arguments
from .naming import named
from .operation import Operation, error_in
from .run import Run
from .scope import Scope
from .targets import NOTHING

FIXED = frozenset(
    {"specversion", "id", "type", "time", "data", "data_base64", "datacontenttype", "dataschema", "partitionkey"}
)
_MARK = 16
"""Hexadecimal digits that tell one life of an execution from another under the same id."""


class Event(Protocol):
    """A CloudEvent, as far as it is looked at here."""

    source: str
    type: str
    subject: str | None
    datacontenttype: str | None
    dataschema: str | None
    data: Any
    extensions: Mapping[str, Any]


class Publication(Operation[str]):
    """An event that is published. Awaiting it gives the event's id, as soon as the event is durable where it went. It
    is published all the same when nobody waits for it."""

    __slots__ = ("event",)
    kind = "publish"

    def __init__(self, run: Run, op: str, event: Fact, args: str) -> None:
        super().__init__(run, op, event["type"], None, args)
        self.event = event

    def sent(self, fact: Fact) -> None:
        """It is confirmed, or was refused for good."""
        self.run.settle(self.op)
        error = error_in(fact)
        if error is None:
            self.take(self.event["id"])
        else:
            self.fail(error)

    def give_up(self) -> None:
        run, op = self.run, self.op
        if op in run.own and op not in run.recorded:  # nobody has heard of it
            for table in (run.own, run.fresh, run.unsent):
                table.pop(op, None)

    def leave(self) -> None:
        """It goes out all the same."""


class Publishing(Scope):
    """The part of a context that publishes events."""

    __slots__ = ()

    def publish(
        self,
        event: str | Event,
        data: Any = NOTHING,
        *,
        subject: str | None = None,
        key: str | None = None,
        source: str | None = None,
        **extensions: str | int | bool,
    ) -> Operation[str]:
        """Publish an event and await its id: it is then durable where it goes to.

        ``event`` is its type ("order.paid"), with ``data`` as any JSON; or a CloudEvent, of which everything is taken
        but id and time: those are this operation's. ``subject``: what it is about; ``key``: events of one key stay in
        their order (``partitionkey``); ``source``: where it comes from, by default this execution. Other names are
        extension attributes. Publishing again, after a crash, sends the same event. Raises InvalidInput for what can't
        be an event, or is too big for the broker.
        """
        run, op = self._run, self._next()
        if not FIXED.isdisjoint(extensions):
            what = ", ".join(sorted(FIXED.intersection(extensions)))
            raise InvalidArgument(f"ctx.publish gives an event its {what} itself; leave it out, or name it otherwise")
        members = _members(event, data)
        given = {"subject": subject, "key": key, "source": source}
        for name, value in given.items():
            if value is not None:
                members["partitionkey" if name == "key" else name] = named(value, f"{name} of ctx.publish")
        for name, extension in extensions.items():
            if not isinstance(extension, (str, int)):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
                raise arguments.wrong(f"ctx.publish({name}=…)", "a text, an integer or a boolean", extension)
            members[name] = extension
        args = fingerprints.of((members,), {})
        members.setdefault("source", source_of(run))
        renewed = run.renewed.get(op)
        at = run.began(op)
        id = f"{op}-{_mark(run)}" + (f"~{renewed[1]}" if renewed else "")
        whole: Fact = {"specversion": "1.0", "id": id, "time": _time(at), **members}
        publication = Publication(run, op, whole, args)
        ahead = run.recorded.get(op)
        entry: Fact = {"type": "ordered", "op": op, "at": at, "kind": "publish", "name": publication.name}
        entry |= {"event": whole, "args": args}
        if ahead is None:
            run.fit(entry)
        elif isinstance(ahead.get("event"), dict):
            publication.event = whole = cast("Fact", copied(ahead["event"]))  # what has been sent, to the letter
        run.open(publication)
        run.own[op] = entry
        run.effect(Publish(op, whole))
        return publication


def source_of(run: Run) -> str:
    """The source of what an execution publishes."""
    return f"/overwinter/{quote(run.function, safe='')}/{quote(run.id, safe='/')}"


def _members(event: str | Event, data: Any) -> Fact:
    """What was given, as the event's JSON form has it."""
    if isinstance(event, str):
        members: Fact = {"type": named(event, "the type of an event that ctx.publish sends")}
        if data is not NOTHING and data is not None:
            try:
                members |= {"datacontenttype": "application/json", "data": stored(data)}
            except InvalidInput as error:
                raise InvalidArgument(f"data of ctx.publish can't be sent as JSON: {error}") from None
        return members
    if not hasattr(event, "source") or not hasattr(event, "extensions"):
        raise InvalidArgument(f"ctx.publish takes the type of an event, or a CloudEvent, not {briefly(event)}")
    if data is not NOTHING:
        raise InvalidArgument("a CloudEvent has its own data; leave out data= of ctx.publish")
    members = {"source": event.source, "type": event.type}
    for name in ("subject", "datacontenttype", "dataschema"):
        if getattr(event, name) is not None:
            members[name] = getattr(event, name)
    members.update(event.extensions)
    if isinstance(event.data, bytes):
        members["data_base64"] = base64.b64encode(event.data).decode()
    elif event.data is not None:
        members["data"] = stored(event.data)
    return members


def _mark(run: Run) -> str:
    seed = "" if run.origin is None else run.origin.seed
    return hashlib.sha256(f"publish\n{run.id}\n{seed}".encode()).hexdigest()[:_MARK]


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
