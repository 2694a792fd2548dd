"""Mail that has no room in the head: items of its own, in the order in which mail is read.

The head counts it (``spilled``). What an append consumes of it is named in the head (``gone``) by that append and
removed after it; whoever comes next removes what a process that died has left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..errors import StoreCorrupt
from ..records import MAIL_BATCH, Mail, NewMail
from .edit import Item, N, S, T, number, text
from .layout import ITEM_BYTES, encoded, execution, key, mail_seq, mail_sort, mail_span
from .parcels import Parcels
from .picture import Picture, batch
from .table import Table


class Mailbox:
    def __init__(self, table: Table, parcels: Parcels) -> None:
        self._table = table
        self._above = table.wire.place.above
        self._parcels = parcels

    def check(self, mail: NewMail | Mail) -> None:
        """Raises PayloadTooLarge for what can't be kept."""
        size = len(encoded(mail.body))
        if size > ITEM_BYTES:
            self._parcels.require("mail", size)

    async def item(self, id: str, life: str, seq: int, mail: NewMail | Mail, token: int) -> Item:
        item = key(execution(id), mail_sort(life, mail.lane, seq, token))
        item["lane"], item["at"] = N(mail.lane), N(mail.at)
        content = encoded(mail.body)
        if len(content) > ITEM_BYTES:
            name = self._parcels.name(id, life, f"m-{seq:012d}-{token}")
            await self._parcels.keep(name, content)
            item["ref"] = S(name)
        else:
            item["body"] = T(mail.body, self._above)
        return item

    async def mail(self, item: Item) -> Mail:
        body = text(item, "body")
        if "ref" in item:
            content = await self._parcels.fetch(item["ref"]["S"])
            if content is None:
                raise StoreCorrupt(f"{self._table.wire.place}: {item['ref']['S']} is missing in the bucket")
            body = content.decode()
        return Mail(mail_seq(item["sk"]["S"]), number(item, "lane"), number(item, "at"), body)

    async def first(self, picture: Picture, limit: int = MAIL_BATCH) -> list[Mail]:
        """The first mails of the whole mailbox, as the picture has it."""
        inside = [mail for _, mail in picture.mail.values()]
        if picture.spilled:
            inside += [await self.mail(item) for item in await self._items(picture, limit)]
        return batch(inside) if limit == MAIL_BATCH else sorted(inside, key=lambda mail: (mail.lane, mail.seq))[:limit]

    async def after(self, picture: Picture, lane: int, seq: int, limit: int) -> list[Mail]:
        """The first mails of a lane with a higher number, as the picture has them."""
        found = [mail for _, mail in picture.mail.values() if mail.lane == lane and mail.seq > seq]
        if picture.spilled and limit > 0:
            span = mail_span(picture.life, lane, seq + 1)
            found += [await self.mail(item) for item in await self._items(picture, limit, span)]
        return sorted(found)[: max(limit, 0)]

    async def _items(self, picture: Picture, limit: int, span: tuple[str, str] | None = None) -> list[Item]:
        found: list[Item] = []
        prefix, most = f"m#{picture.life}#", limit + len(picture.gone)
        pages = self._table.pages(execution(picture.head.id), prefix=prefix, between=span, limit=most)
        async for page in pages:
            for item in page:
                seq = mail_seq(item["sk"]["S"])
                if seq <= picture.arrivals and seq not in picture.gone:
                    found.append(item)
            if len(found) >= limit:
                break
        return found[:limit]

    async def keys(self, picture: Picture, seqs: Collection[int]) -> list[Item]:
        """Keys of the items with these numbers, as far as there are any."""
        wanted, found = set(seqs), list[Item]()
        for lane in (1, 0):  # most mail is ordinary
            if len(found) == len(wanted):
                break
            span = mail_span(picture.life, lane, min(wanted), max(wanted))
            pages = self._table.pages(execution(picture.head.id), between=span, names=["pk", "sk"])
            async for page in pages:
                found += [item for item in page if mail_seq(item["sk"]["S"]) in wanted]
                if len(found) == len(wanted):
                    break
        return found

    async def clear(self, keys: Iterable[Item]) -> None:
        await self._table.delete_many(keys)
