"""What is told of processes and models. Times are milliseconds since the epoch."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Process(BaseModel):
    """A process that lives, and how many executions it holds."""

    owner: str
    leases: int
    here: bool = Field(description="it is the one that answers")


class Due(BaseModel):
    """What waits to be taken. ``lag``: for how many ms the first has; ``more``: than are counted; ``next``: the
    earliest wake time of what nobody holds."""

    count: int
    more: bool
    lag: int
    next: int | None


class StoreTold(BaseModel):
    """The store: its kind, its address without secrets, and its numbers where it has any."""

    kind: str
    address: str
    numbers: dict[str, Any]


class Processes(BaseModel):
    """Who works on the store, as this process sees it; ``engine`` are its own numbers."""

    now: int
    processes: list[Process]
    due: Due
    store: StoreTold
    engine: dict[str, Any]


class ModelTold(BaseModel):
    """How a model has answered since this process began. ``p50`` and ``p95`` are ms of the last thousand calls."""

    model: str
    calls: int
    failures: int
    retries: int
    p50: int | None
    p95: int | None
    tokens: int
    cost: str = Field(description="in dollars, as decimal text")
    unpriced: int = Field(description="answers of which nobody knows the price")


class Models(BaseModel):
    """The models that executions of this process have asked, the most asked first."""

    models: list[ModelTold]


MODELS = (Processes, Models)
