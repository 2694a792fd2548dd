"""The key-value interface: an item for each entry. Etags are made here, so that a write whose answer was lost is
known again by its etag when it is made once more.
"""

from __future__ import annotations

import asyncio
import secrets

from ..errors import EtagMismatch
from ..records import Value
from .edit import Edit, Item, S, T, text
from .failures import Unmet
from .layout import ITEM_BYTES, LIST, SHARDS, encoded, scope, shard, sorted_scope, value_key
from .parts import Parts

_LAST = "\U0010ffff"


class Values:
    def __init__(self, parts: Parts) -> None:
        self._table, self._parcels, self._wire = parts.table, parts.parcels, parts.wire

    async def get(self, of: str, name: str) -> Value | None:
        item = await self._table.get(value_key(of, name))
        return None if item is None else await self._value(of, name, item)

    async def _value(self, of: str, name: str, item: Item) -> Value | None:
        if "ref" not in item:
            return Value(text(item, "value"), text(item, "etag"))
        content = await self._parcels.fetch(text(item, "ref"))
        if content is None:  # replaced between the two reads
            return await self.get(of, name)
        return Value(content.decode(), text(item, "etag"))

    async def put(self, of: str, name: str, value: str, etag: str | None) -> str:
        new = secrets.token_hex(8)
        item = value_key(of, name)
        item |= {"etag": S(new), "l": S(f"k#{shard(of)}"), "c": S(sorted_scope(of)), "id": S(of)}
        content = encoded(value)
        if len(content) <= ITEM_BYTES:
            item["value"] = T(value, self._wire.place.above)
        else:
            self._parcels.require("a value", len(content))
            name_ = self._parcels.name(of, "values", new)
            await self._parcels.keep(name_, content)
            item["ref"] = S(name_)
        condition = self._condition(of, name, etag)
        try:
            answer = await self._wire.dynamodb(
                "put_item", TableName=self._table.name, Item=item, ReturnValues="ALL_OLD", **condition
            )
        except Unmet as found:
            if text(found.items[0] or {}, "etag") == new:
                return new
            raise _mismatch(of, name) from None
        await self._forget(answer.get("Attributes", {}), new)
        return new

    async def remove(self, of: str, name: str, etag: str | None) -> bool:
        condition = self._condition(of, name, etag)
        try:
            answer = await self._wire.dynamodb(
                "delete_item",
                TableName=self._table.name,
                Key=value_key(of, name),
                ReturnValues="ALL_OLD",
                **condition,
            )
        except Unmet:
            raise _mismatch(of, name) from None
        old: Item = answer.get("Attributes", {})
        await self._forget(old, "")
        return bool(old)

    def _condition(self, of: str, name: str, etag: str | None) -> dict[str, object]:
        if etag is None:
            return {}
        edit = Edit(value_key(of, name))
        edit.need_same("etag", S(etag) if etag else None)
        request = edit.deletion(self._table.name)
        return {name: value for name, value in request.items() if name not in ("Key", "TableName")}

    async def _forget(self, old: Item, etag: str) -> None:
        """The object of a value that is no more."""
        if "ref" in old and text(old, "etag") != etag:
            await self._parcels.forget(text(old, "ref"))

    async def keys(self, of: str, prefix: str, limit: int) -> list[str]:
        found: list[str] = []
        async for page in self._table.pages(scope(of), prefix=f"k#{prefix}", names=["sk"], limit=max(limit, 1)):
            found += [text(item, "sk")[2:] for item in page]
            if len(found) >= limit:
                break
        return found[: max(limit, 0)]

    async def values(self, of: str, prefix: str, after: str, limit: int) -> list[tuple[str, Value]]:
        found: list[tuple[str, Value]] = []
        between = f"k#{max(prefix, after)}", f"k#{prefix}{_LAST * 4}"
        if limit <= 0 or between[0] > between[1]:
            return found
        async for page in self._table.pages(scope(of), between=between, limit=limit + 1):
            for item in page:
                name = text(item, "sk")[2:]
                if not name.startswith(prefix) or (after and name <= after):
                    continue
                value = await self._value(of, name, item)
                found += [] if value is None else [(name, value)]
            if len(found) >= limit:
                break
        return found[:limit]

    async def scopes(self, after: str, limit: int) -> list[str]:
        if limit <= 0:
            return []
        found = await asyncio.gather(*(self._scopes(f"k#{shard}", after, limit) for shard in range(SHARDS)))
        return sorted(scope for some in found for scope in some)[:limit]

    async def _scopes(self, partition: str, after: str, limit: int) -> list[str]:
        """Of one partition; what has many entries is jumped over."""
        found: list[str] = []
        bound = sorted_scope(after) if after else ""
        while len(found) < limit:
            relation = ">" if bound else ""
            entries = await self._table.ask(LIST, partition, relation=relation, bound=bound, limit=100)
            for entry in entries:
                if not found or found[-1] != text(entry, "id"):
                    found.append(text(entry, "id"))
            if len(entries) < 100:
                break
            bound = text(entries[-1], "c")
        return found

    async def drop(self, of: str) -> None:
        """Every entry of a scope as it is found; one that is written meanwhile stays."""
        for item in await self._table.query(scope(of), names=["pk", "sk", "etag", "ref"]):
            edit = Edit({"pk": item["pk"], "sk": item["sk"]})
            edit.need_same("etag", item["etag"])
            if await self._table.delete(edit):
                await self._forget(item, "")


def _mismatch(of: str, name: str) -> EtagMismatch:
    return EtagMismatch(f"{of}/{name} was changed by somebody else; read it again")
