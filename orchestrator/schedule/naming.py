"""How schedules are called: their ids, the ids of their runs, and the functions that stand behind them. It is apart so
that a process which has none need not load what keeps them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ...state.errors import InvalidInput
from ...state.ids import check_id

PREFIX = "schedule/"
"""How the id of a schedule begins; its name follows."""
KIND = "schedule"
FUNCTION = "overwinter/schedule"
"""The function behind every schedule. Each process that serves anything serves it; nobody's own function has such a
name, because of the slash."""
ELSEWHERE = "elsewhere"
"""The kind of a function that another process serves from another store, where a route leads."""
_MOMENT = re.compile(r"[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(?:\.[0-9]{3})?Z")
LONGEST = 100
"""Characters that the name of a schedule may have: the ids of its runs begin with it."""


def check_name(name: str) -> str:
    """The name of a schedule. Raises InvalidInput that says what may be one."""
    check_id(name, "the name of a schedule")
    if "/" in name or len(name) > LONGEST:
        raise InvalidInput(
            f"{name[:80]!r} can't be the name of a schedule; use up to {LONGEST} characters, none of them a slash"
        )
    return name


def check_run(id: str) -> str:
    """What makes the id of a run by hand. Raises InvalidInput, also for a time: by such a name goes the run that is due
    then, and it would be taken for begun."""
    check_id(id, "the id of a run")
    if "/" in id or len(id) > LONGEST:
        raise InvalidInput(
            f"{id[:80]!r} can't be the id of a run; use up to {LONGEST} characters, none of them a slash"
        )
    if _MOMENT.fullmatch(id):
        raise InvalidInput(
            f"{id!r} is the id of the run that is due at that time; write another one, like 'again-{id}'"
        )
    return id


def moment(ms: int) -> str:
    """A time as it stands in ids: 2026-11-29T07:00:00Z."""
    whole = datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ms % 1000:03}Z" if ms % 1000 else f"{whole}Z"


def run_id(name: str, planned: int) -> str:
    """The id of the run of that time, the same for everybody."""
    return f"{name}@{moment(planned)}"
