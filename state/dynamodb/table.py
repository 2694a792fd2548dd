"""The operations on the one table, in the words of the store: read an item, ask an index, write all or nothing.

Reads of the table are consistent; an index of DynamoDB is not, it follows by a moment.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, cast

from ..errors import StoreUnavailable
from .edit import Edit, Item, N, S
from .failures import Unmet
from .layout import INDEXES
from .wire import Wire

_BATCH_WRITE, _BATCH_READ = 25, 100


class Table:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.name = wire.place.table

    # -- reading --------------------------------------------------------------------------------------

    async def get(self, key: Item) -> Item | None:
        answer = await self.wire.dynamodb("get_item", TableName=self.name, Key=key, ConsistentRead=True)
        return cast("Item | None", answer.get("Item"))

    async def get_many(self, keys: Sequence[Item], names: Sequence[str]) -> list[Item]:
        """These attributes of the items that exist, in any order."""
        fields = {f"#{n}": name for n, name in enumerate(names)}
        found: list[Item] = []
        pending = list(keys)
        patience = _Patience(self.wire)
        while pending:
            request: dict[str, Any] = {
                "Keys": pending[:_BATCH_READ],
                "ConsistentRead": True,
                "ProjectionExpression": ", ".join(fields),
                "ExpressionAttributeNames": fields,
            }
            answer = await self.wire.dynamodb("batch_get_item", RequestItems={self.name: request})
            found += answer["Responses"].get(self.name, [])
            left: list[Item] = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            await patience.rest(stuck=len(left) >= len(pending[:_BATCH_READ]))
            pending = [*left, *pending[_BATCH_READ:]]
        return found

    async def pages(
        self,
        pk: str,
        *,
        between: tuple[str, str] | None = None,
        prefix: str = "",
        names: Sequence[str] = (),
        limit: int | None = None,
    ) -> AsyncIterator[list[Item]]:
        """Items under one partition key, in the order of their sort keys."""
        values: dict[str, Any] = {":pk": S(pk)}
        condition = "pk = :pk"
        if between is not None:
            condition += " AND sk BETWEEN :first AND :last"
            values |= {":first": S(between[0]), ":last": S(between[1])}
        elif prefix:
            condition += " AND begins_with(sk, :prefix)"
            values[":prefix"] = S(prefix)
        request: dict[str, Any] = {"KeyConditionExpression": condition, "ExpressionAttributeValues": values}
        if names:
            fields = {f"#{n}": name for n, name in enumerate(names)}
            request |= {"ProjectionExpression": ", ".join(fields), "ExpressionAttributeNames": fields}
        async for page in self._query({**request, "ConsistentRead": True}, limit):
            yield page

    async def query(
        self, pk: str, *, between: tuple[str, str] | None = None, prefix: str = "", names: Sequence[str] = ()
    ) -> list[Item]:
        return [item async for page in self.pages(pk, between=between, prefix=prefix, names=names) for item in page]

    async def ask(
        self,
        index: str,
        partition: str,
        *,
        relation: str = "",
        bound: str | int = "",
        newest: bool = False,
        limit: int | None = None,
        where: tuple[str, Mapping[str, str], Mapping[str, Any]] | None = None,
    ) -> list[Item]:
        """Entries of one partition of an index, in order, as many as are asked for. ``where`` is a filter: its
        expression, names and values; what it leaves out is paid for all the same."""
        first, _, second, _, _ = INDEXES[index]
        names, values = {"#p": first}, {":p": S(partition)}
        condition = "#p = :p"
        if relation:
            condition += f" AND #s {relation} :s"
            names["#s"] = second
            values[":s"] = N(bound) if isinstance(bound, int) else S(bound)
        request: dict[str, Any] = {"IndexName": index, "ScanIndexForward": not newest}
        if where is not None:
            request["FilterExpression"] = where[0]
            names |= where[1]
            values |= where[2]
        request |= {
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
        found: list[Item] = []
        async for page in self._query(request, limit if where is None else None):
            found += page
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    async def _query(self, request: dict[str, Any], limit: int | None) -> AsyncIterator[list[Item]]:
        request = {**request, "TableName": self.name}
        if limit is not None:
            request["Limit"] = max(limit, 1)
        while True:
            answer = await self.wire.dynamodb("query", **request)
            yield answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    # -- writing --------------------------------------------------------------------------------------

    async def update(self, edit: Edit) -> Item:
        """The item as it is now. Raises Unmet with the item as it was found."""
        answer = await self.wire.dynamodb("update_item", **edit.request(self.name), ReturnValues="ALL_NEW")
        return cast(Item, answer["Attributes"])

    async def write(self, edit: Edit) -> None:
        """The same, for who knows what comes of it."""
        await self.wire.dynamodb("update_item", **edit.request(self.name))

    async def transact(self, *writes: Mapping[str, Any]) -> None:
        """All or nothing. The token makes a request that is sent again the same one."""
        await self.wire.dynamodb("transact_write_items", TransactItems=writes, ClientRequestToken=str(uuid.uuid4()))

    def as_update(self, edit: Edit) -> dict[str, Any]:
        return {"Update": edit.request(self.name)}

    def as_deletion(self, edit: Edit) -> dict[str, Any]:
        return {"Delete": edit.deletion(self.name)}

    def as_put(self, item: Item) -> dict[str, Any]:
        return {"Put": {"TableName": self.name, "Item": item}}

    def as_new(self, item: Item) -> dict[str, Any]:
        """It must not be there yet."""
        put = {"TableName": self.name, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"}
        return {"Put": {**put, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}

    async def put_many(self, items: Iterable[Item]) -> None:
        await self._write_many([{"PutRequest": {"Item": item}} for item in items])

    async def delete_many(self, keys: Iterable[Item]) -> None:
        await self._write_many([{"DeleteRequest": {"Key": {"pk": key["pk"], "sk": key["sk"]}}} for key in keys])

    async def delete(self, edit: Edit) -> bool:
        """False when its conditions do not hold."""
        try:
            await self.wire.dynamodb("delete_item", **edit.deletion(self.name))
        except Unmet:
            return False
        return True

    async def _write_many(self, requests: list[dict[str, Any]]) -> None:
        patience = _Patience(self.wire)
        while requests:
            now = requests[:_BATCH_WRITE]
            answer = await self.wire.dynamodb("batch_write_item", RequestItems={self.name: now})
            left: list[dict[str, Any]] = answer.get("UnprocessedItems", {}).get(self.name, [])
            await patience.rest(stuck=len(left) >= len(now))
            requests = [*left, *requests[_BATCH_WRITE:]]


class _Patience:
    """A batch is throttled item by item: pause when nothing of it was done, and give up at last."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._tries, self._since = 0, monotonic()

    async def rest(self, *, stuck: bool) -> None:
        if not stuck:
            self._tries, self._since = 0, monotonic()
            return
        if monotonic() - self._since > self._wire.patience:
            raise StoreUnavailable(f"{self._wire.place} is throttled; slow down, or raise its maximum throughput")
        await asyncio.sleep(self._wire.pause(self._tries))
        self._tries += 1
