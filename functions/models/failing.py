"""A provider's error as what the caller can do about it: ModelUnavailable when another attempt may help, Unreadable
when it may but costs, InvalidInput that says what to change when it can't.

litellm maps errors to those of OpenAI's client, and what it can't read to whatever comes to hand: an outage, a bad
request. So what happened is looked for in what the error was raised from: an HTTP status, a network, or a text that
is no answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

from ...orchestrator.errors.attributes import attempted, cut
from ...orchestrator.errors.groups import lone
from ...orchestrator.errors.statuses import status_of
from ...orchestrator.usercode.resilience import retry_after, wait_of
from ...state.codec import loads
from ...state.errors import InvalidInput, Retryable
from .port import Answer

_READ, _TOLD = 16 * 1024, 600
"""Characters of a provider's error that are looked at, and that are told."""
_CLUTTER = re.compile(
    r"(?i)Traceback \(most recent call last\)|\n\s*File \"|Received Model Group|Available Model Group|LiteLLM Retried"
    r"|litellm_params|litellm_debug|[\"']?messages[\"']?\s*[:=]\s*\["
    r"|\brequest(?:[ _](?:body|data|kwargs))?[\"']?\s*[:=]\s*[{\[]"
)
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][\w.~@+-]+){2,}\.(?:py|pyc|so|json)\b(?::\d+)?")
_PASSING = {408, 409, 425, 429}
_UNFIT = (LookupError, TypeError, AttributeError, ValueError)
"""What code raises that finds another form than it expects."""
_CHAIN = 20
_TRANSPORT = "TransportError"
"""The root of what httpx, or whatever a client has in its place, raises when nothing was answered."""


class ModelUnavailable(Retryable):
    """The provider is overloaded, rate-limited, broken or out of reach. ``status`` is its HTTP status."""

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status


class Unreadable(ModelUnavailable):
    """The provider answered, and its answer can't be read. It may have been paid for, and the next may be no better:
    the third attempt is the last, unless ``Retry(retry=…)`` names this class."""

    attempts = 3


def translated(model: str, library: Any, error: Exception) -> Exception:
    """What to raise for litellm's ``error``."""
    status = getattr(error, "status_code", None)
    told = f"{model}: {said(error)}"
    known = library.exceptions
    found = _unread(error)
    if found is not None:
        return found(f"{told}. What the provider sent could not be read as an answer", status=status)
    if isinstance(error, known.ContextWindowExceededError):
        return InvalidInput(
            f"{told}. The conversation is too long for this model; make the message or the agent's history shorter"
        )
    if isinstance(error, known.AuthenticationError) or status in (401, 403):
        return InvalidInput(f"{told}. Check the provider's API key in the environment, such as OPENAI_API_KEY")
    if isinstance(error, known.NotFoundError):
        return InvalidInput(f"{told}. Check the model's name, written as provider/model")
    if status == 429 and "insufficient_quota" in _code(error):
        return InvalidInput(f"{told}. The account has no quota left; add credit or choose another model")
    if status is None or status < 400 or status in _PASSING or status >= 500:
        return ModelUnavailable(told, retry_after=_wait(error), status=status)
    return InvalidInput(f"{told}. The provider refuses the request; correct the model's name or the settings")


def malformed(error: Exception, model: str) -> Answer | None:
    """The answer in which the model wrote what its provider could make no call of; None for every other error. Some
    providers say so as a refusal of the request (``failed_generation``), though the request was right."""
    for body in _bodies(error):
        written = body.get("failed_generation")
        if isinstance(written, str) or body.get("code") == "tool_use_failed":
            text = written if isinstance(written, str) else ""
            return Answer(text=text, finish="malformed", model=model, cost="0")  # nothing is charged for a refusal
    return None


def said(error: Exception) -> str:
    """What the provider said: without the traceback, the file paths and the dump of the request that litellm adds, and
    without the key that some providers repeat."""
    one = lone(error)
    text = cut(str(one), _READ)
    clutter = _CLUTTER.search(text)
    text = " ".join(_PATH.sub("…", text[: clutter.start()] if clutter else text).split())
    return (text[:_TOLD] + "…" if len(text) > _TOLD else text).rstrip(" .:-") or type(one).__name__


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


def _bodies(error: Exception) -> Iterator[Mapping[str, Any]]:
    """The ``error`` objects of the JSON that the provider answered with."""
    for cause in _chain(error):
        body = attempted(partial(_json, cause))  # nothing when it is no JSON, or was never read
        found = cast("dict[str, Any]", body).get("error") if isinstance(body, dict) else None
        if isinstance(found, dict):
            yield cast("dict[str, Any]", found)


def _json(error: BaseException) -> object:
    response: Any = getattr(error, "response", None)
    return loads(response.text)


def _code(error: Exception) -> str:
    body: Any = getattr(error, "body", None)
    return f"{getattr(error, 'code', '')} {body or ''} {error}"


def _wait(error: Exception) -> float | None:
    """Retry-After: litellm keeps the provider's headers beside the response, not in it."""
    headers: Any = getattr(error, "litellm_response_headers", None)
    return retry_after(error) if headers is None else wait_of(headers)
