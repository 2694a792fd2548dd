"""Variables: what ``Assign`` may store, and who sees it.

A machine, each branch of a Parallel and each iteration of a Map has variables of its own and sees those around it;
it may not assign one that an outer scope has. All values of an ``Assign`` are computed from the state before it (its
template is rendered once), then stored together, or none is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .failure import DATA_LIMIT, RUNTIME, QueryError
from .numbers import json_text

NAME = 80
"""Most characters of a variable's name."""
RESERVED = ("states",)


class Quotas(NamedTuple):
    """Bytes of JSON; None: no limit. ``AWS`` is what Step Functions allows."""

    one: int | None = None
    assigned: int | None = None
    total: int | None = None


AWS = Quotas(one=256 * 1024, assigned=256 * 1024, total=10 * 1024 * 1024)


def name_problem(name: str) -> str | None:
    """Why a name can't be a variable's; None when it can. For what is checked before it runs and while it runs."""
    if len(name) > NAME:
        return f"it has {len(name)} characters, at most {NAME} are allowed"
    if name in RESERVED:
        return "it is reserved"
    if not name.isidentifier() or name.startswith("_"):
        return "it has to begin with a letter, followed by letters, digits and underscores"
    return None


def size(value: Any) -> int:
    return len(json_text(value).encode("utf-8", "surrogatepass"))


def assigned(
    own: Mapping[str, Any], outer: Mapping[str, Any], values: Mapping[str, Any], quotas: Quotas | None = None
) -> dict[str, Any]:
    """The scope's own variables after an Assign; ``own`` is left as it is. Raises QueryError, and then nothing is
    stored: for a name that is none or that an outer scope has (States.Runtime), for too many bytes
    (States.DataLimitExceeded)."""
    for name in values:
        if problem := name_problem(name):
            raise QueryError(RUNTIME, f"'{name}' can't be the name of a variable: {problem}.")
        if name in outer:
            raise QueryError(
                RUNTIME, f"The variable '{name}' is assigned in an outer scope and can't be assigned here."
            )
    after = {**own, **values}
    if quotas is not None:
        _check(values, quotas)
        if quotas.total is not None:
            total = sum(map(size, after.values())) + sum(map(size, outer.values()))
            _within("All variables together", total, quotas.total)
    return after


def _check(values: Mapping[str, Any], quotas: Quotas) -> None:
    sizes = {name: size(value) for name, value in values.items()}
    if quotas.one is not None:
        for name, bytes_ in sizes.items():
            _within(f"The variable '{name}'", bytes_, quotas.one)
    if quotas.assigned is not None:
        _within("What one Assign stores", sum(sizes.values()), quotas.assigned)


def _within(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise QueryError(DATA_LIMIT, f"{what} would have {count:,} bytes, at most {limit:,} are allowed.")


def visible(outer: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What an expression in a scope sees."""
    return {**outer, **own}
