"""Acts as lines, for an archive or a system that collects them.

JSON lines, of which the last but one kind are anchors that ``prove`` can be held against later:

    {"overwinter": "audit", "format": 1, "at": ms, "from": "sqlite:///…", "release": "…"}
    {"act": {"at", "by", "what", "on", "function", "reason", "details", "chain", "n", "link"}}
    {"chain": "…", "n": …, "link": "…"}             how far each chain had come
    {"total": {"acts": n, "chains": n}, "hmac": "…"?}       the last line: nothing was cut off

``hmac``, when there is a secret: HMAC-SHA256 over all lines before and this one's ``total``, as hex. An export that
lies where others can write is only worth something with it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any, NamedTuple, cast

from ...security.address import shown
from ...state.codec import dumps, loads
from ...state.errors import InvalidInput
from ...state.store import Store
from . import ocsf
from .acts import Wanted
from .proving import Anchor, Proven
from .reading import acts
from .store_chain import entry_number

FORMAT = 1
_NONE = "no export of an audit; overwinter audit export writes one"


class Written(NamedTuple):
    """How many acts and anchors were written."""

    acts: int
    chains: int


async def export(
    store: Store,
    write: Callable[[bytes], object],
    wanted: Wanted,
    proven: AsyncGenerator[Proven],
    *,
    at: int,
    release: str,
    secret: bytes = b"",
) -> Written:
    """Write the acts that fit, then an anchor for each chain that is ``proven``. Raises StoreError."""
    sealing = hmac.new(secret, digestmod=hashlib.sha256)

    def line(value: dict[str, Any]) -> None:
        text = dumps(value).encode() + b"\n"
        sealing.update(text)
        write(text)

    line({"overwinter": "audit", "format": FORMAT, "at": at, "from": shown(store.dsn), "release": release})
    count = chains = 0
    async with aclosing(acts(store, wanted)) as found:
        async for act in found:
            line({"act": act.record()})
            count += 1
    async with aclosing(proven) as all_of_them:
        async for one in all_of_them:
            if one.link:
                line({"chain": one.chain, "n": one.entries, "link": one.link})
                chains += 1
    total: dict[str, Any] = {"total": {"acts": count, "chains": chains}}
    sealing.update(dumps(total).encode())
    write(dumps(total | ({"hmac": sealing.hexdigest()} if secret else {})).encode() + b"\n")
    return Written(count, chains)


async def export_ocsf(store: Store, write: Callable[[bytes], object], wanted: Wanted, *, release: str) -> Written:
    """Write the acts that fit as events of OCSF, one a line."""
    count = 0
    async with aclosing(acts(store, wanted)) as found:
        async for act in found:
            write(dumps(ocsf.event(act, release)).encode() + b"\n")
            count += 1
    return Written(count, 0)


class Read(NamedTuple):
    """The anchors of an export. ``signed``: it carries an HMAC, which was checked if there was a secret."""

    anchors: list[Anchor]
    signed: bool


def anchors(lines: Iterable[bytes], secret: bytes = b"") -> Read:
    """What an export keeps. Raises InvalidInput when it is none, was cut off, or is not what was written with this
    secret."""
    sealing = hmac.new(secret, digestmod=hashlib.sha256)
    found: list[Anchor] = []
    number, told, ended, signed = 0, 0, False, False
    for number, raw in enumerate(lines, 1):
        line = _begin(raw) if number == 1 else _line(raw, number)
        try:
            if ended:
                raise ValueError("there is more after the last line (total)")
            if "chain" in line:
                found.append(Anchor(str(line["chain"]), entry_number(line["n"]), str(line["link"])))
            told += "act" in line
            if "total" in line:
                ended, signed = True, "hmac" in line
                _end(line, told, found, sealing, secret)
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidInput(f"line {number:,} of the export: {error}") from None
        sealing.update(raw)
    if not number:
        raise InvalidInput(f"it is empty; {_NONE}")
    if not ended:
        raise InvalidInput(f"the export ends after line {number:,}, before its last line; it was cut off")
    return Read(found, signed)


def _begin(raw: bytes) -> dict[str, Any]:
    """The first line, which says what it is. Raises InvalidInput."""
    try:
        line = loads(raw)
    except ValueError:
        line = None
    if not isinstance(line, dict):
        raise InvalidInput(f"it is {_NONE}")
    told = cast("dict[str, Any]", line)
    if told.get("overwinter") == "store":
        raise InvalidInput(f"it is the export of a store, and {_NONE}")
    if "class_uid" in told:
        raise InvalidInput(f"it holds events of OCSF, which have no anchors, and is {_NONE}, without --ocsf")
    if told.get("overwinter") != "audit":
        raise InvalidInput(f"it is {_NONE}")
    if told.get("format") != FORMAT:
        raise InvalidInput(f"it has format {told.get('format')!r}; this release reads {FORMAT}. Upgrade this process")
    return told


def _line(raw: bytes, number: int) -> dict[str, Any]:
    try:
        line = loads(raw)
    except ValueError:
        line = None
    if not isinstance(line, dict):
        raise InvalidInput(f"line {number:,} of the export is none; it was changed, or cut off")
    return cast("dict[str, Any]", line)


def _end(line: dict[str, Any], told: int, found: list[Anchor], sealing: hmac.HMAC, secret: bytes) -> None:
    """Raises ValueError."""
    if line["total"]["chains"] != len(found):
        raise ValueError(f"{line['total']['chains']} chains were exported, {len(found)} are here")
    if secret and "hmac" not in line:
        raise ValueError(
            "it was written without a secret, or its signature was taken out; leave --secret out to use it"
        )
    if secret:
        sealing.update(dumps({"total": line["total"]}).encode())
        if not hmac.compare_digest(sealing.hexdigest(), str(line["hmac"])):
            raise ValueError("it was changed, or was written with another secret: its HMAC is another one")
    if line["total"]["acts"] != told:
        raise ValueError(f"{line['total']['acts']} acts were exported, {told} are here")
