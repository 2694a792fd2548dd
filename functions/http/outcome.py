"""How far an execution or a message is, as an answer: 200 with its outcome, or 202 with where to ask again.

A failed execution is a successful answer about a failed execution: 200, ``status`` "failed".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...orchestrator.errors import traces
from ...orchestrator.errors.failures import encode
from ...orchestrator.errors.groups import lone
from ...state.errors import (
    ExecutionError,
    StoreError,
    TimedOut,
    UnknownExecution,
)
from ..messages.answer import Answer, accepted, json_answer
from ..messages.outcome import result_of as result_of
from ..messages.outcome import status_of
from ..messages.problem import Whose, settle

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime


def result_url(id: str) -> str:
    """Where the outcome of an execution is found."""
    return f"/results/{quote(id, safe='/')}"


def message_url(execution: str, message: str) -> str:
    """Where the reply to a message is found."""
    return f"/messages/{quote(execution, safe='/')}?id={quote(message, safe='')}"


async def reply_to(runtime: Runtime, execution: str, message: str, wait: float) -> dict[str, Any] | None:
    """The outcome of a message; None when there is no reply after ``wait`` seconds."""
    settled = await settle(runtime.reply(execution, message, timeout=wait, typed=False))
    error = settled.error
    known: dict[str, Any] = {"id": execution, "message": message}
    if error is None:
        return {**known, "status": "completed", "result": settled.value}
    if isinstance(error, TimeoutError) and not isinstance(error, TimedOut):
        return None
    if isinstance(error, (StoreError, UnknownExecution)):
        raise error
    status = status_of(error) if isinstance(error, ExecutionError) else "failed"
    return {**known, "status": status, "error": traces.without(encode(lone(error)))}


def answer_of(outcome: dict[str, Any] | None, url: str, pending: dict[str, Any]) -> Answer:
    """200 with the outcome; without one 202 that names ``url`` as the place to ask again."""
    if outcome is not None:
        return json_answer(outcome, headers=[Whose.OUTCOME.header] if "error" in outcome else ())
    return accepted(url, {**pending, "status": "running"})
