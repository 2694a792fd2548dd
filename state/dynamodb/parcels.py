"""What is too big for an item: objects in the bucket. Each is written before the commit that speaks of it and is
never changed; it bears the execution's id (hashed) and life in its key, and goes with the execution.

Without a bucket everything has to fit into items, and what does not is refused by name before anything is written.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping

from ..compression import pack_bytes, unpack_bytes
from ..errors import PayloadTooLarge, StoreError
from .edit import B, Item, S
from .layout import ITEM_BYTES, blob_sort, encoded, execution, key
from .table import Table

_INLINE_BYTES = 1_500_000  # blobs of one commit that go into items
_INLINE_WITH_BUCKET = 8_000  # an object costs as much as writing this many bytes into an item, twice over


class Parcels:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._place = table.wire.place

    def require(self, what: str, size: int) -> None:
        """Raises PayloadTooLarge when there is no bucket."""
        if not self._place.bucket:
            raise PayloadTooLarge(
                f"{what} of {size:,} bytes does not fit into an item of DynamoDB. Give the store a bucket: "
                f"dynamodb://{self._place.table}?bucket=NAME"
            )

    def name(self, id: str, life: str, name: str) -> str:
        return f"{self._folder(id)}{life}/{name}"

    def _folder(self, id: str) -> str:
        return f"{self._place.folder}{hashlib.sha256(encoded(id)).hexdigest()[:32]}/"

    async def keep(self, name: str, content: bytes) -> None:
        await self._table.wire.s3("put_object", Bucket=self._place.bucket, Key=name, Body=content)

    async def fetch(self, name: str) -> bytes | None:
        if not self._place.bucket:
            raise StoreError(f"{self._place}: {name} is in a bucket, and the DSN names none. Add ?bucket=NAME")
        try:
            answer = await self._table.wire.s3("get_object", Bucket=self._place.bucket, Key=name)
        except StoreError as error:
            if "NoSuchKey" in str(error):
                return None
            raise
        content: bytes = answer["Body"]
        return content

    async def drop(self, id: str, life: str) -> None:
        """Everything of that life."""
        if self._place.bucket:
            await self._drop(f"{self._folder(id)}{life}/")

    async def forget(self, name: str) -> None:
        if self._place.bucket:
            await self._table.wire.s3("delete_object", Bucket=self._place.bucket, Key=name)

    async def _drop(self, prefix: str) -> None:
        while True:
            listing = await self._table.wire.s3("list_objects_v2", Bucket=self._place.bucket, Prefix=prefix)
            objects = [{"Key": found["Key"]} for found in listing.get("Contents", ())]
            if not objects:
                return
            await self._table.wire.s3("delete_objects", Bucket=self._place.bucket, Delete={"Objects": objects})
            if not listing.get("IsTruncated"):
                return

    # -- blobs ----------------------------------------------------------------------------------------

    def check(self, blobs: Mapping[str, bytes]) -> None:
        """Raises PayloadTooLarge for what can't be kept."""
        for digest in blobs:
            if len(digest) > 200:
                raise PayloadTooLarge("the digest of a blob may have 200 characters")
        self._inline(blobs)

    def _inline(self, blobs: Mapping[str, bytes]) -> set[str]:
        limit, room = (_INLINE_WITH_BUCKET if self._place.bucket else ITEM_BYTES), _INLINE_BYTES
        inline: set[str] = set()
        for digest, content in blobs.items():
            if len(content) <= min(limit, room) and len(inline) < 20:
                inline.add(digest)
                room -= len(content)
            else:
                self.require("a blob", len(content))
        return inline

    async def pack(self, id: str, life: str, blobs: Mapping[str, bytes]) -> list[Item]:
        """The items that stand for them; what goes to the bucket is there when this returns."""
        inline = self._inline(blobs)
        items: list[Item] = []
        for digest, content in blobs.items():
            item = key(execution(id), blob_sort(life, digest))
            if digest in inline:
                item |= await self._content(content)
            else:
                name = self.name(id, life, digest.replace(":", "-"))
                await self.keep(name, content)
                item["ref"] = S(name)
            items.append(item)
        return items

    async def unpack(self, item: Item | None) -> bytes | None:
        if item is None:
            return None
        if "ref" in item:
            return await self.fetch(item["ref"]["S"])
        content: bytes = item["packed"]["B"] if "packed" in item else item["content"]["B"]
        return unpack_bytes(content) if "packed" in item else content

    async def _content(self, content: bytes) -> Item:
        """As it is or, when it is smaller so, compressed; in a thread, as it may take a few milliseconds."""
        packed = await asyncio.to_thread(pack_bytes, content, self._place.above)
        return {"content": B(content)} if packed is content else {"packed": B(packed)}
