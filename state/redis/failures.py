"""What Redis and the network report, as errors of the store: where, what happened, what to do."""

from __future__ import annotations

import ssl

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

from ..errors import (
    InvalidInput,
    OverwinterError,
    PayloadTooLarge,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
)
from .wire import Refusal

PASSING = frozenset(
    {
        "LOADING",  # it has just started
        "BUSY",  # a script of somebody else runs for too long
        "TRYAGAIN",  # the keys of one call are being moved to another node
        "CLUSTERDOWN",  # a part of the cluster has no primary yet
        "MASTERDOWN",
        "READONLY",  # a replica, or a primary that is about to become one
        "NOREPLICAS",
    }
)
"""Refusals that pass by themselves."""

_ALONE = "Cluster mode is not enabled"
_ADVICE = {
    "LOADING": "it is still loading its data",
    "BUSY": "a script of somebody else keeps it busy. Find it in SLOWLOG, and end it with SCRIPT KILL",
    "TRYAGAIN": "the cluster is moving these keys to another node. It will be done soon",
    "CLUSTERDOWN": "the cluster has lost nodes that it needs. See CLUSTER NODES",
    "MASTERDOWN": "its primary can't be reached",
    "NOREPLICAS": "it has fewer replicas than min-replicas-to-write asks for. Start them, or lower that",
}
_DENIED = {
    "NOAUTH": "it asks for a password. Write it into the address: redis://user:PASSWORD@host:6379/0",
    "WRONGPASS": "the user or the password is wrong",
    "NOPERM": "the user may not do this. It needs the keys ~{prefix:*, the channels &prefix:* and +@all -@admin",
}


def passes(error: Refusal | Exception) -> bool:
    """Whether trying again may help. A server that refuses who asks, or is full, is not asked again at once."""
    if isinstance(error, Refusal):
        return error.code in PASSING or "max number of clients" in error.text
    if isinstance(error, (BusyLoadingError, MasterDownError)):
        return True
    if isinstance(error, RedisClusterException):
        return _ALONE not in str(error)
    if isinstance(error, (ResponseError, InvalidResponse)):
        return False
    if isinstance(error, AuthenticationError) or isinstance(error.__context__, ssl.SSLCertVerificationError):
        return False
    return isinstance(error, (RedisError, OSError, StoreUnavailable, EOFError))


def translate(error: Refusal | Exception, name: str) -> OverwinterError:
    """The store's error for a refusal, or for what was raised on the way. ``name`` shows no password."""
    if isinstance(error, OverwinterError):
        return error
    if isinstance(error, Refusal):
        return _translate_refusal(error, name)
    if isinstance(error, (AuthenticationError, NoPermissionError)):
        return StoreUnavailable(f"{name} refuses who asks ({error}). Check the user and the password in its address")
    if isinstance(error, InvalidResponse):
        return StoreCorrupt(f"what answers at {name} does not speak Redis' protocol. Check the host and the port")
    if isinstance(error, ResponseError):
        return _translate_refusal(Refusal(str(error)), name)
    if isinstance(error.__context__, ssl.SSLError):
        return StoreUnavailable(
            f"{name} can't be reached over TLS ({error.__context__}). Check ssl_ca_certs, ssl_certfile and ssl_keyfile"
        )
    if isinstance(error, RedisClusterException) and _ALONE in str(error):
        return InvalidInput(f"{name} is one server and no cluster; write redis://")
    if isinstance(error, (RedisError, RedisClusterException, OSError, EOFError)):
        return StoreUnavailable(f"{name} can't be reached ({error}). Check that it runs, and the address")
    if isinstance(error, (ValueError, TypeError, OverflowError)):
        return InvalidInput(f"this value can't be stored: {error}")
    return StoreError(f"{name}: {type(error).__name__}: {error}")


def _translate_refusal(refusal: Refusal, name: str) -> OverwinterError:
    code, text = refusal.code, refusal.text
    if code == "OOM":
        return StoreFull(
            f"{name} has no memory left (maxmemory). Raise it, or prune; nothing that was acknowledged is lost"
        )
    if code == "MISCONF":
        return StoreFull(
            f"{name} can't write to its disk and takes nothing more ({text}). Free space; nothing is lost that was"
            " acknowledged and written"
        )
    if code == "READONLY":
        return StoreReadOnly(f"{name} is a replica and can't be written. Connect to the primary, or through Sentinel")
    if code in _ADVICE:
        return StoreUnavailable(f"{name}: {_ADVICE[code]}")
    if code in _DENIED:
        return StoreUnavailable(f"{name} refuses: {_DENIED[code]} ({text})")
    if "max number of clients" in text:
        return StoreUnavailable(f"{name} has no connection left (maxclients)")
    if code == "WRONGTYPE":
        return StoreCorrupt(f"{name}: a key with this prefix is not what it should be. Choose another prefix ({text})")
    if "invalid bulk length" in text:
        return PayloadTooLarge(f"a value is too big for {name} (proto-max-bulk-len). Store it elsewhere")
    return StoreError(f"{name}: {text}")
