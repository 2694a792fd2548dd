"""What AWS and the network report, as errors of the store: what happened and what to do.

Three kinds: ``passing`` failures are tried again for a while, a condition that does not hold is ``Unmet`` (no error
but an answer), and everything else is translated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from botocore import exceptions as aws  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

from ..errors import OverwinterError, PayloadTooLarge, StoreCorrupt, StoreError, StoreLost, StoreUnavailable
from .place import Place

POLICY = "docs/dynamodb.md lists the permissions that are needed"
_PASSING = {
    "InternalFailure",
    "InternalServerError",
    "InternalError",
    "OperationAborted",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
}
_KEYS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "403"}
_UNKNOWN = {"UnknownOperation", "UnknownOperationException", "InvalidAction", "NotImplemented"}

ClientError: type[Exception] = aws.ClientError
AWSError: type[Exception] = aws.BotoCoreError


class Unsupported(StoreError):
    """Who answers is no AWS but does as if, and not in all."""


class Unmet(Exception):
    """A condition did not hold. ``items`` are the items as they are, by position in the transaction; None: there
    is none, or this one's condition held."""

    def __init__(self, items: Sequence[Mapping[str, Any] | None], failed: Sequence[bool]) -> None:
        super().__init__("a condition did not hold")
        self.items = items
        self.failed = failed


def response(error: BaseException) -> dict[str, Any]:
    """What the service answered; empty when the error is of the client's own."""
    return cast("dict[str, Any]", getattr(error, "response", None) or {})


def code(error: BaseException) -> str:
    """The service's name for the error; empty when no answer came."""
    return str(response(error).get("Error", {}).get("Code", ""))


def passing(error: BaseException) -> bool:
    """Whether trying the same again may help."""
    if isinstance(error, (aws.HTTPClientError, aws.ConnectionError, aws.IncompleteReadError)):
        return True
    if type(error).__name__ == "ResponseParserError":  # half an answer
        return True
    if code(error) in _PASSING:
        return True
    reasons = response(error).get("CancellationReasons", ())
    if any(reason.get("Code") in _PASSING for reason in reasons):
        return True
    return int(response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500


def unmet(error: BaseException) -> Unmet | None:
    """The answer in a failure that only says that a condition did not hold."""
    if code(error) == "ConditionalCheckFailedException":
        return Unmet([response(error).get("Item")], [True])
    reasons = response(error).get("CancellationReasons", ())
    failed = [reason.get("Code") == "ConditionalCheckFailed" for reason in reasons]
    return Unmet([reason.get("Item") for reason in reasons], failed) if any(failed) else None


def unavailable(error: BaseException, place: Place, patience: float) -> StoreUnavailable:
    """After all the trying."""
    found = code(error)
    advice = "try again later"
    if not found:
        advice = f"is the network up, and is {place.region or place.endpoint or 'the region'} right?"
    elif "Throttl" in found or "Throughput" in found or "Limit" in found:
        advice = "it is throttled: slow down, or raise the table's maximum throughput"
    return StoreUnavailable(f"{place} has not answered for {patience:g} s ({found or error}); {advice}")


def translate(error: BaseException, place: Place) -> OverwinterError:
    """The store's error for one that botocore raised and that will not pass."""
    if isinstance(error, OverwinterError):
        return error
    name, text = code(error), str(response(error).get("Error", {}).get("Message") or error)
    if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError, aws.CredentialRetrievalError)):
        return StoreError(
            f"{place}: no AWS credentials were found ({text}). Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or "
            "AWS_PROFILE, or run under a role"
        )
    if isinstance(error, (aws.NoRegionError, aws.InvalidRegionError)):
        return StoreError(f"{place}: {text} Add ?region=… to the DSN, or set AWS_REGION")
    if name in _KEYS:
        return StoreError(f"{place}: AWS refuses the credentials ({text}). Renew them; check the machine's clock")
    if name in _DENIED:
        return StoreError(f"{place}: access is denied ({text}). {POLICY}")
    if name in _UNKNOWN:
        return Unsupported(f"{place}: what answers there has no such operation ({text})")
    if name == "NoSuchBucket":
        return StoreError(f"{place}: there is no bucket {place.bucket}. Make it: overwinter store init")
    if name == "ResourceNotFoundException" or "not have the specified index" in text:
        return StoreLost(f"{place} does not exist, or lacks an index. Make it: overwinter store init")
    if "tem size" in text and "exceed" in text:
        return PayloadTooLarge(f"{place}: an item would be bigger than 400 KB. Store the value elsewhere")
    if "does not match the schema" in text or "The provided key element" in text:
        return StoreCorrupt(f"{place} has other keys; it belongs to another program. Choose another table")
    return StoreError(f"{place}: {name or type(error).__name__}: {text}")
