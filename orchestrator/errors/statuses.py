"""The HTTP status that an error carries, whichever client raised it, and whether it is the caller's fault.

No client is imported: httpx, requests and the clients built on them have a ``response`` with a ``status_code``, urllib
and aiohttp a status and ``headers`` of their own, botocore a ``response`` that is a mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...state.errors import OverwinterError
from .attributes import attempted

_STATUSES = ("status", "status_code", "http_status", "code")
_UNPARSED = "HttpProcessingError"
"""The root of what aiohttp says of an answer that is no HTTP. It calls that 400; nobody has refused anything."""
_PASSING = frozenset({408, 425, 429})
"""Refusals that pass by themselves: too slow, too early, too often."""
_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""What AWS says with status 400 and means as 429; those that botocore's own standard mode tries again."""


def status_of(error: BaseException) -> int | None:
    """The HTTP status of the answer that ``error`` is about; None when it is about none."""
    if any(_UNPARSED in (kind.__name__ for kind in type(one).__mro__) for one in (error, error.__cause__)):
        return None
    response: Any = getattr(error, "response", None)
    if (told := _mapping(response)) is not None:
        return _whole(_answered(told).get("HTTPStatusCode"))
    if response is not None:
        return _whole(getattr(response, "status_code", None)) or _whole(getattr(response, "status", None))
    if getattr(error, "headers", None) is None and getattr(error, "request_info", None) is None:
        return None
    return next(filter(None, (_whole(getattr(error, name, None)) for name in _STATUSES)), None)


def headers_of(error: BaseException) -> Any:
    """The headers of the answer that ``error`` is about, whatever they are; None for none."""
    response: Any = getattr(error, "response", None)
    if (told := _mapping(response)) is not None:
        return _answered(told).get("HTTPHeaders")
    headers: Any = getattr(response, "headers", None)
    return getattr(error, "headers", None) if headers is None else headers


def refuses(error: BaseException) -> bool:
    """Whether the other side refused what it was asked, so that asking the same again is no use."""
    status = status_of(error)
    if status is None or not 400 <= status < 500 or status in _PASSING:
        return False
    told = _mapping(getattr(error, "response", None)) or {}
    return (_mapping(told.get("Error")) or {}).get("Code") not in _THROTTLED


class _Refusing(type):
    """Makes ``isinstance`` look at the status instead of the class."""

    def __instancecheck__(cls, error: object) -> bool:
        if not isinstance(error, Exception) or isinstance(error, OverwinterError):
            return False
        return attempted(lambda: refuses(error)) is True


class ClientRefused(Exception, metaclass=_Refusing):
    """Stands among ``Retry.final`` for every error with an HTTP status from 400 to 499, but 408, 425 and 429: the
    request is wrong, and will be. No error is made of it."""


def _answered(response: Mapping[str, Any]) -> Mapping[str, Any]:
    return _mapping(response.get("ResponseMetadata")) or {}


def _mapping(value: object) -> Mapping[str, Any] | None:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None
