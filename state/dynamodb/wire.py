"""The way to AWS: botocore's clients, called in a small pool of threads, with the retries that the store promises.

A request whose failure may pass (throttling, a conflict with another transaction, a broken connection, a 5xx) is
made again with full jitter until the patience is over, then it is StoreUnavailable. Every answer's date sets the
clock. botocore is loaded when the first client is made, in a thread.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from time import monotonic
from typing import Any, cast

from ..daemons import Daemons
from ..errors import StoreError
from ..sizes import Sizes
from . import failures
from .clock import ServiceClock
from .place import Place

THREADS = 16
_FIRST_PAUSE, _LONGEST_PAUSE = 0.025, 1.0
_CONNECT, _ANSWER, _BIG = 2.0, 3.0, 30.0  # seconds: to connect, for an answer of DynamoDB, of S3
Answer = dict[str, Any]


class Wire:
    """``requests`` counts what was sent, by operation, retries included."""

    def __init__(self, place: Place, patience: float) -> None:
        self.place = place
        self.patience = patience
        self.clock = ServiceClock()
        self.requests: Counter[str] = Counter()
        self.items = Sizes()  # of the commits: how many items each has written
        self._pool: Daemons | None = None
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._making = asyncio.Lock()

    def start(self) -> None:
        if self._pool is None:
            self._pool = Daemons(THREADS, "dynamodb")

    def numbers(self) -> dict[str, object]:
        if self._pool is None:
            return {}
        return {**self._pool.numbers(), **self.items.numbers(), "requests": dict(self.requests)}

    async def stop(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        clients, self._clients = self._clients, {}
        loop = asyncio.get_running_loop()
        for client in clients.values():
            await loop.run_in_executor(pool, client.close)
        pool.shutdown(wait=False)

    async def dynamodb(self, operation: str, **parameters: Any) -> Answer:
        """One operation on the table. Raises Unmet when a condition did not hold."""
        return await self._send("dynamodb", operation, parameters)

    async def s3(self, operation: str, **parameters: Any) -> Answer:
        return await self._send("s3", operation, parameters)

    async def region(self) -> str:
        """The one that the DSN or the environment names."""
        client = await self._client("dynamodb")
        return str(client.meta.region_name)

    async def _send(self, service: str, operation: str, parameters: Answer) -> Answer:
        method = getattr(await self._client(service), operation)
        started, tries = monotonic(), 0
        while True:
            self.requests[operation] += 1  # here: threads that add at once would lose some
            try:
                return cast(Answer, await self._run(self._once, service, operation, method, parameters))
            except (failures.ClientError, failures.AWSError) as error:
                if failures.passing(error):
                    pause = self.pause(tries)
                    if monotonic() - started + pause > self.patience:
                        raise failures.unavailable(error, self.place, self.patience) from error
                else:
                    answer = failures.unmet(error)
                    if answer is not None:
                        raise answer from None
                    raise failures.translate(error, self.place) from error
            tries += 1
            await asyncio.sleep(pause)

    def pause(self, tries: int) -> float:
        """Seconds to wait before the next try: full jitter."""
        return random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(tries, 10)))

    def _once(self, service: str, operation: str, method: Callable[..., Answer], parameters: Answer) -> Answer:
        sent = self.clock.machine()
        try:
            answer = method(**parameters)
            if service == "s3" and "Body" in answer:
                with answer["Body"] as body:
                    answer["Body"] = body.read()
        except failures.ClientError as error:
            self._hear(failures.response(error), sent)
            raise
        self._hear(answer, sent)
        return answer

    def _hear(self, answer: Answer, sent: float) -> None:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        self.clock.hear(headers.get("date"), sent, self.clock.machine())

    async def _run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        if self._pool is None:
            raise StoreError(f"{self.place} is not open; await store.open() first")
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def _client(self, service: str) -> Any:
        client = self._clients.get(service)
        if client is None:
            async with self._making:
                client = self._clients.get(service)
                if client is None:
                    client = self._clients[service] = await self._run(self._make, service)
        return client

    def _make(self, service: str) -> Any:
        from botocore.config import Config  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
        from botocore.session import Session  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

        settings: Any = cast("Any", Config)(
            retries={"total_max_attempts": 1, "mode": "standard"},  # the store tries again itself
            max_pool_connections=THREADS,
            connect_timeout=min(_CONNECT, self.patience),
            read_timeout=_BIG if service == "s3" else min(_ANSWER, self.patience),
            parameter_validation=False,
            tcp_keepalive=True,
            s3={"addressing_style": "path"} if self.place.endpoint else {},
        )
        if self._session is None:
            self._session = cast("Any", Session)()
            self._session.register_component("data_loader", _loader())
        place = self.place
        try:
            return self._session.create_client(
                service, region_name=place.region or None, endpoint_url=place.endpoint or None, config=settings
            )
        except failures.AWSError as error:
            raise failures.translate(error, place) from error


@cache
def _loader() -> Any:
    """Reads the descriptions of the services, once for all stores of the process: they are megabytes of JSON."""
    from botocore.loaders import (  # type: ignore[import-untyped]
        create_loader,  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
    )

    return cast("Any", create_loader)()
