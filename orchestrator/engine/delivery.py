"""What leaves an execution for other executions and for the key-value store, and comes back as a fact.

Everything here may be repeated: starts and posts carry keys that make them arrive once, so what is not
confirmed is simply sent again.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from ...security.chain import link_of
from ...state.codec import dumps, loads
from ...state.errors import (
    AlreadyExists,
    BegunBefore,
    InvalidInput,
    OverwinterError,
    StoreCorrupt,
    UnknownFunction,
)
from ...state.ids import FORKED, fork_of
from ...state.records import FINAL, Accepted, Answer, Filter, Head, NewExecution, NewMail
from ...state.store import Store
from ...state.whole import GAP
from ..errors import failures
from ..protocol import keeping, keys, shared
from ..protocol.catalogue import kind_of
from ..protocol.decider import Access, Fact, Function, Post, Publish, Spawn
from ..protocol.entries import ROOM, check_size, decode_all, encode
from ..protocol.media import Taken, take
from ..protocol.newer import FORKS, PROTOCOL
from ..protocol.starting import check_same, is_new
from ..usercode.calling import checked
from .forking import Forks
from .patience import patiently
from .publishing import Publisher, publish
from .tracing import Tracing
from .transition import child_post

log = logging.getLogger("overwinter")
T = TypeVar("T")
_LONGEST_ASKED = 300.0
"""Seconds that a broker can ask for before an event is sent to it again."""
NESTED = 256
"""How many executions may be above one: children of children, attached or not. Endless recursion ends there."""


def start_mail(
    at: int,
    taken: Taken,
    *,
    parent: str | None = None,
    depth: int = 0,
    by: str = "",
    stream: bool = False,
    caller: Mapping[str, Any] | None = None,
    delivery: Mapping[str, Any] | None = None,
    protocol: int = 0,
) -> NewMail:
    """The first mail of an execution; its constant key makes starting idempotent. ``caller``: what whoever orders it
    from elsewhere says about itself; ``delivery``: of which event it is; ``protocol``: who goes on with it must know
    that much (``protocol.newer``)."""
    fact: Fact = {"type": "start", "at": at, "input": taken.value, "seed": secrets.token_hex(16)}
    if parent is not None:
        fact["parent"] = parent
    if depth:
        fact["depth"] = depth
    if by:
        fact["by"] = by
    if stream:
        fact["stream"] = True
    if caller:
        fact["caller"] = dict(caller)
    if delivery:
        fact["delivery"] = dict(delivery)
    if protocol:
        fact[PROTOCOL] = protocol
    return mail_of(fact, keys.START, lane=1, taken=taken)


def mail_of(fact: Fact, key: str, *, lane: int, taken: Taken | None = None) -> NewMail:
    """``taken`` is what the fact tells, when somebody outside said it."""
    if taken is None or not taken.media:
        text, blobs = encode(fact)
        return NewMail(key, lane, fact["at"], text, blobs)
    text, blobs = encode(fact | {"media": True})
    return NewMail(key, lane, fact["at"], text, {**taken.blobs, **blobs})


class Sending(Protocol):
    """The execution that sends: an activation."""

    id: str
    function: str
    parent: str | None
    settling: list[Post] | None

    def report(self, fact: Fact) -> None:
        """What has come of it."""
        ...


class Office(Protocol):
    """Where it is sent from: an engine."""

    store: Store
    functions: Mapping[str, Function]

    @property
    def clock(self) -> Callable[[], int]: ...
    async def post(
        self, id: str, mail: NewMail | None, *, create: NewExecution | None = None, by: str = ""
    ) -> Accepted: ...
    async def fill(self, id: str, facts: list[Fact]) -> None:
        """Put the blobs of an execution's facts in place."""
        ...


class Abroad(Protocol):
    """What works on functions that live elsewhere."""

    name: str
    """Of the function of this engine that has one of them work."""

    def leads(self, name: str) -> bool:
        """Whether the function of that name lives elsewhere."""
        ...

    def input(self, name: str, value: Any) -> Any:
        """What the function of this engine is given for that."""
        ...


class Delivery:
    """Sends for the activations of one engine. ``abroad``: where children go that live elsewhere."""

    abroad: Abroad | None = None

    def __init__(self, engine: Office) -> None:
        self._engine = engine
        self.publisher: Publisher | None = None
        self.tracing: Tracing | None = None
        self.forks = Forks(engine.store, engine.clock)
        self._missed: set[str] = set()  # functions that were ordered and are served nowhere yet

    async def deliver(self, activation: Sending, effect: Spawn | Post | Publish | Access) -> None:
        if FORKED in activation.id and fork_of(activation.id) and await self.forks.holds(activation, effect):
            return
        if isinstance(effect, Spawn):
            await self._spawn(activation, effect)
        elif isinstance(effect, Post):
            await self._post(activation, effect)
        elif isinstance(effect, Publish):
            if self.tracing is not None:
                effect = effect._replace(event=dict(self.tracing.event(activation.id, effect.op, effect.event)))
            await publish(self.publisher, activation, effect, self._engine.clock, self.patiently)
        else:
            await self._access(activation, effect)

    async def _spawn(self, activation: Sending, effect: Spawn) -> None:
        engine, parent = self._engine, None if effect.detached else activation.id
        try:
            if effect.depth >= NESTED:
                raise InvalidInput(
                    f"{effect.function} would be nested more than {NESTED} executions deep; let a child that goes on "
                    "for ever use ctx.checkpoint, or begin it from outside"
                )
            name, kind, value = await self._target(effect, activation.id)
            taken = take(kind, value, engine.store.payload_limit)
            caller = effect.caller if name == effect.function else {**effect.caller, "caller": activation.function}
            if self.tracing is not None:
                caller = self.tracing.caller(activation.id, effect.op, caller)
            more: dict[str, Any] = {"parent": activation.id, "depth": effect.depth + 1, "caller": caller}
            more |= {"protocol": FORKS} if fork_of(effect.id) else {}
            mail = start_mail(engine.clock(), taken, **more)
            create = NewExecution(name, kind, parent)
            accepted = await self.patiently(
                partial(engine.post, effect.id, mail, create=create, by=activation.id), activation.id
            )
            head = accepted.head
            if head is not None and (accepted.answer is Answer.OTHER or head.parent != parent):
                refusal = AlreadyExists if accepted.answer is Answer.OTHER else BegunBefore
                raise refusal(
                    f"the id {effect.id!r} belongs to another {head.function} execution; give the child another id"
                )
            if not is_new(accepted):
                await self.patiently(partial(check_same, engine.store, accepted, taken.value), activation.id)
        except InvalidInput as error:
            failed: Fact = {"type": "child", "op": effect.op, "id": effect.id, "at": engine.clock()}
            activation.report(failed | {"status": "failed", "error": failures.encode(error)})
            return
        if parent is not None and head is not None and head.status in FINAL:
            # Its end tells of its start too. Were they two facts, nobody would tell the second after a crash.
            ending = await self.patiently(partial(self.ending, head), activation.id)
            activation.report(child_post(head.id, activation.id, ending).fact | {"op": effect.op})
        else:
            activation.report({"type": "sent", "op": effect.op, "at": engine.clock()})

    async def _target(self, effect: Spawn, execution: str) -> tuple[str, str, Any]:
        """Name and kind of the function to start, and its checked input. Raises InvalidInput."""
        name, function = effect.function, self._engine.functions.get(effect.function)
        function = None if getattr(function, "internal", False) else function  # nobody orders those by name
        value = effect.input if function is None else checked(function, effect.input)
        if self.abroad is not None and self.abroad.leads(name):
            return self.abroad.name, "workflow", self.abroad.input(name, value)
        return name, await self._kind(effect, execution) if function is None else function.kind, value

    async def _kind(self, effect: Spawn, execution: str) -> str:
        """The kind of a function that another process serves. Raises UnknownFunction when none ever has; where the code
        has said the kind, a process that is about to may still come, so the log says what is waited for."""
        store, name = self._engine.store, effect.function
        if effect.kind and name in self._missed:
            return effect.kind
        kind = await self.patiently(partial(kind_of, store, name), execution)
        if not kind and not effect.kind:
            raise UnknownFunction(
                f"no agent or workflow {name!r} is served here, and no process has served one from this store"
            )
        if effect.kind:
            self._missed.add(name)  # whatever is known of it: it is said once
        if not kind:
            log.warning(
                "execution %s has ordered the %s %r, which no process has served from this store: it waits until one "
                "does. Serve it along, or name it where it is called by (uses=[…])",
                execution,
                effect.kind,
                name,
            )
        return effect.kind or kind

    async def _post(self, activation: Sending, effect: Post) -> None:
        mail = mail_of(effect.fact, effect.key, lane=0)
        await self.patiently(partial(self._engine.post, effect.id, mail, by=activation.id), activation.id)
        activation.report({"type": "sent", "op": effect.op, "at": self._engine.clock()})

    async def _access(self, activation: Sending, effect: Access) -> None:
        started = self._engine.clock()
        fact: Fact = {"type": "step", "op": effect.op, "name": effect.name}
        if effect.args:
            fact["args"] = effect.args
        try:
            value = await self.patiently(partial(self._key_value, effect), activation.id)
            if effect.check is not None:
                effect.check(value)
            fact["value"] = value if effect.read is None else effect.read(value)
        except OverwinterError as error:
            fact["error"] = failures.encode(error)
        except (ValueError, TypeError) as error:  # somebody has put there what does not fit, and may put it right
            why = f"the value of {_place(effect)} does not have the type that the code reads: {error}"
            fact["error"] = failures.encode(InvalidInput(why))
        now = self._engine.clock()
        activation.report(fact | {"at": now, "ms": now - started})

    async def _key_value(self, effect: Access) -> Any:
        store = self._engine.store
        if effect.action == "get":
            found = await shared.get(store, effect.scope, effect.key)
            return None if found is None else {"value": loads(found.value), "etag": found.etag}
        if effect.action == "put":
            text = dumps(effect.value)
            check_size(len(text.encode()) + ROOM, f"the value of {_place(effect)}", store.payload_limit)
            return await shared.put(store, effect.scope, effect.key, text, effect.etag)
        if effect.action == "remove":
            return await shared.remove(store, effect.scope, effect.key, effect.etag)
        return await shared.keys(store, effect.scope, effect.key)

    patiently = staticmethod(patiently)

    async def bring(self, activation: Sending, op: str, work: Callable[[], Awaitable[None]]) -> None:
        """Bring mail, or the blob of one; the activation goes on then."""
        await self.patiently(work, activation.id)
        activation.report({"type": "fetched", "op": op})

    # -- ends ----------------------------------------------------------------------------------------

    async def ending(self, head: Head) -> Fact:
        """The final entry of an ended execution, its blob in place."""
        (fact,) = decode_all(await self._engine.store.history(head.id, head.length - 1, 1) or [GAP], head.length)
        await self._engine.fill(head.id, [fact])
        return fact

    async def read(self, head: Head, texts: Sequence[str] | None) -> list[Fact]:
        """What is needed to go on with a leased execution, its blobs in place, and the events that its checkpoint
        names. ``texts`` is the journal, if it is there already. Raises StoreCorrupt, other StoreErrors."""
        entries = decode_all(await self.journal(head) if texts is None else texts, head.base)
        await self._engine.fill(head.id, entries)
        await keeping.bring(self._engine.store, head.id, head.base, entries)
        return entries

    async def journal(self, head: Head) -> list[str]:
        """What is needed to go on with a leased execution."""
        texts: list[str] = []
        while len(texts) <= head.length - head.base:
            more = await self._engine.store.history(head.id, head.base - 1 + len(texts))
            if not more:
                raise StoreCorrupt(f"entry {head.base + len(texts)} and all after it are missing in the store")
            texts += more
        return texts

    async def link(self, head: Head) -> str:
        """The link of the last entry, which the next one follows."""
        last = await self._engine.store.history(head.id, head.length - 1, 1) if head.length else ()
        return link_of(last[-1]) if last else ""

    async def finish_outbox(self, activation: Sending, head: Head) -> None:
        """An execution ended and the process died before children and parent were told: tell them again.

        Whether one that is being opened again had told of its failure can't be seen; what was told twice arrives once.
        """
        activation.settling = []
        if activation.parent is not None:
            try:
                ending = await self.ending(head)
            except StoreCorrupt as error:  # the parent must not wait for what nobody can tell it any more
                ending = {"type": "failed", "at": head.updated, "error": failures.encode(error)}
            activation.settling.append(child_post(activation.id, activation.parent, ending))
        posts = list(activation.settling)
        verb = "terminated" if head.status == "terminated" else "cancel"
        for child in await self.open_children(activation.id):
            await self._stop_child(child, activation.id, verb)
        for post in posts:
            await self._post(activation, post)

    async def end_children(self, activation: Sending) -> None:
        """Terminate what an execution that was terminated has left running."""
        for child in await self.open_children(activation.id):
            await self._stop_child(child, activation.id, "terminated")
        activation.report({"type": "sent", "op": "children", "at": self._engine.clock()})

    async def _stop_child(self, child: Head, parent: str, verb: str) -> None:
        if self.abroad is not None and child.function == self.abroad.name:
            verb = "cancel"  # terminated, it could not pass that on to what it has begun elsewhere
        fact: Fact = {"type": verb, "at": self._engine.clock(), "reason": f"{parent} has ended", "by": parent}
        mail = mail_of(fact, keys.ending(verb, parent), lane=0)
        await self.patiently(partial(self._engine.post, child.id, mail, by=parent), parent)

    async def open_children(self, parent: str) -> list[Head]:
        """Attached children that have not ended."""
        found: list[Head] = []
        cursor: str | None = None
        while True:
            read = partial(self._engine.store.executions, Filter(parent=parent), cursor, 200)
            page = await self.patiently(read, parent)
            found += [head for head in page.heads if head.status not in FINAL]
            cursor = page.cursor
            if cursor is None:
                return found


def _place(effect: Access) -> str:
    return f"{shared.scope_of(effect.scope)}/{effect.key}"
