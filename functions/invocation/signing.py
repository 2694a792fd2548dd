"""Requests that AWS lets in by who signed them: function URLs with IAM authentication, and API Gateway with IAM.

Each is signed by botocore's Signature Version 4 with the credentials of this process, over its path, its body and the
headers that are given here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from .aws import Clients

AWS = "aws"
_THREADS = 4


def service_of(host: str) -> tuple[str, str]:
    """The service that a host belongs to as its signatures name it, and its region; "" when the host does not say."""
    parts = host.split(".")
    if len(parts) > 3 and parts[1] == "lambda-url" and parts[3:5] == ["on", "aws"]:
        return "lambda", parts[2]
    if len(parts) > 3 and parts[1] == "execute-api":
        return "execute-api", parts[2]
    return "execute-api", ""  # of one's own domain: function URLs have none


class Signatures:
    """Signs with the credentials that AWS's libraries find."""

    def __init__(self) -> None:
        self._clients = Clients(_THREADS, "signing")

    def forget(self) -> None:
        """The credentials are expired: look for others."""
        self._clients.forget()

    async def signed(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], region: str
    ) -> Mapping[str, str]:
        """The headers, and those of the signature. Raises Unreached when there are no credentials."""
        credentials = await self._clients.credentials()
        from botocore.auth import SigV4Auth  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
        from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

        service, own = service_of(urlsplit(url).hostname or "")
        request: Any = cast("Any", AWSRequest)(method=method, url=url, data=body, headers=dict(headers))
        cast("Any", SigV4Auth)(credentials, service, region or own).add_auth(request)
        return {name.lower(): value for name, value in request.headers.items()}
