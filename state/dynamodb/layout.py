"""What lies where in the table. docs/dynamodb.md says the same for people.

    pk              sk                          what
    x#<id>          h                           head of an execution, its mailbox and its last keys inside
    x#<id>          j#<life>#<last seq>         journal entries, as many as one append had
    x#<id>          m#<life>#<lane>#<seq>#<…>   mail that had no room in the head
    x#<id>          s#<life>#<fingerprint>      a deduplication key that had no room in the head
    x#<id>          b#<life>#<digest>           a blob, or where in the bucket it is
    x#<id>          t#<life>                    what was left of an execution that was deleted: to be cleaned up
    v#<scope>       k#<key>                     a key-value entry
    o               o#<owner>                   a process incarnation
    schema          schema                      the version of this layout

A *life* is one execution under its id, from creation to deletion. Everything of it bears its mark, so that a slow
clean-up of a deleted execution can't touch one that was made anew under the same id. Journal items are named by
their last entry: the first item at or after an entry's number holds that entry.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

from ..errors import InvalidInput
from .edit import Item, S

VERSION = 1
SHARDS = 8
"""Partitions of the indexes that everything shares; each takes 1,000 writes a second."""

DUE, LIST, CHILDREN = "due", "list", "children"
INDEXES = {
    DUE: ("d", "S", "w", "N", ["id", "arrivals"]),
    LIST: ("l", "S", "c", "S", ["id", "function", "status", "awaits"]),
    CHILDREN: ("p", "S", "c", "S", ["id"]),
}
"""Name of each index: partition key, sort key, what else it carries."""

ITEM_BYTES = 350_000  # a text or a blob that is put into an item; an item may have 400 KB
SEGMENT_BYTES = 350_000
TRANSACTION_ITEMS = 100
HEAD_MAIL_BYTES = 16_000  # more waiting mail goes to items of its own: every change is paid by the whole head
HEAD_MAIL_SINGLE = 280_000  # but a mail that is alone may be as big as this
HEAD_MAIL_WEIGHT = 160  # counted for each mail beside its text: a hundred empty ones fill the room
HEAD_TEXTS_BYTES = 96_000  # state, note and awaits together
HEAD_KEYS, HEAD_KEYS_KEPT = 24, 8  # deduplication keys in the head; how many of them stay when they are moved out
STALE_AT_ONCE, MOVED_AT_ONCE = 60, 40  # of those at once: an expression may have 4 KB

_KEY_BYTES = 1900
_SORT_BYTES = 900
_TOKEN = 10**12


def execution(id: str) -> str:
    return "x#" + bounded(id, _KEY_BYTES, "an id")


def key(pk: str, sk: str) -> Item:
    return {"pk": S(pk), "sk": S(sk)}


def head_key(id: str) -> Item:
    return key(execution(id), "h")


def journal_sort(life: str, last: int) -> str:
    return f"j#{life}#{last:012d}"


def mail_sort(life: str, lane: int, seq: int, token: int) -> str:
    return f"m#{life}#{lane:02d}#{seq:012d}#{token}"


def mail_span(life: str, lane: int, first: int, last: int = 10**12 - 1) -> tuple[str, str]:
    """Between which sort keys the mails of a lane with these numbers lie."""
    return f"m#{life}#{lane:02d}#{first:012d}#", f"m#{life}#{lane:02d}#{last:012d}#~"


def mail_seq(sort: str) -> int:
    return int(sort.split("#")[3])


def seen_sort(life: str, mark: str) -> str:
    return f"s#{life}#{mark}"


def blob_sort(life: str, digest: str) -> str:
    return f"b#{life}#{digest}"


def owner_key(owner: str) -> Item:
    return key("o", "o#" + bounded(owner, _SORT_BYTES, "an owner"))


def scope(scope: str) -> str:
    return "v#" + bounded(scope, _KEY_BYTES, "a scope")


def value_key(of: str, name: str) -> Item:
    if len(encoded(name, "a key")) > 1000:
        raise InvalidInput("a key of the key-value interface may have 1,000 bytes in DynamoDB; choose a shorter one")
    return key(scope(of), "k#" + name)


def listed(created: int, id: str) -> str:
    """Sort key of the listing: by time, those of one moment by a hash of their ids."""
    return f"{created:015d}.{hashlib.sha256(encoded(id, 'an id')).hexdigest()[:12]}"


def sorted_scope(scope: str) -> str:
    return bounded(scope, _SORT_BYTES, "a scope")


def leased(owner: str) -> str:
    """Partition of the due index for what this owner holds."""
    return "o#" + bounded(owner, _SORT_BYTES, "an owner")


def shard(text: str) -> int:
    return zlib.crc32(text.encode()) % SHARDS


def new_life() -> str:
    return secrets.token_hex(4)


def new_token() -> int:
    """Twelve digits that tell one call from any other."""
    return secrets.randbelow(9 * _TOKEN // 10) + _TOKEN // 10


def stamp(at: int, token: int = 0) -> int:
    """When something was accepted and by which call, as one number that sorts by time."""
    return at * _TOKEN + token


def stamped(stamp: int) -> int:
    """When that was."""
    return stamp // _TOKEN


def short(fingerprint: str) -> str:
    """A fingerprint in 22 characters; attribute names are paid for like values."""
    return urlsafe_b64encode(bytes.fromhex(fingerprint)).decode().rstrip("=")


def long(short: str) -> str:
    """The fingerprint again."""
    return urlsafe_b64decode(short + "==").hex()


def encoded(text: str, what: str = "a text") -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{what} can't be stored: it holds half a surrogate pair") from None


def bounded(text: str, limit: int, what: str) -> str:
    """The text, or its beginning and a hash when it is too long for a key."""
    content = encoded(text, what)
    if len(content) <= limit:
        return text
    return content[: limit - 70].decode(errors="ignore") + "…" + hashlib.sha256(content).hexdigest()
