"""litellm's errors as ours.

litellm maps errors to those of OpenAI's client, and what it can't read to whatever comes to hand: an outage, a bad
request. So what happened is looked for in what the error was raised from: an HTTP answer, a network, or a text that
is no answer. Only where nothing is found there, litellm's own class is taken at its word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

from ...orchestrator.errors.attributes import attempted
from ...orchestrator.errors.statuses import status_of
from ...orchestrator.usercode.resilience import retry_after, wait_of
from ...state.codec import loads
from ...state.errors import (
    ContentRefused,
    ContextTooLong,
    KeyRefused,
    ModelError,
    ModelUnavailable,
    QuotaUsedUp,
    UnknownModel,
    Unreadable,
)
from .failing import Told, errors_in, failure, made, malformed, status_in, text_of
from .port import Answer

_UNFIT = (LookupError, TypeError, AttributeError, ValueError)
"""What code raises that finds another form than it expects."""
_CHAIN = 20
_TRANSPORT = "TransportError"
"""The root of what httpx, or whatever a client has in its place, raises when nothing was answered."""
_CLASSES: tuple[tuple[str, type[ModelError]], ...] = (
    ("LiteLLMUnknownProvider", UnknownModel),
    ("ContextWindowExceededError", ContextTooLong),
    ("ContentPolicyViolationError", ContentRefused),
    ("PaymentRequiredError", QuotaUsedUp),
    ("AuthenticationError", KeyRefused),
    ("PermissionDeniedError", KeyRefused),
    ("NotFoundError", UnknownModel),
)
"""litellm's classes by name, since not every release has them all."""


def translated(model: str, raised: Exception, counted: Mapping[str, Any] = {}) -> ModelError:
    """What to raise for litellm's error. ``counted`` is what the provider had counted before, if anything."""
    error = _inner(raised)
    body = _body(error)
    answered = next(filter(None, (status_of(cause) for cause in _chain(error))), None) or _said(body)
    own = getattr(error, "status_code", None)
    status = answered if answered is not None and answered >= 400 else own if isinstance(own, int) else None
    if counted and not isinstance(body, list):
        body = {**cast("dict[str, Any]", body or {}), **counted}
    told = Told(text_of(error), status, body, _wait(error))
    unread = _unread(error)
    if unread is not None:
        return made(unread, model, told)
    names = {kind.__name__ for kind in type(error).__mro__}
    return failure(model, told, next((kind for name, kind in _CLASSES if name in names), None))


def written(model: str, error: Exception) -> Answer | None:
    """The answer in which the model wrote what its provider could make no call of; None for every other error."""
    return malformed(_body(_inner(error)), model)


def _inner(error: Exception) -> Exception:
    """litellm wraps what happens in the middle of a stream once more, as an outage whatever it is."""
    inner = getattr(error, "original_exception", None)
    return inner if isinstance(inner, Exception) else error


def _said(body: object) -> int | None:
    """The status that an error in the middle of an answer tells, which has none of its own."""
    return next((status for error in errors_in(body) if (status := status_in(error))), None)


def _unread(error: Exception) -> type[ModelUnavailable] | None:
    """Whether the provider answered with something that could not be read, and of which kind: a page of a gateway or
    nothing at all is an outage, everything else Unreadable."""
    chain = list(_chain(error))
    if any((status_of(cause) or 0) >= 400 for cause in chain):
        return None
    for cause in chain:
        if isinstance(cause, json.JSONDecodeError):
            return Unreadable if cause.doc.lstrip()[:1] in ("{", "[") else ModelUnavailable
    if any(isinstance(cause, OSError) or _TRANSPORT in map(_name, type(cause).__mro__) for cause in chain):
        return None
    return Unreadable if any(isinstance(cause, _UNFIT) for cause in chain) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """What litellm's error was raised from. Its own errors are left out: they bring a response that it made up."""
    found: BaseException | None = error
    for _ in range(_CHAIN):
        if found is None:
            return
        if not type(found).__module__.startswith("litellm"):
            yield found
        found = found.__cause__ or found.__context__


def _name(kind: type) -> str:
    return kind.__name__


def _body(error: Exception) -> object:
    """The JSON that the provider answered with; None when it was none, or was never read."""
    for cause in _chain(error):
        body = attempted(partial(_json, cause))
        if isinstance(body, (dict, list)):
            return body  # pyright: ignore[reportUnknownVariableType]  # JSON
    return None


def _json(error: BaseException) -> object:
    response: Any = getattr(error, "response", None)
    if response is None:  # in the middle of a stream the client tells the error alone
        told: object = getattr(error, "body", None)
        return {"error": cast("dict[str, Any]", told)} if isinstance(told, dict) else None
    return loads(response.text)


def _wait(error: Exception) -> float | None:
    """Retry-After: litellm keeps the provider's headers beside the response, not in it."""
    headers: Any = getattr(error, "litellm_response_headers", None)
    found = retry_after(error) if headers is None else wait_of(headers)
    return found if found is not None else next(filter(None, map(retry_after, _chain(error))), None)
