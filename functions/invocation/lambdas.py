"""Functions that are reached by AWS Lambda's own door, ``invoke``: no address, no token, the right to invoke is enough.

A request goes as the event that a function URL would make of it, so the same handler answers it there
(``functions.aws``). It is marked as invoked: only who has the right to invoke can put that mark there.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, cast

from ...state.errors import InvalidInput
from .aws import Clients, Rejected
from .posting import Told, Unwanted, parsed

SCHEME = "lambda"
MARK, INVOKED = "overwinter", "request"
"""The member of an event that says that it was invoked, and not made of a request that came by a URL."""
LARGEST = 6 * 1024 * 1024
"""Bytes that Lambda takes."""
_THREADS = 64
_NAME = re.compile(
    r"(arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):\d{12}:function:)?[A-Za-z0-9_-]{1,64}"
    r"(:(\$LATEST|[A-Za-z0-9_-]{1,128}))?"
)


def understood(place: str) -> str | None:
    """The region that the name of a function says, "" when it says none; None: it is no name of a function."""
    found = _NAME.fullmatch(place)
    return None if found is None else found["region"] or ""


class Lambdas:
    """Requests to functions by their names: ``shop``, ``shop:live``, or an ARN."""

    def __init__(self) -> None:
        self._clients = Clients(_THREADS, "lambda")

    async def ask(
        self,
        function: str,
        region: str,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        silence: float,
    ) -> Told:
        """What the function answers. Raises Unreached, Silent, Unwanted, InvalidInput for what can never be sent."""
        payload = json.dumps(event_of(method, path, body, headers), ensure_ascii=False).encode()
        told, failed = await self._invoked(function, region, payload, silence, "RequestResponse")
        return told if told.status != 200 else _failed(told) if failed else _answer(told)

    async def tell(self, function: str, region: str, event: bytes, silence: float) -> Told:
        """Hand over an event that needs no answer: Lambda keeps it, and invokes the function with it."""
        return (await self._invoked(function, region, event, silence, "Event"))[0]

    async def _invoked(
        self, function: str, region: str, payload: bytes, silence: float, kind: str
    ) -> tuple[Told, bool]:
        """What Lambda answers, and whether the function has failed."""
        if len(payload) > LARGEST:
            raise InvalidInput(
                f"what is sent to {function} has {len(payload):,} bytes, and Lambda takes 6 MB; keep what is large "
                "elsewhere and send where it lies"
            )

        def invoke(client: Any) -> tuple[int, bytes, bool]:
            answer: dict[str, Any] = client.invoke(FunctionName=function, InvocationType=kind, Payload=payload)
            return answer["StatusCode"], answer["Payload"].read(), bool(answer.get("FunctionError"))

        try:
            status, said, failed = await self._clients.use(SCHEME, region, silence, invoke)
        except Rejected as error:
            headers = {"retry-after": error.retry_after} if error.retry_after else {}
            detail = json.dumps({"detail": f"Lambda says {error}"}).encode()
            status = 503 if error.status == 409 else error.status  # it is just being changed
            return Told(status, error.code, headers, detail), False
        return Told(status, "", {}, said), failed


def event_of(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """A request as a function URL hands it over, with the mark. ``path`` is percent-encoded."""
    event: dict[str, Any] = {
        "version": "2.0",
        MARK: INVOKED,
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": dict(headers),
        "requestContext": {"domainName": "", "stage": "$default", "http": {"method": method, "path": path}},
        "isBase64Encoded": False,
    }
    try:
        return event | {"body": body.decode()}
    except UnicodeDecodeError:
        return event | {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _failed(told: Told) -> Told:
    """A function that has raised or was ended: to those who ask, a server that has failed."""
    said = told.json
    fields: Mapping[str, Any] = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    kind, text = (str(fields.get(name) or "") for name in ("errorType", "errorMessage"))
    why = ": ".join(filter(None, (kind, text[:300]))) or "it has failed"
    return Told(502, "Bad Gateway", {}, json.dumps({"detail": f"the function has failed: {why}"}).encode())


def _answer(told: Told) -> Told:
    """The answer in what the handler gave back. Raises Unwanted."""
    said = parsed(told.body)
    fields: Mapping[str, Any] = cast("dict[str, Any]", said) if isinstance(said, dict) else {}
    status, body = fields.get("statusCode"), fields.get("body") or ""
    headers: object = fields.get("headers") or {}
    if (
        type(status) is not int
        or not 100 <= status <= 599
        or not isinstance(headers, dict)
        or not isinstance(body, str)
    ):
        raise Unwanted("it answers no requests: its handler is none of overwinter (overwinter.functions.aws.entry)")
    named = {str(name).lower(): str(value) for name, value in cast("Mapping[object, object]", headers).items()}
    if named.get("content-encoding", "identity") != "identity":
        raise Unwanted("the answer is compressed, which was not asked")
    try:
        whole = base64.b64decode(body, validate=True) if fields.get("isBase64Encoded") else body.encode()
    except (binascii.Error, UnicodeEncodeError):
        raise Unwanted("the body of its answer can't be read") from None
    return Told(status, "", named, whole)
