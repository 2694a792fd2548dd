"""Errors as problem details (RFC 9457): what happened, and in ``detail`` what to do. The outer edge is here.

``settle`` is the only place of the HTTP and CloudEvents edges that catches every error: what a function
raised must become an answer, whatever it is.

Whose an error is stands in the header ``Overwinter-Error`` (``Whose``), so that nobody takes a tool's failure for the
server's, or a refusal for the end of what was asked.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Awaitable
from enum import Enum
from http import HTTPStatus
from typing import Any, Generic, NamedTuple, TypeVar

from ...orchestrator.errors.groups import lone, text
from ...orchestrator.usercode.calling import exception_of
from ...security.redaction import redacted, redacted_all
from ...state.codec import dumps
from ...state.errors import (
    AlreadyExists,
    AlreadyFinished,
    CircuitOpen,
    Conflict,
    EtagMismatch,
    Final,
    InvalidEvent,
    InvalidInput,
    OverwinterError,
    PayloadTooLarge,
    Retryable,
    SchemaMismatch,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreLost,
    StoreMoved,
    StoreReadOnly,
    UnknownExecution,
    UnknownFunction,
)
from ...state.quantities import asked
from .answer import Answer, Headers

log = logging.getLogger("overwinter.http")
T = TypeVar("T")

CONTENT_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (UnknownFunction, 404),
    (UnknownExecution, 404),
    (AlreadyExists, 409),
    (AlreadyFinished, 409),
    (PayloadTooLarge, 413),
    (InvalidInput, 422),
    (Final, 422),
    (EtagMismatch, 409),
    (Conflict, 503),
    (StoreError, 503),
    (CircuitOpen, 503),
    (Retryable, 503),
    (TimeoutError, 504),
)
_PLACE = re.compile(r"[a-z][a-z0-9+.-]*://[^\s,;'\"()]*|(?<![\w.:])/(?:[^\s,;:'\"()]+)")
_RETRY_AFTER: dict[type[Exception], int] = {
    StoreFull: 30,
    StoreReadOnly: 30,
    StoreLost: 30,
    StoreMoved: 30,
    StoreCorrupt: 30,
    SchemaMismatch: 30,
}


class Whose(Enum):
    """Whose error an answer tells of."""

    REFUSED = "refused"  # the request's, or that of a server which can't take it now: nothing was taken
    PARTLY = "partly"  # of a batch, some events were taken
    FAULT = "fault"  # the server's own: how far it came is not known
    OUTCOME = "outcome"  # the function ran, or the execution ended, and this is what came of it

    @property
    def header(self) -> tuple[str, str]:
        return "overwinter-error", self.value


class Raised(Exception):
    """What a function that was called by itself raised: ``error`` is an outcome, and answered as one."""

    def __init__(self, error: Exception) -> None:
        super().__init__(text(error))
        self.error = error


class Refused(InvalidInput):
    """The request is refused with a status of HTTP's own; ``headers`` go with the answer, ``members`` into its
    problem document."""

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = tuple(headers)
        self.whose = Whose.REFUSED if status < 500 or status in (501, 503) else Whose.FAULT
        self.members: dict[str, Any] = {}


class Settled(NamedTuple, Generic[T]):
    """How an awaitable ended: with a value, or with an error."""

    value: T | None
    error: Exception | None


async def settle(work: Awaitable[T]) -> Settled[T]:
    """Await ``work`` and give back its value or its error, whatever it is but what stops the task or the process."""
    try:
        return Settled(await work, None)
    except BaseException as error:  # noqa: BLE001  # the outer edge, see above
        return Settled(None, exception_of(error))


async def answered(work: Awaitable[Answer]) -> Answer:
    """The answer that ``work`` gives, or the problem that it ran into."""
    settled = await settle(work)
    if settled.error is not None or settled.value is None:
        return problem(settled.error or TypeError("no answer was made"))
    return settled.value


def status_of(error: BaseException) -> int:
    """The HTTP status that says what the sender should do: 4xx change it, 503 try again, 500 our fault."""
    error = lone(error.error if isinstance(error, Raised) else error)
    if isinstance(error, (InvalidEvent, Refused)):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(error: BaseException) -> Answer:
    """The answer to a request that ran into ``error``."""
    status, whose = status_of(error), whose_is(error)
    whole = error
    error = lone(error.error if isinstance(error, Raised) else error)
    members: dict[str, Any] = {}
    headers: list[tuple[str, str]] = [whose.header]
    if isinstance(error, Refused):
        headers.extend(error.headers)
        members |= error.members
        kind = HTTPStatus(status).name.lower().replace("_", "-")
    else:
        kind = kind_of(error)
    if isinstance(error, InvalidEvent) and error.attribute:
        members["attribute"] = error.attribute
    if status == 503 and not any(name == "retry-after" for name, _ in headers):
        headers.append(("retry-after", str(_wait(error))))
    detail = text(error) or type(error).__doc__ or kind
    if isinstance(error, StoreError):
        detail = without_place(detail)
    if status == 500:
        log.error("the request failed", exc_info=whole)
        if not isinstance(error, OverwinterError):
            detail = f"{type(error).__name__}: {detail}; the server's log has the traceback"
    return document(status, kind, detail, members, headers)


def whose_is(error: BaseException) -> Whose:
    """Whose an error is that came of a request."""
    if isinstance(error, Raised):
        return Whose.OUTCOME
    error = lone(error)
    if isinstance(error, Refused):
        return error.whose
    return Whose.REFUSED if status_of(error) < 500 or status_of(error) == 503 else Whose.FAULT


def without_place(text: str) -> str:
    """The text without where the store lies, which is for the log."""
    return _PLACE.sub("the store", text)


def document(
    status: int, kind: str, detail: str, members: dict[str, Any] | None = None, headers: Headers = ()
) -> Answer:
    """A problem document of the given kind ("unknown-execution")."""
    body: dict[str, Any] = {
        "type": f"urn:overwinter:problem:{kind}",
        "title": kind.replace("-", " ").capitalize(),
        "status": status,
        "detail": redacted(detail),
        **redacted_all(members or {}),
    }
    return Answer(status, dumps(body).encode(), (("content-type", CONTENT_TYPE), *headers))


def kind_of(error: BaseException) -> str:
    """The class name as a slug; "internal-error" for what is none of ours."""
    if isinstance(error, OverwinterError):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()
    return "timed-out" if isinstance(error, TimeoutError) else "function-failed"


def _wait(error: BaseException) -> int:
    wanted = asked(getattr(error, "retry_after", None))
    if wanted is not None:
        return max(1, math.ceil(wanted))
    return _RETRY_AFTER.get(type(error), 1) if isinstance(error, Exception) else 1
