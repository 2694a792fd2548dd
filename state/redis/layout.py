"""Into how many partitions a store is divided, and which schema it has: said in the first partition at its first
opening, repeated in all others, read at every opening. Each partition has an identity too, by which it is known
whether it is still the one that was opened."""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

from ..errors import InvalidInput, SchemaMismatch, StoreCorrupt
from .address import PARTITIONS, Address
from .exchange import Exchange, together
from .keys import Partitions
from .scripts import script

SCHEMA = 1
_OPEN = script("open")


class Layout(NamedTuple):
    """What was found at the opening: the partitions, and what each said of its identity."""

    partitions: Partitions
    identities: list[bytes]


async def open_layout(exchange: Exchange, address: Address) -> Layout:
    """Raises SchemaMismatch for a newer schema, InvalidInput when the address says another number of partitions."""
    asked = address.partitions or PARTITIONS
    said = await _ask(exchange, Partitions(address.prefix, asked), b"")
    # Any of them will do: a server may have lost its last second, and with it what some of them said.
    found = {(int(schema), int(partitions)) for schema, partitions, _ in said if schema is not None}
    schema, count = max(found, default=(SCHEMA, asked))
    if schema > SCHEMA:
        raise SchemaMismatch(
            f"{address.name} has schema {schema}, and this release knows {SCHEMA}. Upgrade overwinter in this process"
        )
    if len(found) > 1:
        raise StoreCorrupt(f"{address.name}: its partitions disagree on how many they are ({found})")
    if address.partitions not in (None, count):
        raise InvalidInput(
            f"{address.name} has {count} partitions, and that can't be changed. Leave partitions= out of the address"
        )
    partitions = Partitions(address.prefix, count)
    if count != asked or any(None in each for each in said):
        said = await _ask(exchange, partitions, b"%d" % count)
    return Layout(partitions, [identity for _, _, identity in said])


async def _ask(exchange: Exchange, partitions: Partitions, count: bytes) -> list[Any]:
    arguments = [b"%d" % SCHEMA, count, secrets.token_hex(8).encode()]
    return await together(exchange.call(at, _OPEN, [at.meta], arguments, list) for at in partitions.all)
