"""What goes over the HTTP API about forks, as strictly as all else (``models``)."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, model_validator

from .models import Asked


class Fork(Asked):
    """Where a fork goes on, and with what in the place of the agent's own."""

    at: int | None = Field(default=None, ge=2, description="the number of a journal entry; all before it are kept")
    op: str = Field(default="", min_length=1, max_length=300, description="or an operation, as `t1.m2`")
    model: str = Field(default="", min_length=1, max_length=200)
    instructions: str = Field(default="", min_length=1, max_length=100_000)
    by: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if (self.at is None) == (not self.op):
            raise ValueError("say where it goes on: at, the number of an entry, or op, an operation")
        return self


class Forked(BaseModel):
    """The id of the fork."""

    id: str


MODELS: tuple[type[BaseModel], ...] = (Fork, Forked)
