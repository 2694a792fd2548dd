"""Whether the partitions are still those that were opened: a server may have been emptied (FLUSHALL, a restart without
its file), or another one may stand in its place (a failover to a node that had nothing)."""

from __future__ import annotations

import asyncio
from typing import Any

from ..errors import StoreLost
from .exchange import Exchange, together
from .layout import Layout


class Guard:
    """``lost`` is what every change is refused with; None while all is well."""

    def __init__(self, exchange: Exchange, layout: Layout) -> None:
        self.lost: StoreLost | None = None
        self._exchange = exchange
        self._layout = layout

    async def look(self) -> None:
        """Raises StoreLost; other StoreErrors when it can't be told."""
        said = await together(
            self._exchange.ask(at, _text, b"HGET", at.meta, b"identity") for at in self._layout.partitions.all
        )
        wrong = [now for opened, now in zip(self._layout.identities, said, strict=True) if opened != now]
        self.lost = self._loss(wrong) if wrong else None
        if self.lost is not None:
            raise self.lost

    def _loss(self, wrong: list[bytes | None]) -> StoreLost:
        what = "is empty" if None in wrong else "is another store"
        some = "" if len(wrong) == len(self._layout.identities) else f" in {len(wrong)} of its partitions"
        return StoreLost(
            f"{self._exchange.name} {what}{some}, and was not when this process opened it (FLUSHALL, or a failover to "
            "a node without its data). Nothing more is taken in. Bring the data back, or start the process again on "
            "what is there now"
        )

    def refusal(self) -> asyncio.Future[Any] | None:
        """The answer to a change while what was opened is lost."""
        if self.lost is None:
            return None
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_exception(StoreLost(str(self.lost)))
        return future


def _text(reply: Any) -> bytes | None:
    content: bytes | None = reply
    return content
