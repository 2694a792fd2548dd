"""Names of the keys. All that belongs to one execution lies in one partition, and all keys of a partition have the
same hash tag, so a cluster keeps them on one node.

    {ow:3}:head:ID      hash  the head, by the names of ``records.Head``; an absent field is None,
                              or 0 for deaths.
                              grant: token of the accept that took the lease. token: of the last change
    {ow:3}:journal:ID   list  entries, the first one first
    {ow:3}:mail:ID      zset  "seq:lane:at:body", scored lane * 2^40 + seq
    {ow:3}:seen:ID      zset  fingerprint of a deduplication key (16 bytes), scored minute * 2^27 + a hash of the
                              token of the accept that brought it. Longer ones stand for mail without a key
    {ow:3}:blobs:ID     hash  digest -> bytes
    {ow:3}:due          zset  ids, scored by wake time; those that have one and are not leased
    {ow:3}:leased       zset  sha1(owner), wake time in 16 digits (0: none), id; all scored 0
    {ow:3}:owners       hash  owner -> when its leases end; 0 when it retired or never beat
    {ow:3}:counts       hash  status -> number of executions
    {ow:3}:created      zset  time in 16 digits, id; all scored 0
    {ow:3}:children     zset  sha1(parent), time created in 16 digits, id; all scored 0
    {ow:3}:rare         zset  status ":" time created in 16 digits, id; statuses that people look for
    {ow:3}:values:SCOPE hash  key -> etag ":" value
    {ow:3}:keys:SCOPE   zset  the keys of that scope; all scored 0
    {ow:3}:scopes       zset  the scopes that have keys; all scored 0
    {ow:3}:receipt:…    string, gone after an hour: this token's removal took place
    {ow:3}:staged:…     parts of an execution that is being restored; gone after an hour
    {ow:3}:meta         hash  schema, partitions; identity: made up when it was first opened

Every key that a script writes is handed to it as such, although it could make the names itself: while a cluster
moves a slot from node to node, only then is a script refused whose keys have partly gone.
"""

from __future__ import annotations

import hashlib
from zlib import crc32

from redis.crc import key_slot

from ..records import IN_DOUBT
from .wire import bulk

RARE = frozenset({IN_DOUBT, "failed", "stuck", "paused", "cancelled", "terminated"})
"""Statuses that have an index."""


class Partition:
    """The keys of one partition. ``slot`` is where a cluster keeps them."""

    def __init__(self, prefix: str, number: int) -> None:
        self.number = number
        self.tag = f"{{{prefix}:{number}}}:".encode()
        self.slot = key_slot(self.tag)
        self.due, self.leased, self.owners = self._named("due"), self._named("leased"), self._named("owners")
        self.counts, self.created, self.children = (
            self._named("counts"),
            self._named("created"),
            self._named("children"),
        )
        self.rare, self.scopes, self.meta = self._named("rare"), self._named("scopes"), self._named("meta")
        # What accept and append name in every call, packed once.
        self.accepting = b"".join(
            map(bulk, (self.due, self.leased, self.owners, self.counts, self.created, self.children, self.rare))
        )
        self.appending = b"".join(map(bulk, (self.due, self.leased, self.counts, self.rare)))

    def _named(self, name: str) -> bytes:
        return self.tag + name.encode()

    def packed(self, name: bytes, *kinds: bytes) -> bytes:
        """The keys of those kinds for an execution, packed."""
        tag, size = self.tag, len(self.tag) + 1 + len(name)
        return b"".join([b"$%d\r\n%b%b:%b\r\n" % (size + len(kind), tag, kind, name) for kind in kinds])

    def of(self, kind: bytes, name: bytes) -> bytes:
        """The key of that kind for an execution, a scope or a token."""
        return b"%b%b:%b" % (self.tag, kind, name)


class Partitions:
    """All partitions of a store, and which one an execution or a scope lies in."""

    def __init__(self, prefix: str, count: int) -> None:
        self.all = [Partition(prefix, number) for number in range(count)]
        self._count = count

    def __call__(self, name: bytes) -> Partition:
        return self.all[crc32(name) % self._count]


def digits(time: int) -> bytes:
    """A time as it stands in the indexes, so that their order is that of time."""
    return b"%016d" % time


def sha1(name: str) -> bytes:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest().encode()
