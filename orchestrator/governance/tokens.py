"""Tokens that let an outside system complete one callback, and nothing else.

A token names the execution and the operation and proves it with a secret that only the execution's seed gives.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import NamedTuple

from ...state.errors import InvalidInput

_PREFIX = "owcb_"


class Token(NamedTuple):
    """What a token says."""

    execution: str
    op: str
    secret: str


def secret_of(seed: str, op: str) -> str:
    """The secret of an operation's callback: 32 hex digits."""
    return hashlib.sha256(f"callback\n{seed}\n{op}".encode()).hexdigest()[:32]


def next_seed(seed: str) -> str:
    """The seed after a checkpoint."""
    return hashlib.sha256(f"checkpoint\n{seed}".encode()).hexdigest()[:32]


def make(execution: str, op: str, secret: str) -> str:
    """A token, safe in URLs."""
    body = f"{secret}\n{op}\n{execution}".encode()
    return _PREFIX + base64.urlsafe_b64encode(body).decode().rstrip("=")


def parse(token: str) -> Token:
    """Read a token. Raises InvalidInput when it is none; whether its secret is right, the execution decides."""
    body = token.removeprefix(_PREFIX)
    try:
        if body == token:
            raise ValueError("prefix")
        secret, op, execution = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode().split("\n", 2)
    except (ValueError, binascii.Error):
        raise InvalidInput(f"{token[:16]!r}… is no callback token; use the one that ctx.callback gave") from None
    return Token(execution, op, secret)
