"""What goes over the HTTP API about budgets, as strictly as all else (``models``)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from .models import Asked, Reason

Amounts = dict[str, int | str]
Window = Literal["hour", "day", "month", ""]


class Bounds(Asked):
    """At most that much in one window: units with their bounds, the cost as decimal text."""

    most: dict[str, int | float | str] = Field(max_length=20, description='{"tokens": 100000, "cost": "5.00"}')
    zone: str = Field(default="UTC", max_length=200, description="Europe/Berlin")
    warn: float | None = Field(default=None, gt=0, le=1, description="the share at which it is said")


class Limits(Asked):
    """All limits of an account, by window: ``hour``, ``day``, ``month`` or "" (for ever)."""

    limits: dict[Window, Bounds] = Field(max_length=4)
    by: str = Field(default="", max_length=200)


class More(Reason):
    """So much more in the window of now, of all limits on these units unless ``window`` says which."""

    most: dict[str, int | float | str] = Field(min_length=1, max_length=20, description='{"cost": "10"}')
    window: Window | None = None


class Raised(BaseModel):
    """The windows that were raised."""

    windows: list[str]


class Limited(BaseModel):
    """A limit as it stands."""

    most: Amounts
    zone: str
    warn: float | None = None


class Used(BaseModel):
    """What is used in one window of now: ``spent`` is settled, ``open`` drawn by processes; it counts as spent.
    ``most`` has what it was raised by."""

    window: str
    key: str
    ends: int | None
    spent: Amounts
    open: Amounts
    most: Amounts | None = None
    zone: str | None = None
    warn: float | None = None


class Freeze(BaseModel):
    """Who has frozen it, why and when."""

    by: str
    reason: str
    at: int


class Drawn(BaseModel):
    """What a process has drawn and not settled."""

    id: str
    amount: Amounts
    owner: str
    at: int
    until: int


class Budget(BaseModel):
    """An account as it stands, with its last changes; ``past``, when it is asked for, are windows that are over."""

    account: str
    frozen: Freeze | None
    limits: dict[str, Limited]
    windows: list[Used]
    slices: list[Drawn]
    changes: list[dict[str, Any]]
    past: dict[str, Amounts] | None = None


class Budgets(BaseModel):
    """A page of accounts that have limits or have used something, by name. ``next`` is what ``after`` is for the next
    one, null on the last."""

    budgets: list[Budget]
    next: str | None


class Spent(BaseModel):
    """What one agent, user, tenant, model or day has taken."""

    of: str
    tokens: int
    cost: str
    answers: int
    unpriced: int


class Spending(BaseModel):
    """A page, the dearest first: what ``scanned`` executions and entries say. ``cursor`` is where the next page begins,
    null on the last; what was spent is the sum of all."""

    spending: list[Spent]
    scanned: int
    cursor: str | None


MODELS: tuple[type[BaseModel], ...] = (
    *(Bounds, Limits, More, Raised, Limited, Used, Freeze, Drawn, Budget, Budgets, Spent, Spending),
)
