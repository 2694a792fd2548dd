"""Acts: what journals and the store's own chain hold of who did what. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...security.chain import link_of
from ...state.records import Head
from ..protocol.callers import caller_of
from ..protocol.decider import Fact

_VERBS = {
    "start": "start",
    "message": "message",
    "event": "signal",
    "deliver": "deliver",
    "delegated": "delegate",
    "revoked": "revoke",
    "callback": "complete",
    "resolved": "resolve",
    "cancel": "cancel",
    "paused": "pause",
    "resumed": "resume",
    "retry": "retry",
    "forked": "fork",
    "terminated": "terminate",
    "changed": "schedule.change",
    "run": "schedule.run",
    "withdrawn": "schedule.remove",
}
"""Entries that come of somebody's act, and what that is called."""
_DETAILS = (
    *("op", "role", "to", "digest", "standing", "under", "verdict", "name", "event", "user", "tenant", "parent"),
    *("approved", "since", "from", "model"),
)
"""Fields of an entry that say what was done. What was said (inputs, contents, values) stays in the journal."""
_OF_CHAIN = frozenset({"n", "at", "what", "on", "by", "reason", "link", "id"})


class Act(NamedTuple):
    """Somebody did something. ``on`` is an execution, an account, an agent or the store; ``n`` the number of its entry
    in the chain ``chain``: an execution's id, or ``store:NAME``."""

    at: int
    by: str
    what: str
    on: str
    function: str
    reason: str
    details: Mapping[str, Any]
    chain: str
    n: int
    link: str

    def record(self) -> dict[str, Any]:
        return self._asdict()


class Wanted(NamedTuple):
    """Which acts are meant; empty fields match all. ``what`` matches an act by its name or the beginning of it before a
    dot (``budget`` is all that is done to budgets); times are ms, ``until`` not included."""

    by: str = ""
    what: str = ""
    function: str = ""
    on: str = ""
    since: int = 0
    until: int = 0

    def fits(self, act: Act) -> bool:
        return (
            (not self.by or act.by == self.by)
            and (not self.what or act.what == self.what or act.what.startswith(f"{self.what}."))
            and (not self.function or act.function == self.function)
            and (not self.on or act.on == self.on)
            and act.at >= self.since
            and (not self.until or act.at < self.until)
        )


def of_entry(head: Head, n: int, entry: Fact, text: str) -> Act | None:
    """The act that an entry of a journal records; None when it records none."""
    kind = entry["type"]
    what = _decided(entry) if kind == "decided" else _VERBS.get(str(kind), "")
    if not what:
        return None
    if what == "start" and head.kind == "schedule":
        what = "schedule.put"
    details = {name: entry[name] for name in _DETAILS if entry.get(name) not in (None, "")}
    by = caller_of(entry).get("by") or entry.get("parent") or ""
    at, reason = entry.get("at"), entry.get("reason")
    return Act(
        at if type(at) is int else 0, str(by), what, head.id, head.function, str(reason or ""), details, head.id, n,
        link_of(text),
    )  # fmt: skip


def _decided(entry: Fact) -> str:
    if entry.get("approved") is not True:
        return "deny"
    return "edit" if "data" in entry else "approve"


def of_record(name: str, n: int, told: Mapping[str, Any], text: str) -> Act:
    """The act that a record of a store's chain holds."""
    at, function = told.get("at"), told.get("function")
    details = {key: value for key, value in told.items() if key not in _OF_CHAIN}
    return Act(
        at if type(at) is int else 0, str(told.get("by") or ""), str(told.get("what") or ""), str(told.get("on") or ""),
        str(function or ""), str(told.get("reason") or ""), details, f"store:{name}", n, link_of(text),
    )  # fmt: skip
