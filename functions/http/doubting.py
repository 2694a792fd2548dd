"""Endpoints for calls in doubt: which there are, and what came of one."""

from __future__ import annotations

from ...orchestrator.usercode.reconciling import Done, GiveUp, NotDone
from ..messages.answer import Answer, accepted, json_answer
from ..messages.models import Resolution
from .controlling import refusing
from .paging import fitting
from .service import Call


async def doubts(call: Call) -> Answer:
    """GET /doubts/{id}: calls of which nobody knows whether they took effect."""
    id = call.path("id")
    call.query()
    found = await call.runtime.doubts(id)
    return json_answer({"doubts": found[: fitting(found)]})


async def resolve(call: Call) -> Answer:
    """POST /resolve/{id}: what came of such a call."""
    id = call.path("id")
    call.query()
    body = await call.model(Resolution)
    meant: dict[str, Done | NotDone | GiveUp] = {"done": Done(body.value), "not-done": NotDone(), "give-up": GiveUp()}
    resolved = call.runtime.resolve(id, body.op, meant[body.verdict], by=call.by(body.by), reason=body.reason)
    await refusing(409, resolved)
    return accepted()
