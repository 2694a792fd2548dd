"""Links that only who has a key can make: an HMAC in the place of a plain digest.

    ~Tq2xbD0…     "~", four characters that tell the key, and 20 bytes of HMAC-SHA256 as base64

It is over the same text as a plain link (``security.chain``), and has the same length, so that chains of both kinds are
read alike. Who can write a store and has no key can still take entries from its end, and can write plain links: what
must be keyed is for whoever proves a chain to know. The first of several keys links, all of them check.
"""

from __future__ import annotations

import hmac
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Mapping

MARK = "~"
"""No plain link begins with it: it is no letter of base64."""
_TAG = 3
_BYTES = 20


class Keyed:
    """``secrets`` by the ids of the keys, which are hexadecimal. ``id`` is that of the key that links."""

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self.id = next(iter(secrets))
        self.begin = MARK + _tag(self.id)
        """What the links that are made begin with."""
        self._first = secrets[self.id]
        self._secrets = {MARK + _tag(id): secret for id, secret in secrets.items()}
        self._secrets[self.begin] = self._first

    def link(self, before: str, text: str) -> str:
        """The link of a text that follows the link ``before``."""
        return _link(self.begin, self._first, before, text)

    def holds(self, link: str, before: str, text: str) -> bool | None:
        """Whether it is the link of that text; None when its key is not here."""
        begin = link[: len(self.begin)]
        secret = self._secrets.get(begin)
        return None if secret is None else hmac.compare_digest(link, _link(begin, secret, before, text))

    def signed(self, text: str) -> str:
        """What shows that who has the key has said that. ``text`` begins as nothing does that a link is of."""
        return hmac.digest(self._first, text.encode(), "sha256").hex()

    def has_signed(self, text: str, mac: str) -> bool:
        """Whether ``signed`` gave that with one of the keys."""
        said = mac.encode("utf-8", "surrogatepass")
        macs = [hmac.digest(secret, text.encode(), "sha256").hex() for secret in self._secrets.values()]
        return any([hmac.compare_digest(said, one.encode()) for one in macs])


def is_keyed(link: str) -> bool:
    return link.startswith(MARK)


def key_of(link: str) -> str:
    """The beginning of the id of the key that a link was made with, "" when it says none."""
    try:
        return a2b_base64(link[1 : 1 + _TAG * 4 // 3], strict_mode=True).hex()
    except (Error, ValueError):
        return ""


def _tag(id: str) -> str:
    return b2a_base64(bytes.fromhex(id)[:_TAG], newline=False).decode()


def _link(begin: str, secret: bytes, before: str, text: str) -> str:
    digest = hmac.digest(secret, f"{before}\n{text}".encode("utf-8", "surrogatepass"), "sha256")
    return begin + b2a_base64(digest[:_BYTES], newline=False).decode().rstrip("=")
