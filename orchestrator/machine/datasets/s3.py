"""A bucket of S3, by boto3: credentials, region and endpoint as AWS's own tools take them from the environment."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any, cast

from ....state.errors import InvalidInput
from .bucket import Object, Opened, Refused, changed

_ATTEMPTS = 4  # of one request; after that the state fails, and its Retry says what then
_SILENCE = 60  # seconds


def make_client() -> Any:
    """A client that threads may share. Raises InvalidInput that says what to install, Refused."""
    try:
        from botocore.config import Config  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
        from botocore.exceptions import (  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
            BotoCoreError,
        )
        from botocore.session import Session  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
    except ModuleNotFoundError:
        raise InvalidInput(
            "a bucket of S3 needs boto3, which is not installed: pip install 'overwinter[aws]', or say in buckets= "
            "which folder is meant"
        ) from None
    elsewhere = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    settings = cast("Any", Config)(
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        connect_timeout=10,
        read_timeout=_SILENCE,
        tcp_keepalive=True,
        s3={"addressing_style": "path"} if elsewhere else {},
    )
    try:
        return cast("Any", Session)().create_client("s3", config=settings)
    except BotoCoreError as error:
        raise Refused(f"S3 can't be asked: {error}") from None


class S3:
    """Implements ``Bucket``. ``folder``: a prefix that stands before all keys."""

    def __init__(self, client: Any, name: str, folder: str = "") -> None:
        self._client = client
        self._name = name
        self._folder = folder

    def open(self, key: str, *, version: str = "", owner: str = "", start: int = 0, etag: str = "") -> Opened:
        given: dict[str, Any] = {"Key": self._folder + key, **_owned(owner)}
        given |= {"VersionId": version} if version else {}
        given |= {"Range": f"bytes={start}-"} if start else {}
        given |= {"IfMatch": etag} if etag else {}
        try:
            answer = self._ask("get_object", **given)
        except _Answered as error:
            if error.status == 412:
                raise changed(key) from None
            if error.status == 416 and etag:  # it ends where the last page did
                return Opened(io.BytesIO(), etag)
            raise
        return Opened(_Body(answer["Body"]), answer["ETag"])

    def list(self, prefix: str, after: str = "", *, owner: str = "") -> Iterator[Object]:
        given: dict[str, Any] = {"Prefix": self._folder + prefix, **_owned(owner)}
        given |= {"StartAfter": self._folder + after} if after else {}
        while True:
            answer = self._ask("list_objects_v2", **given)
            for one in answer.get("Contents", ()):
                key = one["Key"].removeprefix(self._folder)
                storage = one.get("StorageClass", "STANDARD")
                yield Object(key, one["Size"], int(one["LastModified"].timestamp()), one["ETag"], storage)
            if not answer.get("IsTruncated"):
                return
            given["ContinuationToken"] = answer["NextContinuationToken"]

    def put(self, key: str, content: bytes, *, owner: str = "") -> None:
        self._ask("put_object", Key=self._folder + key, Body=content, **_owned(owner))

    def _ask(self, operation: str, **given: Any) -> Any:
        from botocore.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
            BotoCoreError,
            ClientError,
        )

        try:
            return getattr(self._client, operation)(Bucket=self._name, **given)
        except ClientError as error:
            said: Any = error.response  # pyright: ignore[reportUnknownMemberType]
            meta = said.get("ResponseMetadata", {})
            message = str(said.get("Error", {}).get("Message") or said.get("Error", {}).get("Code") or error)
            raise _Answered(message, int(meta.get("HTTPStatusCode", 0)), str(meta.get("RequestId", ""))) from None
        except BotoCoreError as error:
            raise Refused(f"S3 can't be asked: {error}") from None


class _Answered(Refused):
    def __init__(self, message: str, status: int, request: str) -> None:
        super().__init__(message, status, request)
        self.status = status


class _Body:
    """What is read of an answer; a connection that breaks is said as such."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int, /) -> bytes:
        from botocore.exceptions import BotoCoreError  # pyright: ignore[reportMissingTypeStubs]

        try:
            return cast("bytes", self._body.read(size))
        except (BotoCoreError, OSError) as error:
            raise Refused(f"S3's answer broke off: {error}") from None

    def close(self) -> None:
        self._body.close()


def _owned(owner: str) -> dict[str, str]:
    return {"ExpectedBucketOwner": owner} if owner else {}
