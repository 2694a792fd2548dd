"""The rows of a state machine's execution: one for each state that was entered, what runs within it below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..machine.history.states import Attempt as Tried
from ..machine.history.states import Flow, Visit
from .bar import Bar, line_of
from .fold import Fold
from .plain import bar_of
from .row import DONE, DROPPED, FAILED, OPEN, Attempt, Row
from .tree import path_of

_STATUS = {"completed": DONE, "caught": FAILED, "failed": FAILED, "aborted": DROPPED}
_WAITING = frozenset({"time", "retry", "approval", "token"})
_OWN = frozenset({
    "event", "cancel", "paused", "resumed", "retry", "stuck", "damaged",
    "completed", "failed", "cancelled", "terminated",
})  # fmt: skip
"""Kinds of entries that are of no state."""


def staged(fold: Fold, flow: Flow) -> list[Bar]:
    """The states, and what else the journal tells: approvals of calls, and how the execution was steered."""
    rows: dict[tuple[str, ...], list[Row]] = {}
    beside: list[Bar] = []
    for row in fold.rows():
        if row.op and row.kind not in ("timer", "observed"):
            rows.setdefault(path_of(row.op), []).append(row)
        if row.kind == "approval" or row.kind in _OWN:
            beside.append(bar_of(row))
    return [*_flow(flow, "", rows), *beside]


def _flow(flow: Flow, prefix: str, rows: Mapping[tuple[str, ...], Sequence[Row]]) -> Iterator[Bar]:
    for number, visit in enumerate(flow.visits, 1):
        op = f"{prefix}{number}"
        yield _state(visit, op, rows.get(path_of(op), ()))
        for inner in visit.flows.values():
            if inner.visits:
                yield _part(inner, f"{op}.{inner.index}", visit.kind)
                yield from _flow(inner, f"{op}.{inner.index}.", rows)


def _state(visit: Visit, op: str, rows: Sequence[Row]) -> Bar:
    bar = Bar(op, visit.kind.lower(), visit.name, visit.entered, visit.left, _STATUS.get(visit.status, OPEN))
    waits = visit.waits
    bar.wait = visit.kind == "Wait" or visit.resource.endswith(".waitForTaskToken")
    if waits is not None and not visit.over:
        bar.wait, bar.until = bar.wait or waits.what in _WAITING, waits.until
        bar.child = waits.name if waits.what == "execution" else ""
    bar.tried = max(len(visit.attempts), 1)
    bar.attempts = [_attempt(number, one) for number, one in enumerate(visit.attempts, 1)] if bar.tried > 1 else ()
    if visit.error is not None:
        bar.error = ": ".join(filter(None, (visit.error, visit.cause or "")))[:500]
    for row in rows:
        bar.entry = max(bar.entry, row.number)
        bar.line = line_of(row.error) or bar.line
        if row.kind == "child":
            bar.child = str(row.facts.get("id") or bar.child)
    return bar


def _attempt(number: int, one: Tried) -> Attempt:
    said = None if one.error is None else {"kind": "", "message": ": ".join(filter(None, (one.error, one.cause)))}
    return Attempt(number, one.began, one.ended, said)


def _part(flow: Flow, op: str, kind: str) -> Bar:
    """An item of a Map, a branch of a Parallel."""
    ends = [visit.left for visit in flow.visits]
    end = None if None in ends or flow.status == "running" else max(left for left in ends if left is not None)
    status = _STATUS.get(flow.status, OPEN) if end is not None else OPEN
    name = f"[{flow.index}]" if kind == "Map" else str(flow.index)
    return Bar(op, "item" if kind == "Map" else "branch", name, flow.visits[0].entered, end, status)
