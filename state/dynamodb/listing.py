"""Questions for people. The listing's index has every execution under one of eight partitions, by time of creation,
with its function, status and what it waits for. Heads are read from the table, and judged again there.

A filter on those fields, and counting, read the index (about 150 bytes for each execution), not the executions.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from ..errors import InvalidInput
from ..records import STATUSES, Filter, Head, Mail, Page
from .edit import S, text
from .layout import CHILDREN, LIST, SHARDS, execution, head_key
from .parts import Parts
from .picture import Picture

_CURSOR = re.compile(r"\d{15,}\.[0-9a-f]{12}")
_END = "~"  # sorts after every position
_HEAD = (*Head._fields, "c")


class Listing:
    def __init__(self, parts: Parts) -> None:
        self._table, self._journal, self._mailbox = parts.table, parts.journal, parts.mailbox

    async def picture(self, id: str) -> Picture | None:
        item = await self._table.get(head_key(id))
        return None if item is None else Picture(item)

    async def executions(self, where: Filter, cursor: str | None, limit: int) -> Page:
        if cursor is not None and not _CURSOR.fullmatch(cursor):
            raise InvalidInput(f"{cursor!r} is not a cursor; give back the one that came with the last page")
        limit = max(limit, 1)
        found: list[tuple[str, Head]] = []
        place = cursor or ("" if where.oldest else _END)
        while len(found) <= limit:
            candidates = await self._candidates(where, place, limit + 1)
            candidates = [each for each in candidates if not _beyond(where, each[0])]
            if not candidates:
                break
            place = candidates[-1][0]
            heads = await self.heads(id for _, id in candidates)
            if where.oldest:
                heads.reverse()
            found += [(place, head) for place, head in heads if where.matches(head)]
            if len(candidates) <= limit:
                break
        more = len(found) > limit
        return Page([head for _, head in found[:limit]], found[limit - 1][0] if more else None)

    async def _candidates(self, where: Filter, place: str, limit: int) -> list[tuple[str, str]]:
        """Where the next ones after that place stand, and their ids, as the index has them."""
        if where.oldest:
            relation, bound = ">", max(place, f"{where.since:015d}")
        else:
            relation, bound = "<", min([place, *_latest(where)])
        if where.parent is not None:
            asked = [
                self._table.ask(
                    CHILDREN,
                    execution(where.parent),
                    relation=relation,
                    bound=bound,
                    newest=not where.oldest,
                    limit=limit,
                )
            ]
        else:
            condition = _condition(where)
            asked = [
                self._table.ask(
                    LIST,
                    f"l#{shard}",
                    relation=relation,
                    bound=bound,
                    newest=not where.oldest,
                    limit=limit,
                    where=condition,
                )
                for shard in range(SHARDS)
            ]
        entries = [entry for entries in await asyncio.gather(*asked) for entry in entries]
        found = sorted(((text(entry, "c"), text(entry, "id")) for entry in entries), reverse=not where.oldest)
        return found[:limit]

    async def heads(self, ids: Iterable[str]) -> list[tuple[str, Head]]:
        """Where they stand in the listing, newest first, and what they are now."""
        items = await self._table.get_many([head_key(id) for id in dict.fromkeys(ids)], _HEAD)
        return sorted(((text(item, "c"), Picture(item).head) for item in items), key=lambda each: each[0], reverse=True)

    async def ids(self) -> list[str]:
        """All executions, in no order."""
        entries = await asyncio.gather(*(self._table.ask(LIST, f"l#{shard}") for shard in range(SHARDS)))
        return [text(entry, "id") for some in entries for entry in some]

    async def history(self, id: str, after: int, limit: int) -> list[str]:
        if limit <= 0:
            return []
        picture = await self.picture(id)
        if picture is None:
            return []
        return await self._journal.read(id, picture.life, max(after, 0) + 1, picture.head.length, limit)

    async def mailbox(self, id: str, limit: int) -> tuple[int, list[str]]:
        picture = await self.picture(id)
        if picture is None:
            return 0, []
        mails = await self._mailbox.first(picture, max(limit, 0))
        return picture.waiting, [mail.body for mail in mails]

    async def mail(self, id: str, lane: int, after: int, limit: int) -> list[Mail]:
        picture = await self.picture(id)
        return [] if picture is None else await self._mailbox.after(picture, lane, after, limit)

    async def counts(self) -> dict[str, int]:
        entries = await asyncio.gather(*(self._table.ask(LIST, f"l#{shard}") for shard in range(SHARDS)))
        return dict(Counter(text(entry, "status") for some in entries for entry in some))


def _latest(where: Filter) -> list[str]:
    """Before which places all of it stands. What is created later has not changed earlier."""
    return [f"{time:015d}" for time in (where.before, where.until) if time]


def _beyond(where: Filter, place: str) -> bool:
    """Whether nothing that fits can stand there, or further on in the listing."""
    if where.oldest:
        return any(place >= latest for latest in _latest(where))
    return bool(where.since) and place < f"{where.since:015d}"


def _condition(where: Filter) -> tuple[str, dict[str, str], dict[str, Any]] | None:
    """The filter as far as the index knows the fields."""
    parts: list[str] = []
    names: dict[str, str] = {}
    values: dict[str, Any] = {}

    def add(form: str, field: str, value: str) -> None:
        names[f"#{field}"] = field
        values[f":{field}"] = S(value)
        parts.append(form.format(f"#{field}", f":{field}"))

    if where.status:
        known = [status for status in STATUSES if status in where.status]
        names["#status"] = "status"
        values |= {f":status{n}": S(status) for n, status in enumerate(known or ["none of them"])}
        parts.append(f"#status IN ({', '.join(f':status{n}' for n in range(max(len(known), 1)))})")
    if where.function:
        add("{} = {}", "function", where.function)
    if where.prefix:
        add("begins_with({}, {})", "id", where.prefix)
    if where.awaits:
        add("begins_with({}, {})", "awaits", where.awaits)
    return (" AND ".join(parts), names, values) if parts else None
