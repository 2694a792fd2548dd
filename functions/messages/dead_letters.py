"""What goes over the HTTP API about dead letters, as strictly as all else (``models``)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class DeadLetter(BaseModel):
    """An event that a subscription could not take. Times are milliseconds since the epoch."""

    id: str
    subscription: str
    function: str
    event: dict[str, Any] = Field(description="in its JSON form")
    error: dict[str, Any] = Field(description="why it could not be taken, the last time")
    attempts: int
    first: int
    last: int
    execution: str | None = Field(default=None, description="the one that failed, when it began one")


class DeadLetters(BaseModel):
    """The latest first. ``more``: how many there are beside them."""

    dead_letters: list[DeadLetter]
    more: int


class SentAgain(BaseModel):
    """Where it went to."""

    execution: str


MODELS: tuple[type[BaseModel], ...] = (DeadLetter, DeadLetters, SentAgain)
