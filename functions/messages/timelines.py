"""What goes over the HTTP API about the timeline of an execution. Times are milliseconds since the epoch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class TimelineAttempt(BaseModel):
    """One time that a call was made."""

    n: int
    begin: int | None = Field(description="null: not recorded")
    end: int | None
    error: str


class TimelineRow(BaseModel):
    """One thing that ran, waited or was told of."""

    op: str
    kind: str
    name: str
    begin: int
    end: int | None = Field(description="null: it is open still")
    status: Literal["open", "done", "failed", "dropped", "in-doubt", "info"]
    depth: int
    parent: str = Field(description="op of the row that it lies below")
    branch: str
    tried: int = Field(description="how often, as far as is known")
    attempts: list[TimelineAttempt] = Field(description="of what was tried more than once, those that are recorded")
    wait: bool = Field(description="it waits for time or for somebody")
    until: int | None = Field(description="when the waiting, or the pause before the next attempt, is over")
    child: str = Field(description="id of the execution that it began")
    line: str = Field(description="of the code that an error came from, file:line")
    code: str = Field(description="which line of a workflow asked for it, file:line, when lines are asked for")
    tokens: int
    cost: float | None
    entry: int = Field(description="number of the journal entry that told of it last; 0: none")
    error: str
    guessed: bool = Field(description="the journal does not say when it began")


class TimelineFold(BaseModel):
    """A stretch of more than ten seconds in which nothing ran."""

    begin: int
    end: int
    why: str


class Timeline(BaseModel):
    """What ran when, rows in order, at most 4 MB of them, but one at the least. ``next`` is the ``after`` to read on
    with; null at the end. ``first`` is the first journal entry that was read, ``grew`` [time, tokens, cost] so far."""

    id: str
    function: str
    kind: str
    status: str
    first: int
    from_: int = Field(alias="from")
    to: int
    now: int
    count: int
    rows: list[TimelineRow]
    next: int | None
    folds: list[TimelineFold]
    grew: list[list[float]]
    lines: str | None = Field(description="why no more code lines are known; empty: that is all, null: nobody asked")


MODELS: tuple[type[BaseModel], ...] = (Timeline,)
