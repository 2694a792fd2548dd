"""``Memory``: what an agent remembers beyond one conversation, as functions and as tools.

    notes = Memory("support", embedding="openai/text-embedding-3-small")
    support = Agent("support", model=…, tools=notes.tools())

A call of an agent or a step of a workflow is recorded like any other: a replay neither searches nor writes again.
"""

from __future__ import annotations

import hashlib
import uuid
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from ...orchestrator.engine.performing import CallInfo, current_call
from ...orchestrator.protocol.clock import present
from ...orchestrator.reading import Reading
from ...state.codec import loads
from ...state.errors import InvalidInput
from ...state.records import Head
from ...state.store import Store
from ..models.choosing import choose
from ..models.embedding import embed
from ..models.port import Model
from ..models.vectors import Embedder
from .index import Indexes
from .scope import Scope
from .stored import Entry, Stored, Vector

LONGEST = 16_000
"""Characters of one memory. What is longer is a document, and belongs elsewhere."""
MOST = 50
"""Memories that one ``recall`` gives."""
_SLOTS = 100  # things that one call remembers
_DEEP = 64  # parents of an execution that are asked whose session it is


class Person(NamedTuple):
    """Whose memories a call may see; empty: nobody's in particular."""

    user: str = ""
    tenant: str = ""


Whose: TypeAlias = Literal["session", "agent"] | Callable[[CallInfo], Person | str]
"""How a call's person is told: "session", by the key of the session that it belongs to; "agent", all share what the
agent remembers; or a function of the call that gives a Person, or the name of a user."""


@dataclass(frozen=True)
class Recalled:
    """A memory that was found. ``at`` is when it was remembered; ``score`` is 1 for what is first by all that was
    asked, and says nothing across questions."""

    id: str
    text: str
    at: datetime
    score: float


class Memory:
    """Long-term memory by agent, user and tenant.

    - ``name``: that of the agent, or of what several agents share.
    - ``whose``: how a call's user is told; by default the key of its session, that of whoever began it for a child. A
      call of which that can't be told is refused, so nobody reads what another user has said.
    - ``embedding``: the model by whose vectors memories are found by their meaning, beside their words; None: by words
      alone. ``dimensions`` and ``settings`` are passed to it. Memories of another model are still found by words.
    """

    def __init__(
        self,
        name: str,
        *,
        whose: Whose = "session",
        embedding: str | Model | Embedder | None = None,
        dimensions: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if not (callable(whose) or whose in ("session", "agent")):
            raise InvalidInput(f"whose={whose!r}; it is 'session', 'agent', or a function of the call")
        self.name = Scope(name).checked().agent
        self._whose: Whose = whose
        self._embedding = embedding
        self._dimensions, self._settings = dimensions, dict(settings or {})
        self._indexes = Indexes()
        self._person: Person | None = None
        self._store: Store | None = None

    def __repr__(self) -> str:
        return f"Memory({self.name!r})"

    def of(self, user: str = "", *, tenant: str = "", store: Store | None = None) -> Memory:
        """The same memory, of this user whoever calls: ``ctx.step(notes.of("ana").remember, "likes tea")``. With a
        ``store`` (``runtime.store``) also where no durable call runs."""
        Scope(self.name, user, tenant).checked()
        other = Memory(
            self.name,
            whose=self._whose,
            embedding=self._embedding,
            dimensions=self._dimensions,
            settings=self._settings,
        )
        other._indexes, other._store = self._indexes, store or self._store
        other._person = Person(user, tenant) if user or tenant else self._person
        return other

    def tools(self) -> tuple[Callable[..., Any], ...]:
        """``remember``, ``recall`` and ``forget``, for an agent."""
        return self.remember, self.recall, self.forget

    # -- the functions -------------------------------------------------------------------------------

    async def remember(self, text: str) -> str:
        """Keep something for later conversations: a preference, a decision, a fact about whom you talk to.

        Args:
            text: one short, self-contained sentence

        Returns:
            the id under which it can be forgotten
        """
        if not text.strip() or len(text) > LONGEST:
            raise InvalidInput(
                f"a memory has 1 to {LONGEST:,} characters, not {len(text):,}; say it in a few sentences"
            )
        store, call, head = await self._calling()
        stored = Stored(store, await self._scope(store, call, head))
        at, by = await present(store), "" if call is None else call.execution
        vector = None
        for number in range(_SLOTS):
            id = uuid.uuid4().hex[:24] if call is None or head is None else _id(call, head, number)
            found = await stored.entry(id)
            if found is not None and found.text != text:
                continue  # another one of this call
            bare = found is None or await stored.vector(id) is None  # whoever wrote it may have died before that
            if self._embedding is not None and vector is None and bare:
                vector = Vector(self._model(), array("f", await self._embed(text)))
            if (await stored.write(Entry(id, text, at, by), vector)).text == text:
                return id
        raise InvalidInput(f"one call may remember {_SLOTS} things, and this one wants more; make several calls")

    async def recall(self, question: str, most: int = 5) -> list[Recalled]:
        """Look for what was remembered in earlier conversations, the most fitting first.

        Args:
            question: what you want to know, in the words in which it may have been said
            most: how many to give, at the most
        """
        if not question.strip():
            raise InvalidInput("the question is empty; say what to look for")
        if not 1 <= most <= MOST:
            raise InvalidInput(f"most={most}; from 1 to {MOST} are given")
        store, call, head = await self._calling()
        scope = await self._scope(store, call, head)
        meaning = None if self._embedding is None else await self._embed(question[:LONGEST])
        found = await self._indexes.of(store, scope, self._model()).search(
            Stored(store, scope), question, meaning, most
        )
        return [
            Recalled(entry.id, entry.text, datetime.fromtimestamp(entry.at / 1000, UTC), score)
            for entry, score in found
        ]

    async def forget(self, id: str) -> bool:
        """Forget one thing that was remembered, because it is wrong or no longer wanted.

        Args:
            id: that of the memory, as recall gave it

        Returns:
            whether there was one
        """
        store, call, head = await self._calling()
        scope = await self._scope(store, call, head)
        said_so = await self._indexes.of(store, scope, self._model()).twins(Stored(store, scope), id)
        return await Stored(store, scope).remove(said_so or [id]) > 0

    # -- whose and where -----------------------------------------------------------------------------

    async def _calling(self) -> tuple[Store, CallInfo | None, Head | None]:
        """The store, the durable call that runs and the execution it belongs to."""
        try:
            call = current_call()
        except LookupError:
            call = None
        if call is not None and call.shelf is not None:
            return call.shelf.store, call, await Reading(call.shelf.store).find(call.execution)
        if self._store is None:
            raise InvalidInput(
                f"memory {self.name!r} is asked outside of a durable call, and nobody says which store it is in; write "
                "memory.of(user, store=runtime.store)"
            )
        return self._store, None, None

    async def _scope(self, store: Store, call: CallInfo | None, head: Head | None) -> Scope:
        person = self._person
        if person is None:
            person = Person() if self._whose == "agent" else await self._told(store, call, head)
        return Scope(self.name, person.user, person.tenant).checked()

    async def _told(self, store: Store, call: CallInfo | None, head: Head | None) -> Person:
        if call is not None and callable(self._whose):
            told = self._whose(call)
            person = Person(told) if isinstance(told, str) else told
            if not isinstance(person, Person):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
                raise InvalidInput(f"memory {self.name!r}: whose= gave {told!r:.80}, and no Person or name of a user")
        else:
            person = Person(await _session(store, head))
        if not (person.user or person.tenant):
            raise InvalidInput(
                f"memory {self.name!r}: nobody says whose memories these are; call the agent in a session, whose key "
                "is the user, name one by memory.of(user), or declare Memory(…, whose='agent') to share them"
            )
        return person

    # -- the model -----------------------------------------------------------------------------------

    def _model(self) -> str:
        model = self._embedding
        if model is None:
            return ""
        named = model if isinstance(model, str) else model.name
        return named if self._dimensions is None else f"{named} {self._dimensions}"

    async def _embed(self, text: str) -> Sequence[float]:
        assert self._embedding is not None
        model = choose(self._embedding) if isinstance(self._embedding, str) else self._embedding
        made = await embed(model, text, dimensions=self._dimensions, settings=self._settings)
        return made.vectors[0]


async def _session(store: Store, head: Head | None) -> str:
    """The key of the session that an execution is, or was begun by; "" when there is none."""
    for _ in range(_DEEP):
        if head is None:
            return ""
        key = head.id.removeprefix(f"{head.function}/")
        if head.kind == "agent" and key != head.id and loads(head.state or "{}").get("mode") == "session":
            return key  # one run may have such an id too: whoever began it has chosen it, or its parent's id ends so
        head = None if not head.parent else await Reading(store).find(head.parent)
    return ""


def _id(call: CallInfo, head: Head, number: int) -> str:
    """Made of the operation and the life of its execution: the same when the call is made again, another one for an
    execution that is made anew under the same id. ``number``: of what one call remembers."""
    told = "\n".join((head.id, str(head.created), call.operation, str(number)))
    return hashlib.sha256(told.encode()).hexdigest()[:24]
