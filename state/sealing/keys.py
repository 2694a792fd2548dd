"""The keys that payloads are sealed with, by reference: never the key itself stands in a configuration.

    OVERWINTER_KEYS="env:SHOP_KEY"                              one key, in the environment variable SHOP_KEY
    OVERWINTER_KEYS="file:/run/secrets/new file:/run/secrets/old"   the first seals, all of them open
    OVERWINTER_KEYS="strict env:SHOP_KEY"                       and what is not sealed is not read

A key is 32 random bytes as base64 or hex; ``new_key`` makes one. Its id is the beginning of its SHA-256: what
was sealed says with which key, and nobody learns the key from that.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InvalidInput

VARIABLE = "OVERWINTER_KEYS"
LENGTH = 32
ID_LENGTH = 16
"""Characters of a key's id: 8 bytes of SHA-256 in hex."""

ADVICE = "a key is 32 random bytes as base64 or hex; make one with `overwinter store new-key`"
_FEWEST_VALUES = 16  # of 32 random bytes about 30 differ; fewer than 16 do once in 10^15 times
_STRICT = "strict"


@dataclass(frozen=True)
class Key:
    """One key. ``reference`` says where it came from; neither ``repr`` nor any error shows the secret."""

    id: str
    secret: bytes = field(repr=False)
    reference: str


@dataclass(frozen=True)
class Keys:
    """``first`` seals, all of ``by_id`` open. ``strict``: what is not sealed is refused, not read as it is."""

    first: Key
    by_id: Mapping[str, Key]
    strict: bool = False


def new_key() -> str:
    """A new key, as base64."""
    return base64.b64encode(secrets.token_bytes(LENGTH)).decode()


def id_of(text: str) -> str:
    """The id of a key as it is written. Raises InvalidInput when it is none."""
    return _id(_decoded(text, "what was given"))


def read_keys(references: str | None = None, variable: str = VARIABLE) -> Keys | None:
    """The keys of references, by default those in the environment's ``variable``; None when there are none.

    Raises InvalidInput for a reference that leads nowhere and for a key that is none.
    """
    text = os.environ.get(variable, "") if references is None else references
    words = [word for word in re.split(r"[\s,]+", text) if word]
    if not text:
        return None
    if not words:  # as of "$NEW,$OLD" when neither is set: without a key is for who says so
        raise InvalidInput(f"{variable} is set, and names no key; write env:NAME or file:/path, or unset it")
    named = [word for word in words if word != _STRICT]
    if not named:
        raise InvalidInput(f"{variable} says {_STRICT} and names no key; add env:NAME or file:/path")
    keys = [_key(word, variable) for word in named]
    return Keys(keys[0], {key.id: key for key in reversed(keys)}, len(named) < len(words))


def _key(reference: str, variable: str) -> Key:
    scheme, _, rest = reference.partition(":")
    if scheme == "env" and rest:
        text = os.environ.get(rest, "")
        if not text.strip():
            raise InvalidInput(f"{variable} names {reference}, and the environment has no {rest}; set it: {ADVICE}")
    elif scheme == "file" and rest:
        try:
            text = Path(rest).read_text("ascii", "replace")
        except OSError as error:
            raise InvalidInput(f"{variable} names {reference}, which can't be read ({error.strerror})") from None
    else:
        raise InvalidInput(  # which one is not said: it may be a key
            f"{variable} holds a word that is no reference; write env:NAME or file:/run/secrets/key, never a key itself"
        )
    secret = _decoded(text.strip(), reference)
    return Key(_id(secret), secret, reference)


def _id(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()[:ID_LENGTH]


def _decoded(text: str, reference: str) -> bytes:
    try:
        if re.fullmatch(r"[0-9a-fA-F]{64}", text):
            secret = bytes.fromhex(text)
        else:
            plain = text.replace("-", "+").replace("_", "/").rstrip("=")
            secret = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(f"{reference} holds no key (neither base64 nor hex); {ADVICE}") from None
    if len(secret) != LENGTH:
        raise InvalidInput(f"the key of {reference} has {len(secret)} bytes instead of {LENGTH}; {ADVICE}")
    if len(set(secret)) < _FEWEST_VALUES or all(0x20 <= byte < 0x7F for byte in secret):
        raise InvalidInput(f"the key of {reference} is not random (a word or a pattern can be guessed); {ADVICE}")
    return secret
