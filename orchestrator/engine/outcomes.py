"""The facts by which a call tells what came of an attempt: its outcome, or that it is tried again later."""

from __future__ import annotations

from typing import Any

from ..errors import failures
from ..protocol.decider import Fact, Invoke
from ..protocol.entries import PARCEL
from ..protocol.media import Taken


def outcome(call: Invoke, attempt: int, started: int, now: int, result: Fact) -> Fact:
    """How the call ended, in its ``attempt`` that began at ``started``."""
    fact: Fact = {"type": call.report, "op": call.op, "name": call.name, "at": now, "ms": max(0, now - started)}
    if attempt > 1:
        fact["n"] = attempt
    if call.args:
        fact["args"] = call.args
    if call.extra:
        fact.update(call.extra)
    fact.update(result)
    return fact | _settled(call, now - started)


def ended(call: Invoke, attempt: int, started: int, now: int, pause: float | None, error: BaseException) -> Fact:
    """The fact of a failed attempt: the outcome, or a durable retry after ``pause`` seconds."""
    failed = told(error)
    if (billed := getattr(call.call, "billed", None)) is not None and "billed" not in failed.get("data", {}):
        failed["data"] = {**failed.get("data", {}), "billed": billed}
    if pause is None:
        return outcome(call, attempt, started, now, {"error": failed})
    fact: Fact = {"type": "retrying", "op": call.op, "name": call.name, "at": now, "n": attempt}
    fact["until"] = now + int(pause * 1000) + 1
    return fact | _settled(call, now - started) | beside(call) | {"error": failed}


def _settled(call: Invoke, took: int) -> Fact:
    """What it has used of accounts that executions share, its time included."""
    settled = getattr(call.call, "settled", None)
    return {"settled": settled | ({"time": took} if took > 0 else {})} if settled else {}


def result(value: Any) -> Fact:
    """A value as a fact has it. Bytes go along, and lie beside the journal."""
    if not isinstance(value, Taken):
        return {"value": value}
    return {"value": value.value, "media": True, PARCEL: value.blobs}


def beside(call: Invoke) -> Fact:
    """What each fact of a call says beside its kind: what it was called with, and its mark."""
    fact: Fact = {"args": call.args} if call.args else {}
    return fact if call.away is None else fact | {"mark": call.away.mark}


def told(error: BaseException) -> Fact:
    """The error as the journal keeps it, also when the error itself can't be asked."""
    try:
        return failures.encode(error)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:  # noqa: BLE001  # the edge to user code: an error may have any __str__
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        return {"kind": kind, "message": f"an error whose text can't be read ({type(broken).__name__})"}
