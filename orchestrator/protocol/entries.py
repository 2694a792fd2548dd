"""Facts to journal texts and back, with big fields moved to blobs.

A text above BLOB_THRESHOLD bytes loses its largest field to a blob; the entry says so outside of user data:
``"blob": {"field": "value", "digest": "sha256:…", "size": …}``. One value above ``limit`` bytes is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from ...security.address import shown
from ...security.chain import FIELD
from ...state.codec import cleaned, dumps, loads
from ...state.errors import InvalidInput, PayloadTooLarge, StoreCorrupt
from ...state.records import BLOB_THRESHOLD, PAYLOAD_LIMIT, Mail
from ...state.store import Store
from ...state.whole import GAP
from .decider import Fact

ROOM = 1024
"""Bytes that a key-value entry counts more than its value: it must fit with its etag into what a read records."""

PARCEL = "parcel"
"""Field of a fact on its way into a journal: bytes by their digests, which lie beside it. It is never written."""

UNREADABLE = "unreadable"

_FIELDS = ("value", "input", "data", "content", "error", "events", "event", "outcome", "definition", "state", "kept")


class Encoded(NamedTuple):
    """A journal text and the blobs it refers to."""

    text: str
    blobs: dict[str, bytes]


def encode(fact: Fact, limit: int = PAYLOAD_LIMIT) -> Encoded:
    """The journal text of a fact. Raises PayloadTooLarge, InvalidInput (a value without a JSON form)."""
    try:
        text = dumps(fact)
    except InvalidInput:
        fact = cleaned(fact)  # values were checked where they came in; a name or a reason was not
        text = dumps(fact)
    if len(text) <= BLOB_THRESHOLD // 4 or len(text.encode()) <= BLOB_THRESHOLD:
        return Encoded(text, {})
    field = max((name for name in _FIELDS if name in fact), key=lambda name: len(dumps(fact[name])), default="")
    if not field:
        raise PayloadTooLarge(f"{_called(fact)} has {len(text):,} bytes, and no field that can go to a blob")
    body = dumps(fact[field]).encode()
    check_size(len(body), f"the {field} of {_called(fact)}", limit)
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    small = {key: value for key, value in fact.items() if key != field}
    small["blob"] = {"field": field, "digest": digest, "size": len(body)}
    text = dumps(small)
    check_size(len(text.encode()), f"{_called(fact)} without its {field}", BLOB_THRESHOLD)
    return Encoded(text, {digest: body})


def _called(fact: Fact) -> str:
    """What an entry is, for people."""
    kind = str(fact.get("kind", fact["type"])) if fact["type"] == "ordered" else str(fact["type"])
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"


def check_size(bytes_: int, what: str, limit: int = PAYLOAD_LIMIT) -> None:
    """Refuse a value over the limit, by name."""
    if bytes_ > limit:
        raise PayloadTooLarge(
            f"{what} has {bytes_:,} bytes, the limit is {limit:,}; store it elsewhere and pass a reference to it"
        )


def decode(text: str) -> Fact:
    """The fact of a journal or mail text, its blob not yet read, without its link. Raises StoreCorrupt."""
    try:
        fact = loads(text)
    except (ValueError, TypeError) as error:
        if text == GAP:
            raise StoreCorrupt("it is missing in the store, or is no text there") from None
        raise StoreCorrupt(f"a journal entry is not JSON ({error}): {text[:80]!r}") from None
    if not isinstance(fact, dict) or "type" not in fact:
        raise StoreCorrupt(f"a journal entry is no object with a type: {text[:80]!r}")
    told = cast("Fact", fact)  # keys of a JSON object are text
    told.pop(FIELD, None)
    return told


def decode_all(texts: Sequence[str], first: int) -> list[Fact]:
    """The facts of entries numbered from ``first``. Raises StoreCorrupt naming the one that can't be read."""
    try:
        return [decode(text) for text in texts]
    except StoreCorrupt:
        for number, text in enumerate(texts, first):
            try:
                decode(text)
            except StoreCorrupt as error:
                raise StoreCorrupt(f"entry {number} can't be read: {error}") from None
        raise


def shown_anyway(text: str, number: int) -> Fact:
    """The fact of an entry for people: one that can't be read is of the type ``damaged``, and ``error`` says why."""
    try:
        return decode(text)
    except StoreCorrupt as error:
        return {"type": "damaged", "error": f"entry {number} can't be read: {error}"}


def without_blob(fact: Fact) -> Fact:
    """The fact as it is shown without a look at its blob: the field that lies there reads ``{"$blob", "size"}``."""
    there: dict[str, Any] | None = fact.get("blob")
    if isinstance(there, dict):
        fact[str(there.get("field"))] = {"$blob": there.get("digest"), "size": there.get("size")}
    return fact


def read_mail(mail: Mail) -> Fact:
    """The fact of a mail. One that can't be read stays in the mailbox, and says why the execution can't go on."""
    try:
        return decode(mail.body)
    except StoreCorrupt as error:
        advice = "upgrade this process and resume it, or terminate it"
        return {"type": UNREADABLE, "error": f"mail {mail.seq} can't be read: {error}; {advice}"}


async def resolve(store: Store, id: str, facts: Sequence[Fact]) -> None:
    """Put back in place what of an execution's facts lies in blobs. Raises StoreCorrupt when a blob is missing."""
    for fact in facts:
        if "blob" in fact:
            digest, field, body = await _referred(store, id, fact)
            try:
                fact[field] = loads(body)
            except ValueError as error:
                raise StoreCorrupt(f"blob {digest} of a {fact['type']} entry is not JSON ({error})") from None
            del fact["blob"]  # only now: until then the fact is not whole, and must not be taken for it


async def _referred(store: Store, id: str, fact: Fact) -> tuple[str, str, bytes]:
    """Digest, field and content of the blob that a fact refers to. Raises StoreCorrupt."""
    reference = fact["blob"]
    try:
        digest, field = str(reference["digest"]), str(reference["field"])
    except (TypeError, KeyError):
        raise StoreCorrupt(f"a {fact['type']} entry refers to a blob, and it can't be read to which") from None
    body = await store.blob(id, digest)
    if body is None:
        raise StoreCorrupt(f"blob {digest} of a {fact['type']} entry is missing in {shown(store.dsn)}")
    return digest, field, body
