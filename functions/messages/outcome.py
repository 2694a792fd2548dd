"""What has become of an execution, as whoever ordered it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...orchestrator.errors import traces
from ...orchestrator.errors.failures import encode
from ...orchestrator.errors.groups import lone
from ...state.errors import ExecutionCancelled, ExecutionError, ExecutionStuck, ExecutionTerminated
from .problem import settle

if TYPE_CHECKING:
    from ...orchestrator.runtime import Runtime


async def result_of(runtime: Runtime, id: str, wait: float) -> dict[str, Any] | None:
    """The outcome of an execution, ``{"id", "status", "result"}`` or ``{"id", "status", "error"}``; None when it has
    not ended after ``wait`` seconds."""
    settled = await settle(runtime.result(id, timeout=wait, typed=False))
    error = settled.error
    if error is None:
        return {"id": id, "status": "completed", "result": settled.value}
    if isinstance(error, ExecutionError):
        cause = error.cause if isinstance(error.cause, Exception) else error
        return {"id": id, "status": status_of(error), "error": traces.without(encode(lone(cause)))}
    if isinstance(error, TimeoutError):
        return None
    raise error


def status_of(error: ExecutionError) -> str:
    """The status of the execution that ended with it."""
    if isinstance(error, ExecutionCancelled):
        return "cancelled"
    if isinstance(error, ExecutionTerminated):
        return "terminated"
    return "stuck" if isinstance(error, ExecutionStuck) else "failed"
