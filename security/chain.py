"""Texts in a chain: each ends with a digest of itself and of the one before, so that none can be changed, taken out or
put elsewhere without the digests saying so.

    {"type":"step","at":1,"op":"0","link":"pR2…"}

``link`` is the last field: the first 24 bytes of SHA-256 over the link before, a line feed, and the text as it would be
without it, as base64. What the first text of a chain follows is ``root`` of what the chain is of, so that no chain can
stand in another one's place. Whoever can write all of a chain can make it anew: only a link that is kept elsewhere
shows that, or a key that he has not (``security.keyed``).
"""

from __future__ import annotations

from binascii import b2a_base64
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from .keyed import Keyed, is_keyed, key_of

FIELD = "link"
LENGTH = 32
"""Characters of a link."""
_BEFORE, _AFTER = f',"{FIELD}":"', '"}'
_TAIL = len(_BEFORE) + LENGTH + len(_AFTER)
_FEW = 20


def root(name: str) -> str:
    """What the first text of a chain follows."""
    return f"overwinter {name}"


def link_of(text: str) -> str:
    """The link that a text ends with; "" when it has none."""
    tail = text[-_TAIL:]
    return tail[len(_BEFORE) : -len(_AFTER)] if tail.startswith(_BEFORE) and tail.endswith(_AFTER) else ""


def linked(before: str, text: str) -> str:
    """The JSON object ``text`` with its link to what the link ``before`` is of."""
    return f"{text[:-1]}{_BEFORE}{_digest(before, text)}{_AFTER}"


def linked_all(before: str, texts: Iterable[str]) -> tuple[list[str], str]:
    """The texts one after the other, and the last link. Every commit is made here, so it is written out."""
    made: list[str] = []
    for text in texts:
        digest = sha256(f"{before}\n{text}".encode("utf-8", "surrogatepass")).digest()
        before = b2a_base64(digest[:24], newline=False).decode()
        made.append(f"{text[:-1]}{_BEFORE}{before}{_AFTER}")
    return made, before


def keyed_all(key: Keyed, before: str, texts: Iterable[str]) -> tuple[list[str], str]:
    """The same with links that only who has the key can make."""
    made: list[str] = []
    for text in texts:
        before = key.link(before, text)
        made.append(f"{text[:-1]}{_BEFORE}{before}{_AFTER}")
    return made, before


def without(text: str) -> str:
    """The text as it was before it was linked."""
    return text[:-_TAIL] + "}" if link_of(text) else text


def _digest(before: str, text: str) -> str:
    digest = sha256(f"{before}\n{text}".encode("utf-8", "surrogatepass")).digest()
    return b2a_base64(digest[:24], newline=False).decode()


class Broken(NamedTuple):
    """A place where a chain does not hold; ``number`` is that of the text, from 1."""

    number: int
    what: str


class Proof:
    """Looks at one chain, text by text; ``follows`` is its root. ``broken`` says where it does not hold, ``begins`` is
    the number of its first link (0: it has none), ``last`` the link of the text that was looked at last, "" when that
    has none. ``unkeyed`` are the texts, from one number to another, that were not linked with the first key of ``key``;
    ``unchecked`` counts, by the beginning of the link, those of which the key is not here."""

    def __init__(self, follows: str, key: Keyed | None = None) -> None:
        self._key = key
        self.unkeyed: list[tuple[int, int]] = []
        self.unchecked: Counter[str] = Counter()
        self.broken: list[Broken] = []
        self.number = self.begins = 0
        self.last = ""
        self._before: str | None = follows  # None: it can't be known

    def take(self, text: str, missing: str = "") -> None:
        """The next text; ``missing``: why there is none."""
        self.number += 1
        link = "" if missing else link_of(text)
        if missing:
            self._say(missing)
        elif not link and self.begins:
            self._say("has no link, though those before it have: it was changed, or an older release has written it")
        elif link:
            self._check(text, link)
            self.begins = self.begins or self.number
        if self._key is not None and not link.startswith(self._key.begin) and not missing:
            self._weak()
        self.last = link
        self._before = None if missing or (self.begins and not link) else link or self._before

    def gap(self, until: int) -> None:
        """All up to number ``until`` are not there: told one by one while they are few, else as one."""
        for _ in range(min(until - self.number, _FEW)):
            self.take("", "is missing")
        if until > self.number:
            self.number += 1
            self._say(f"is missing, and so are all up to {until}")
            self.number = until

    def _check(self, text: str, link: str) -> None:
        if self._before is None:
            return
        if is_keyed(link):
            held = None if self._key is None else self._key.holds(link, self._before, without(text))
            if held is None:
                self.unchecked[key_of(link)] += 1
        else:
            held = _digest(self._before, without(text)) == link
        if held is False:
            where = "it" if self.number == 1 else "it, or its place after the one before,"
            self._say(f"is not what was written: {where} was changed")

    def _weak(self) -> None:
        first = self.number
        if self.unkeyed and self.unkeyed[-1][1] == self.number - 1:
            first = self.unkeyed.pop()[0]
        self.unkeyed.append((first, self.number))

    def _say(self, what: str) -> None:
        self.broken.append(Broken(self.number, what))


def prove(follows: str, texts: Sequence[str]) -> Proof:
    """Look at a whole chain."""
    proof = Proof(follows)
    for text in texts:
        proof.take(text)
    return proof
