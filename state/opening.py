"""From a DSN to a store: the one place that knows which stores there are."""

from __future__ import annotations

import os

from ..security.address import shown
from ..security.keyed import Keyed
from ..security.redaction import remember_address
from .compression import said
from .errors import InvalidInput
from .store import Store

DEFAULT = "sqlite:///overwinter.db"
AUDIT_KEY = "OVERWINTER_AUDIT_KEY"
"""Says where the keys lie that link what the audit holds; the first links, all of them check."""


KNOWN = (
    "sqlite:///relative.db, sqlite:////absolute/path.db, redis://host:6379/0 (also rediss://, redis+cluster://, "
    "redis+sentinel://), dynamodb://table, memory://"
)
_REDIS = frozenset({"redis", "rediss", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel"})


def open_store(dsn: str | None = None, *, sealed: bool = True) -> Store:
    """The store of a DSN, not opened yet. Without one, ``OVERWINTER_STATE`` says which, else it is
    ``sqlite:///overwinter.db`` in the current folder. With ``OVERWINTER_KEYS`` its payloads are sealed, unless
    ``sealed`` is False: then they are seen as they are stored. With ``OVERWINTER_AUDIT_KEY`` what the audit holds is
    linked with a key. Raises InvalidInput that names what there is, or what
    to install."""
    dsn = dsn or os.environ.get("OVERWINTER_STATE") or DEFAULT
    remember_address(dsn)
    scheme, found, _ = dsn.partition("://")
    if not found:
        scheme = ""
    try:
        store = _store(scheme, dsn)
    except ModuleNotFoundError as error:
        extra = {"redis": "redis", "hiredis": "redis", "boto3": "dynamodb", "botocore": "dynamodb"}.get(
            (error.name or "").partition(".")[0]
        )
        if extra is None:
            raise
        raise InvalidInput(
            f"a store at {scheme}:// needs a package that is not installed ({error.name}); install it: "
            f"pip install 'overwinter[{extra}]'"
        ) from None
    if store is None:
        raise InvalidInput(f"there is no store for {shown(dsn)!r}; these are: {KNOWN}")
    if os.environ.get(AUDIT_KEY):
        store.audit_key = _audit_key()
    if not (sealed and os.environ.get("OVERWINTER_KEYS")):
        return store
    from .sealing.keys import read_keys

    keys = read_keys()
    if keys is None:
        return store
    from .sealing.store import SealedStore

    return SealedStore(store, keys, said(dsn))


def _audit_key() -> Keyed | None:
    from .sealing.keys import read_keys

    keys = read_keys(variable=AUDIT_KEY)
    if keys is not None and keys.strict:
        raise InvalidInput(f"{AUDIT_KEY} holds a word that is no reference; write env:NAME or file:/run/secrets/key")
    return None if keys is None else Keyed({id: keys.by_id[id].secret for id in (keys.first.id, *keys.by_id)})


def _store(scheme: str, dsn: str) -> Store | None:
    if scheme == "sqlite":
        from .sqlite.store import SqliteStore

        return SqliteStore(dsn)
    if scheme in _REDIS:
        from .redis.store import RedisStore

        return RedisStore(dsn)
    if scheme == "dynamodb":
        from .dynamodb.store import DynamoStore

        return DynamoStore(dsn)
    if scheme == "memory":
        from .memory import MemoryStore

        return MemoryStore(dsn)
    return None
