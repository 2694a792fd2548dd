"""What goes over the HTTP API about schedules, as strictly as all else (``models``)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from .models import Asked, Reason

Duration = str | int | float


class ScheduleTimes(Asked):
    """What may be said of a schedule: one of ``cron``, ``every`` and ``at``, and how its runs are made."""

    cron: str | None = Field(default=None, max_length=1000, description="0 7 * * MON-FRI")
    every: Duration | None = Field(default=None, description="15m, or seconds")
    at: str | None = Field(default=None, max_length=100, description="2026-12-24T18:00+01:00")
    zone: str | None = Field(default=None, max_length=200, description="Europe/Berlin")
    input: Any = Field(default=None, description="what each run is given")
    overlap: Literal["skip", "queue", "cancel", "allow"] | None = Field(default=None, description="when runs meet")
    missed: Literal["none", "last", "all"] | None = Field(default=None, description="when nobody was awake")
    most: int | None = Field(default=None, ge=1, le=1000, description="missed ones that are made up for")
    jitter: Duration | None = None
    by: str = Field(default="", max_length=200)

    def said(self) -> dict[str, Any]:
        """What of it was said."""
        return self.model_dump(include=self.model_fields_set - {"by", "function", "name"})


class NewSchedule(ScheduleTimes):
    """A schedule to be made. Its ``name`` is the function's when it is not given."""

    function: str = Field(min_length=1, max_length=200)
    name: str | None = Field(default=None, min_length=1, max_length=100)


class RunNow(Reason):
    """A run beside the times; ``id`` makes it begin once."""

    id: str = Field(default="", min_length=1, max_length=100)


class RunAsked(BaseModel):
    """The id of the run."""

    run: str


class LastRun(BaseModel):
    """How a run ended, and when."""

    id: str
    status: str
    at: str


class Schedule(BaseModel):
    """A schedule as it stands. ``input`` is there when one is asked for."""

    name: str
    id: str
    function: str
    when: str
    status: Literal["active", "paused", "stuck", "leaving"]
    next: str | None
    running: list[str]
    waiting: int
    runs: int
    failures: int
    last: LastRun | None
    cron: str | None = None
    zone: str | None = None
    every: float | None = None
    at: str | None = None
    overlap: str
    missed: str
    most: int
    jitter: float
    input: Any = None
    note: str | None = None


class Schedules(BaseModel):
    """All of them, by name."""

    schedules: list[Schedule]


MODELS: tuple[type[BaseModel], ...] = (ScheduleTimes, NewSchedule, RunNow, RunAsked, Schedule, Schedules)
