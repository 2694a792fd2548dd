"""AWS's clients for the rooms that ask AWS for something: one for each service, region and patience, called in threads
that keep no process from ending. Nothing is tried again here: whoever asks knows what that means.

botocore is loaded when the first client is made, in such a thread. Credentials, addresses of services
(AWS_ENDPOINT_URL_LAMBDA) and the region, where none is named, are found as AWS's libraries find them.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from ...state.daemons import Daemons
from ...state.errors import InvalidInput
from .connections import CONNECT
from .posting import Silent, Unreached

T = TypeVar("T")
_REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")


def is_region(text: str) -> bool:
    """Whether a region of AWS can be called so. It becomes a part of hosts' names."""
    return _REGION.fullmatch(text) is not None


def default_region() -> str:
    """The one that the environment names; "" when only a profile does."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""


_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
"""What the services say of credentials that were good before."""


def is_expired(code: str) -> bool:
    """Whether AWS says by it that who asks needs newer credentials: nothing was done, and new ones may be there."""
    return code.rpartition("#")[2].partition(":")[0] in _EXPIRED


class Rejected(Exception):  # as those of ``posting``: whoever asks says what it is there
    """AWS has answered, and it is no. ``status`` is that of HTTP, ``code`` AWS's own word for it."""

    def __init__(self, status: int, code: str, text: str, retry_after: str) -> None:
        super().__init__(f"{code}: {text}")
        self.status = status
        self.code = code
        self.retry_after = retry_after


class Clients:
    """At most ``threads`` requests go on at a time."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = Daemons(threads, name)
        self._threads = threads
        self._made: dict[tuple[str, str, float], Any] = {}
        self._making = threading.Lock()
        self._session: Any = None

    async def use(self, service: str, region: str, silence: float, work: Callable[[Any], T]) -> T:
        """What ``work`` makes of the client. Raises Rejected, Unreached, Silent when it may have been done, and
        InvalidInput when nobody says what AWS has to know."""

        def called() -> T:
            from botocore import exceptions as aws  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

            try:
                return work(self._client(service, region, silence))
            except aws.ClientError as error:
                rejected = _rejected(error)
                if not is_expired(rejected.code):
                    raise rejected from None
                self.forget()
                raise Unreached(f"AWS wants newer credentials than those of this process ({rejected})") from None
            except (aws.NoRegionError, aws.InvalidRegionError) as error:
                raise InvalidInput(f"{service} of AWS can't be asked: {error} Set AWS_REGION, or region=…") from None
            except (aws.ProfileNotFound, aws.ParamValidationError, aws.UnknownServiceError) as error:
                raise InvalidInput(f"{service} of AWS can't be asked: {error}") from None
            except aws.ReadTimeoutError:
                raise Silent(f"said nothing for {silence:g} s") from None
            except (aws.BotoCoreError, OSError) as error:
                raise Unreached(str(error)) from None

        return await self._run(called)

    async def credentials(self) -> Any:
        """Those of this moment. Raises Unreached when there are none."""

        def found() -> Any:
            from botocore import exceptions as aws  # pyright: ignore[reportMissingTypeStubs]

            try:
                with self._making:
                    held = self._opened().get_credentials()
                if held is None:
                    raise Unreached(
                        "no AWS credentials are found: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run in a role"
                    )
                return held.get_frozen_credentials()
            except (aws.BotoCoreError, OSError) as error:
                raise Unreached(str(error)) from None

        return await self._run(found)

    def forget(self) -> None:
        """Look for credentials anew: those of a file are read once by a session, and may have been exchanged there."""
        with self._making:
            self._made.clear()
            self._session = None

    def close(self) -> None:
        """Take nothing more. What goes on is done to its end."""
        self._pool.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, _with_library, work)

    def _opened(self) -> Any:
        from botocore.session import Session  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

        if self._session is None:
            self._session = cast("Any", Session)()
        return self._session

    def _client(self, service: str, region: str, silence: float) -> Any:
        from botocore.config import Config  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

        key = (service, region, silence)
        with self._making:  # a session may not make two at once
            if key not in self._made:
                settings = cast("Any", Config)(
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    max_pool_connections=self._threads,
                    connect_timeout=CONNECT,
                    read_timeout=silence,
                    tcp_keepalive=True,
                )
                made = self._opened().create_client(
                    service, region_name=region or default_region() or None, config=settings
                )
                self._made[key] = made
            return self._made[key]


def _with_library(work: Callable[[], T]) -> T:
    try:
        import botocore  # noqa: F401  # pyright: ignore[reportMissingTypeStubs, reportUnusedImport]
    except ModuleNotFoundError:
        raise InvalidInput("AWS is asked by boto3, which is not installed; install overwinter[aws]") from None
    return work()


def _rejected(error: Any) -> Rejected:
    said: dict[str, Any] = error.response
    meta: dict[str, Any] = said.get("ResponseMetadata", {})
    told: dict[str, Any] = said.get("Error", {})
    headers: dict[str, str] = meta.get("HTTPHeaders", {})
    text = str(told.get("Message") or said.get("message") or said.get("Message") or "")
    code = str(told.get("Code", "")) or "an error"
    return Rejected(int(meta.get("HTTPStatusCode", 500)), code, text, headers.get("retry-after", ""))
