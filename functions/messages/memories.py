"""What goes over the HTTP API about memories."""

from __future__ import annotations

from pydantic import BaseModel


class Memory(BaseModel):
    """A memory, and whose it is: empty means nobody's in particular. ``by`` is the execution that remembered it."""

    agent: str
    tenant: str
    user: str
    id: str
    at: str
    text: str
    by: str


class Memories(BaseModel):
    """A page of them. ``next`` is what ``after`` is for the next one, null on the last."""

    memories: list[Memory]
    next: str | None


class Erased(BaseModel):
    """How many memories are gone."""

    erased: int


MODELS: tuple[type[BaseModel], ...] = (Memory, Memories, Erased)
