"""Sealing and opening with AES-256-GCM, for what belongs to one execution or to one scope of values.

A sealed text is text: ``sealed:<format>:<key id>:<base64 of nonce, ciphertext and tag>``; sealed bytes are the same
without base64, in format 1. No JSON text begins like that. Each execution and each scope has a key of its own,
derived from the configured one by HKDF-SHA256 over its name, so a ciphertext can't be opened anywhere else, and the
limit of 2^32 messages that random 96-bit nonces set to a key is one for each execution. The place inside the
execution (``entry 7``, ``mail``, ``blob sha256:…``) is associated data. In format 2 so is the *life* it belongs to, the
time at which the execution was created: nothing of one that was deleted opens in another of the same id.
"""

from __future__ import annotations

import binascii
import os
import re
from typing import NoReturn

from ..compression import pack, unpack
from ..errors import InvalidInput, SchemaMismatch, StoreCorrupt, StoreSealed
from .keys import ID_LENGTH, Keys

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError as error:
    raise InvalidInput("sealing needs the cryptography package; pip install 'overwinter[encryption]'") from error

PREFIX = "sealed:1:"
BOUND = "sealed:2:"
"""How a text begins that is bound to the life of its execution."""
_ANY = re.compile(r"sealed:(\d+):[0-9a-f]{16}:")
_BYTES = PREFIX.encode()
_NONCE = 12
_TEXT_AT = len(PREFIX) + ID_LENGTH + 1
_BYTES_AT = len(_BYTES) + ID_LENGTH // 2


class Box:
    """What belongs to ``name``, a ``kind`` of thing ("execution", "values", "store"), sealed and opened. Texts
    of ``above`` bytes or more are compressed before (0: none are).

    ``seal`` and ``open`` take the place of the text within it. Opening raises StoreSealed (a key that is not
    here), StoreCorrupt (changed, or moved from another place, or not sealed though it must be) and SchemaMismatch
    (sealed by a newer release).
    """

    __slots__ = ("_above", "_bound", "_ciphers", "_head", "_info", "_keys", "_name", "_seal", "_strict")

    def __init__(self, keys: Keys, kind: str, name: str, above: int = 0) -> None:
        self._above = above
        self._keys = keys
        self._name = name
        self._info = f"overwinter sealed 1\n{kind}\n{name}".encode()
        self._ciphers: dict[str, AESGCM] = {}
        self._strict = keys.strict
        self._head = f"{PREFIX}{keys.first.id}:"
        self._bound = f"{BOUND}{keys.first.id}:"
        self._seal = self._cipher(keys.first.id, "").encrypt

    def seal(self, place: str, text: str, life: int | None = None) -> str:
        """With a ``life`` in format 2."""
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._seal(nonce, pack(text, self._above), _associated(place, life))
        head = self._head if life is None else self._bound
        return head + binascii.b2a_base64(sealed, newline=False).decode()

    def open(self, place: str, text: str, life: int | None = None) -> str:
        """``life`` is that of what the text was found in; a text of format 1 belongs to any."""
        bound = text.startswith(BOUND)
        if not (bound or text.startswith(PREFIX)):
            return self._unsealed(place, text)
        cipher = self._cipher(text[len(PREFIX) : _TEXT_AT - 1], place)
        try:
            sealed = binascii.a2b_base64(text[_TEXT_AT:], strict_mode=True)
            associated = _associated(place, life if bound else None)
            return unpack(cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], associated))
        except (InvalidTag, ValueError):
            self.spoiled(place)

    def seal_bytes(self, place: str, content: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        key = bytes.fromhex(self._keys.first.id)
        return b"".join((_BYTES, key, nonce, self._seal(nonce, content, place.encode())))

    def open_bytes(self, place: str, content: bytes) -> bytes:
        if not content.startswith(_BYTES):
            if self._strict:
                self._refused(place)
            return content
        cipher = self._cipher(content[len(_BYTES) : _BYTES_AT].hex(), place)
        view = memoryview(content)
        nonce_end = _BYTES_AT + _NONCE
        try:
            return cipher.decrypt(view[_BYTES_AT:nonce_end], view[nonce_end:], place.encode())
        except (InvalidTag, ValueError):
            self.spoiled(place)

    def _cipher(self, id: str, place: str) -> AESGCM:
        cipher = self._ciphers.get(id)
        if cipher is None:
            key = self._keys.by_id.get(id)
            if key is None:
                raise StoreSealed(
                    f"the {place} of {self._name!r} is sealed with key {id}, which this process does not have; "
                    "name that key in OVERWINTER_KEYS too"
                )
            derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=self._info).derive(key.secret)
            cipher = self._ciphers[id] = AESGCM(derived)
        return cipher

    def _unsealed(self, place: str, text: str) -> str:
        newer = _ANY.match(text)
        if newer is not None:
            raise SchemaMismatch(
                f"the {place} of {self._name!r} is sealed in format {newer[1]}, which this release does not know; "
                "upgrade this process"
            )
        if self._strict:
            self._refused(place)
        return text

    def _refused(self, place: str) -> NoReturn:
        raise StoreCorrupt(
            f"the {place} of {self._name!r} is not sealed, and OVERWINTER_KEYS says strict: "
            "somebody else may have put it there"
        )

    def spoiled(self, place: str) -> NoReturn:
        raise StoreCorrupt(
            f"the {place} of {self._name!r} can't be opened: it was changed, or brought here from another place"
        )


def _associated(place: str, life: int | None) -> bytes:
    return (place if life is None else f"{place} of {life}").encode()


def is_sealed(text: str) -> bool:
    return text.startswith((PREFIX, BOUND))


def key_of(text: str | bytes) -> str:
    """Id of the key that a text or bytes are sealed with; empty when they are not sealed."""
    if isinstance(text, bytes):
        return text[len(_BYTES) : _BYTES_AT].hex() if text.startswith(_BYTES) else ""
    return text[len(PREFIX) : _TEXT_AT - 1] if is_sealed(text) else ""
