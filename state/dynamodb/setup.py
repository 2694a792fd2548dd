"""The table and the bucket themselves: made by ``create``, checked by ``open``, described by ``survey``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import Any

from ..errors import SchemaMismatch, StoreCorrupt, StoreError, StoreLost, StoreUnavailable
from ..records import Remark
from .edit import Edit, N, S, number, text
from .failures import POLICY, Unsupported
from .layout import INDEXES, VERSION, key, new_life
from .parts import Parts

_KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
_SCHEMA = key("schema", "schema")
_WAIT = 120.0  # seconds until a new table is active
_TTL = "expires"


def description() -> dict[str, Any]:
    """Keys, attributes and indexes, as CreateTable takes them; templates for deployment are made from it too."""
    types = {"pk": "S", "sk": "S"}
    indexes: list[dict[str, Any]] = []
    for name, (first, first_type, second, second_type, more) in INDEXES.items():
        types |= {first: first_type, second: second_type}
        schema = [{"AttributeName": first, "KeyType": "HASH"}, {"AttributeName": second, "KeyType": "RANGE"}]
        projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": more}
        indexes.append({"IndexName": name, "KeySchema": schema, "Projection": projection})
    return {
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _KEYS,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
        "GlobalSecondaryIndexes": indexes,
    }


class Setup:
    def __init__(self, parts: Parts) -> None:
        self._wire, self._table, self._place = parts.wire, parts.table, parts.place
        self.identity = ""

    # -- create -----------------------------------------------------------------------------------------

    async def create(self) -> None:
        try:
            await self._wire.dynamodb("create_table", TableName=self._place.table, **description())
        except StoreError as error:
            if "ResourceInUseException" not in str(error):
                raise
        found = await self._active()
        self._check(found)
        ttl = await self._wire.dynamodb("describe_time_to_live", TableName=self._place.table)
        if ttl["TimeToLiveDescription"].get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
            setting = {"Enabled": True, "AttributeName": _TTL}
            await self._wire.dynamodb(
                "update_time_to_live", TableName=self._place.table, TimeToLiveSpecification=setting
            )
        await self._sign()
        if self._place.bucket:
            await self._bucket()

    async def _active(self) -> dict[str, Any]:
        started = monotonic()
        while True:
            answer = await self._wire.dynamodb("describe_table", TableName=self._place.table)
            found: dict[str, Any] = answer["Table"]
            states = [found["TableStatus"]]
            states += [index.get("IndexStatus", "ACTIVE") for index in found.get("GlobalSecondaryIndexes", ())]
            if all(state in ("ACTIVE", "UPDATING") for state in states):
                return found
            if monotonic() - started > _WAIT:
                raise StoreUnavailable(f"{self._place} is still {', '.join(set(states))} after {_WAIT:g} s; try again")
            await asyncio.sleep(0.5)

    def _check(self, found: dict[str, Any]) -> None:
        if found["KeySchema"] != _KEYS:
            raise StoreCorrupt(f"{self._place} has other keys; it belongs to another program. Choose another table")
        indexes = {
            index["IndexName"]: [part["AttributeName"] for part in index["KeySchema"]]
            for index in found.get("GlobalSecondaryIndexes", ())
        }
        missing = [name for name, (first, _, second, *_) in INDEXES.items() if indexes.get(name) != [first, second]]
        if missing:
            raise StoreCorrupt(
                f"{self._place} lacks the index {' and '.join(missing)}; it was made otherwise. Choose another table, "
                "or add the index as docs/dynamodb.md describes it"
            )

    async def _sign(self) -> None:
        """Say which layout it has, and which table it is, unless it says so."""
        edit = Edit(_SCHEMA)
        for name, value in (("version", N(VERSION)), ("program", S("overwinter")), ("identity", S(new_life()))):
            edit.default(name, value)
        self.identity = text(await self._table.update(edit), "identity")

    async def look(self) -> None:
        """Raises StoreLost when it is not the table that was opened."""
        item = await self._table.get(_SCHEMA)
        if text(item or {}, "identity") != self.identity:
            what = "is empty" if item is None else "is another one"
            raise StoreLost(
                f"{self._place} {what}, and was not when this process opened it: the table was deleted and made anew. "
                "Nothing more is taken in. Restore a backup, or start the process again on what is there now"
            )

    async def _bucket(self) -> None:
        region = self._place.region or (await self._wire.region())
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            await self._wire.s3("create_bucket", Bucket=self._place.bucket, **place)
        except StoreError as error:
            if "BucketAlreadyOwnedByYou" in str(error):
                return
            if "BucketAlreadyExists" in str(error):
                raise StoreError(
                    f"the bucket {self._place.bucket} belongs to somebody else; choose another name"
                ) from error
            raise

    # -- open -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        item = await self._table.get(_SCHEMA)
        self.identity = text(item or {}, "identity")
        if item is None:  # made by a template for deployment, or by somebody else
            self._check((await self._wire.dynamodb("describe_table", TableName=self._place.table))["Table"])
            await self._sign()
        elif number(item, "version") > VERSION:
            raise SchemaMismatch(
                f"{self._place} was written by a newer release (layout {number(item, 'version')}, this one knows "
                f"{VERSION}). Upgrade this process; nothing was changed"
            )
        elif not self.identity:  # of an older release
            await self._sign()

    # -- survey -----------------------------------------------------------------------------------------

    async def survey(self) -> list[Remark]:
        return [
            await self._remark("table", self._survey_table()),
            await self._remark("expiry", self._survey_ttl()),
            await self._remark("backups", self._survey_backups()),
            await self._remark("bucket", self._survey_bucket()),
        ]

    async def _remark(self, name: str, look: Awaitable[Remark]) -> Remark:
        """What can't be looked at is no fault of the store: a permission lacks, or it is an imitation that does not do
        all that AWS does."""
        try:
            return await look
        except StoreError as error:
            advice = "" if isinstance(error, Unsupported) else POLICY
            return Remark(name, "warn", f"can't be looked at: {error}", advice)

    async def _survey_table(self) -> Remark:
        found = (await self._wire.dynamodb("describe_table", TableName=self._place.table))["Table"]
        mode = found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        detail = f"{found['TableStatus'].lower()}, {found.get('ItemCount', 0):,} items some hours ago, {mode}"
        if found["TableStatus"] not in ("ACTIVE", "UPDATING"):
            return Remark("table", "fail", detail, "wait until it is active, or look into the AWS console")
        if mode != "PAY_PER_REQUEST":
            return Remark(
                "table", "warn", detail, "provisioned capacity throttles what is above it; on demand does not"
            )
        return Remark("table", "ok", detail)

    async def _survey_ttl(self) -> Remark:
        found = await self._wire.dynamodb("describe_time_to_live", TableName=self._place.table)
        description = found["TimeToLiveDescription"]
        if description.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") and description.get("AttributeName") == _TTL:
            return Remark("expiry", "ok", f"time to live by {_TTL}")
        advice = "run overwinter store init; without it old deduplication keys stay and are paid for"
        return Remark("expiry", "warn", "time to live is off", advice)

    async def _survey_backups(self) -> Remark:
        found = await self._wire.dynamodb("describe_continuous_backups", TableName=self._place.table)
        recovery = found["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        if recovery.get("PointInTimeRecoveryStatus") == "ENABLED":
            return Remark("backups", "ok", "point-in-time recovery is on")
        advice = "turn on point-in-time recovery, or a table that is deleted by mistake is lost"
        return Remark("backups", "warn", "point-in-time recovery is off", advice)

    async def _survey_bucket(self) -> Remark:
        if not self._place.bucket:
            advice = "add ?bucket=NAME; without it a value above 350 KB is refused"
            return Remark("bucket", "warn", "none", advice)
        await self._wire.s3("list_objects_v2", Bucket=self._place.bucket, Prefix=self._place.folder, MaxKeys=1)
        return Remark("bucket", "ok", self._place.bucket)
