"""What a provider said in place of an answer, as what the caller can do about it: a class under ModelError.

Providers agree on little. The HTTP status comes first where it is plain (401, 402), then the words that programs are
meant to read (``code``, ``type``, ``status``, ``reason``), then the sentence for people. Only what the provider said is
looked at, never what it was asked. Whichever adapter asked, the same words give the same error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from ...orchestrator.errors.attributes import cut
from ...orchestrator.errors.groups import lone
from ...state.errors import (
    ContentRefused,
    ContextTooLong,
    KeyRefused,
    ModelError,
    ModelUnavailable,
    QuotaUsedUp,
    RateLimited,
    RequestRefused,
    UnknownModel,
    Unreadable,
)
from ...state.quantities import asked
from .counting import cost_in, split
from .port import Answer

__all__ = ["ModelUnavailable", "Unreadable"]  # where journals of older releases say that these lie

_READ, _TOLD = 16 * 1024, 600
"""Characters of a provider's error that are looked at, and that are told."""
_CLUTTER = re.compile(
    r"(?i)Traceback \(most recent call last\)|\n\s*File \"|Received Model Group|Available Model Group|LiteLLM Retried"
    r"|litellm_params|litellm_debug|[\"']?messages[\"']?\s*[:=]\s*\["
    r"|\brequest(?:[ _](?:body|data|kwargs))?[\"']?\s*[:=]\s*[{\[]"
)
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][\w.~@+-]+){2,}\.(?:py|pyc|so|json)\b(?::\d+)?")
_PASSING = {408, 409, 425, 498}
"""Refusals that pass by themselves; 498 is what Groq says when it has no room."""
_DEPTH = 6
_WORDS = frozenset({"code", "type", "status", "reason", "error_type"})
"""Fields of an error in which providers say something to programs."""

_ADVICE: dict[type[ModelError], str] = {
    ContextTooLong: "The conversation is too long for this model; make the message or the agent's history shorter",
    ContentRefused: "The provider's policy forbids this; change what is asked, or choose another model",
    KeyRefused: "Check the provider's API key in the environment, such as OPENAI_API_KEY, and what it may be used for",
    UnknownModel: "Check the model's name, written as provider/model, and the server's address if one is set",
    QuotaUsedUp: "The account has no quota left; add credit or choose another model",
    RequestRefused: "The provider refuses the request; correct the model's name or the settings",
    RateLimited: "It was asked too often; ask less at a time, or have the account's limit raised",
    Unreadable: "What the provider sent could not be read as an answer",
}

_CODES: dict[str, type[ModelError]] = {
    "context_length_exceeded": ContextTooLong,
    "exceed_context_size_error": ContextTooLong,
    "model_context_window_exceeded": ContextTooLong,
    "request_too_large": ContextTooLong,
    "string_above_max_length": ContextTooLong,
    "content_filter": ContentRefused,
    "content_policy_violation": ContentRefused,
    "data_inspection_failed": ContentRefused,
    "invalid_prompt": ContentRefused,
    "responsibleaipolicyviolation": ContentRefused,
    "billing_error": QuotaUsedUp,
    "billing_hard_limit_reached": QuotaUsedUp,
    "billing_not_active": QuotaUsedUp,
    "exceeded_current_quota_error": QuotaUsedUp,
    "insufficient_balance": QuotaUsedUp,
    "insufficient_credits": QuotaUsedUp,
    "insufficient_quota": QuotaUsedUp,
    "deploymentnotfound": UnknownModel,
    "invalid_model": UnknownModel,
    "model_decommissioned": UnknownModel,
    "model_not_available": UnknownModel,
    "model_not_found": UnknownModel,
    "api_key_invalid": KeyRefused,
    "authentication_error": KeyRefused,
    "invalid_api_key": KeyRefused,
    "permission_error": KeyRefused,
}
_NEVER_FITS = re.compile(r"(?i)request too large|reduce your message size|must be reduced in order to run")
"""A rate limit that no waiting lifts: the request alone is above it."""
_SAID: tuple[tuple[type[ModelError], re.Pattern[str]], ...] = (
    (
        ContextTooLong,
        re.compile(
            r"(?is)(?:maximum|exceed|over|too |only|fit|larger).{0,80}context[ _-]?(?:length|window|size|limit)"
            r"|context[ _-]?(?:length|window|size|limit).{0,80}(?:exceed|overflow|too |maximum|only)"
            r"|prompt is too long|input is too long|input tokens? .{0,60}exceed|too many (?:input |prompt )?tokens"
            r"|input token count .{0,60}exceeds|request too large|reduce the length|reduce your message size"
        ),
    ),
    (
        QuotaUsedUp,
        re.compile(
            r"(?i)credit balance is too low|insufficient (?:balance|credits?|funds|quota)|out of credits|more credits"
            r"|(?:no|used all available) credits|spending limit"
        ),
    ),
    (
        ContentRefused,
        re.compile(
            r"(?i)content[ _](?:management )?(?:policy|filter)|\bmoderation\b|\bflagged\b"
            r"|violat\w+ .{0,60}(?:policy|policies|guidelines)|content exists risk"
        ),
    ),
    (
        KeyRefused,
        re.compile(
            r"(?i)(?:incorrect|invalid|missing|no|expired|wrong)(?: \w+){0,2} api[ _-]?key"
            r"|api[ _-]?key(?: provided)?(?: is)? (?:not valid|invalid|not found|expired|missing)"
        ),
    ),
    (
        UnknownModel,
        re.compile(
            r"(?i)\bmodels?\b.{0,120}(?:(?:does )?not exist|not found|not available|decommissioned|deprecated)"
            r"|not a valid model|(?:invalid|unknown|no such) model\b|no endpoints found|provider not provided"
        ),
    ),
)


class Told(NamedTuple):
    """What a provider answered with: its status, and the JSON of the answer (or None). ``text`` is for people."""

    text: str
    status: int | None = None
    body: object = None
    wait: float | None = None  # seconds, of the headers


def failure(model: str, told: Told, otherwise: type[ModelError] | None = None) -> ModelError:
    """The error of a provider that answered with a status, or with nothing at all. ``otherwise`` is what it is when
    what was said tells no more than that the request was refused."""
    kind = _kind(told)
    return made(otherwise if otherwise is not None and kind is RequestRefused else kind, model, told)


def made(kind: type[ModelError], model: str, told: Told) -> ModelError:
    """An error of that class, which says who it is about and what to do."""
    advice = _ADVICE.get(kind, "")
    error = kind(f"{model}: {told.text}{f'. {advice}' if advice else ''}", model=model, status=told.status)
    if (billed := _billed(told.body)) is not None:
        error.billed = billed
    if isinstance(error, ModelUnavailable):
        error.retry_after = told.wait if told.wait is not None else _delay(told.body)
    return error


def malformed(body: object, model: str) -> Answer | None:
    """The answer in which the model wrote what its provider could make no call of; None for every other error. Some
    providers say so as a refusal of the request (``failed_generation``), though the request was right."""
    for error in errors_in(body):
        written = error.get("failed_generation")
        if isinstance(written, str) or error.get("code") == "tool_use_failed":
            text = written if isinstance(written, str) else ""
            return Answer(text=text, finish="malformed", model=model, cost="0")  # nothing is charged for a refusal
    return None


def said(text: str, otherwise: str = "") -> str:
    """What a provider said: without the traceback, the file paths and the dump of the request that libraries add, and
    without the key that some providers repeat."""
    text = cut(text, _READ)
    clutter = _CLUTTER.search(text)
    text = " ".join(_PATH.sub("…", text[: clutter.start()] if clutter else text).split())
    return (text[:_TOLD] + "…" if len(text) > _TOLD else text).rstrip(" .:-") or otherwise


def text_of(error: BaseException) -> str:
    """What an error of a client says; of a group of one, what its member does."""
    one = lone(error)
    return said(str(one), type(one).__name__)


def sentence(body: object) -> str:
    """The provider's sentence for people in the JSON of an error; "" when there is none."""
    for error in errors_in(body):
        for name in ("message", "detail", "error"):
            found = error.get(name)
            if isinstance(found, str) and found.strip():
                return found
    return ""


def errors_in(body: object) -> Iterator[Mapping[str, Any]]:
    """The error objects of an answer's JSON: beside each other, inside a list, as a text, or the answer itself."""
    for item in cast("list[object]", body) if isinstance(body, list) else [body]:
        if not isinstance(item, dict):
            continue
        whole = cast("dict[str, Any]", item)
        inner = whole.get("error")
        if isinstance(inner, dict):
            yield cast("dict[str, Any]", inner)
        else:
            yield whole


def status_in(error: Mapping[str, Any]) -> int | None:
    """The status of an error that came with a good one, or in the middle of an answer: what it says itself, or what its
    words mean; None when they say nothing."""
    for name in ("code", "status_code", "status", "http_code"):
        code = error.get(name)
        number = int(code) if isinstance(code, str) and code.isdecimal() and len(code) == 3 else code
        if isinstance(number, int) and 400 <= number < 600:
            return number
    words = {word.lower() for word in _words(error, 0)}
    if any("rate_limit" in word for word in words):
        return 429
    return 400 if words & _CODES.keys() else None


def _kind(told: Told) -> type[ModelError]:
    status = told.status
    if status is None or status < 400:
        return ModelUnavailable
    codes = _codes(told.body)
    text = sentence(told.body) or told.text
    by_code = next((kind for code, kind in _CODES.items() if code in codes), None)
    if status == 429:
        if _NEVER_FITS.search(text):
            return ContextTooLong
        return by_code if by_code is QuotaUsedUp else RateLimited
    by_text = next((kind for kind, pattern in _SAID if pattern.search(text)), None)
    if status in _PASSING or status >= 500:
        return ContextTooLong if ContextTooLong in (by_code, by_text) else ModelUnavailable
    if by_code is KeyRefused and by_text is not None:
        by_code = None  # a word for whatever is not allowed
    plain = {401: KeyRefused, 402: QuotaUsedUp, 413: ContextTooLong}.get(status)
    usual = {403: KeyRefused, 404: UnknownModel}.get(status)
    return plain or by_code or by_text or usual or RequestRefused


def _billed(body: object) -> dict[str, Any] | None:
    """What the provider counted all the same."""
    if not isinstance(body, dict):
        return None
    whole = cast("dict[str, Any]", body)
    used = split(whole.get("usage"))
    return {"usage": used.record(), "cost": cost_in(whole)} if used.total else None


def _codes(body: object) -> set[str]:
    return {word.lower() for error in errors_in(body) for word in _words(error, 0)}


def _words(value: object, depth: int) -> Iterator[str]:
    if depth >= _DEPTH:
        return
    if isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            if isinstance(item, str):
                if name in _WORDS:
                    yield item
            else:
                yield from _words(item, depth + 1)
    elif isinstance(value, list):
        for item in cast("Sequence[object]", value):
            yield from _words(item, depth + 1)


def _delay(body: object) -> float | None:
    """Seconds that Google asks to wait, which it writes into the body (``RetryInfo``)."""
    for error in errors_in(body):
        details: object = error.get("details")
        for detail in cast("list[object]", details) if isinstance(details, list) else ():
            wanted: object = cast("dict[str, Any]", detail).get("retryDelay") if isinstance(detail, dict) else None
            if isinstance(wanted, str):
                return asked(wanted.removesuffix("s"))
    return None
