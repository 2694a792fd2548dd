"""What goes over the HTTP API about the audit."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class Act(BaseModel):
    """Somebody did something: ``n`` is the number of its entry in the chain ``chain``, an execution's id or
    ``store:NAME``."""

    at: int
    by: str
    what: str
    on: str
    function: str
    reason: str
    details: dict[str, Any]
    chain: str
    n: int
    link: str


class Acts(BaseModel):
    """A page. ``scanned`` entries were looked at; ``cursor`` is where the next page begins, null on the last."""

    acts: list[Act]
    scanned: int
    cursor: str | None


class Unproven(BaseModel):
    """What does not hold, and at which entry."""

    chain: str
    n: int
    what: str


class Proof(BaseModel):
    """Whether a journal is what was written. ``begins`` is its first entry with a link (0: it has none), ``link`` that
    of its last. ``unkeyed``: how many entries were not linked with the key of the audit (0: there is none);
    ``unchecked``: how many were with one that is not here, by the beginning of its id."""

    id: str
    holds: bool
    entries: int
    begins: int
    link: str
    unkeyed: int
    unchecked: dict[str, int]
    findings: list[Unproven]


MODELS: tuple[type[BaseModel], ...] = (Act, Acts, Unproven, Proof)
