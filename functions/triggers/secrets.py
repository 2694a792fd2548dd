"""Secrets that are told by reference, several at once, and read anew when they change: so one can be put beside the old
one, and the old one taken away, while the process serves.

A reference is ``env:NAME``, ``file:PATH``, or ``folder:PATH``, of which every file holds one (as a mounted Secret of
Kubernetes does; names that begin with a dot are left out). Nothing here tells a secret, in whatever error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from ...state.errors import InvalidInput
from ..invocation.secrets import contents, fit, is_reference

SHORTEST = 16
"""Characters that a secret must have. Fewer can be guessed, or found by trying."""
MOST = 20  # secrets that are valid at once
FOLDER = "folder"
ADVICE = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"


def plain(secret: str) -> bytes:
    """A secret that is used as it is written."""
    return secret.encode()


class Secrets:
    """All that are valid now. ``read`` makes the key of what is written there."""

    def __init__(self, given: str | Sequence[str], whose: str, read: Callable[[str], bytes] = plain) -> None:
        references: Any = (given,) if isinstance(given, str) else given
        if not isinstance(references, Sequence):
            raise InvalidInput(
                f"{whose}: say where the secret lies, like 'env:HOOK_SECRET', not {type(given).__name__}"
            )
        self.references = tuple(str(one) for one in cast("Sequence[object]", references))
        self._whose = f"secret of {whose}"
        self._read = read
        self._known: dict[str, tuple[object, bytes]] = {}  # by where it lies: as which state of it, and the key
        if not self.references:
            raise InvalidInput(f"{whose} has no secret; say where one lies, like 'env:HOOK_SECRET'")
        for reference in self.references:
            if not (is_reference(reference) or _folder(reference)):
                raise InvalidInput(
                    f"{whose}: say where the secret lies, by env:NAME, file:PATH or folder:PATH, not the secret itself"
                )

    def check(self) -> tuple[bytes, ...]:
        """All of them. Raises InvalidInput for the first that is not there, or is no secret."""
        return tuple(self._key(place) for reference in self.references for place in self._places(reference))

    def valid(self) -> tuple[bytes, ...]:
        """Those that can be read now; none where none can. One that can't is in no other one's way."""
        found: list[bytes] = []
        for reference in self.references:
            with suppress(InvalidInput):
                for place in self._places(reference):
                    with suppress(InvalidInput):
                        found.append(self._key(place))
        return tuple(found)

    def _places(self, reference: str) -> Iterator[str]:
        """References of one secret each."""
        folder = _folder(reference)
        if not folder:
            yield reference
            return
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
        except OSError as error:
            raise InvalidInput(f"the {self._whose} can't be read: {error}") from None
        names = [name for name in names if not name.startswith(".")]
        if not 0 < len(names) <= MOST:
            raise InvalidInput(f"{reference} holds {len(names)} files; put one file in it for each {self._whose}")
        yield from (f"file:{Path(folder) / name}" for name in names)

    def _key(self, reference: str) -> bytes:
        kind, _, place = reference.partition(":")
        try:
            state: object = os.environ.get(place, "") if kind == "env" else _state(place)
            known = self._known.get(reference)
            if known is not None and known[0] == state:
                return known[1]
            text = str(state) if kind == "env" else contents(Path(place))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"the {self._whose} can't be read: {error}") from None
        key = self._made(fit(text, reference, self._whose), reference)
        if len(self._known) > 2 * MOST:
            self._known.clear()  # of a folder whose files have other names each time
        self._known[reference] = state, key
        return key

    def _made(self, text: str, reference: str) -> bytes:
        if len(text) < SHORTEST:
            raise InvalidInput(
                f"the {self._whose} in {reference} is shorter than {SHORTEST} characters; make one with: {ADVICE}"
            )
        try:
            return self._read(text)
        except ValueError as error:
            raise InvalidInput(f"the {self._whose} in {reference} is none: {error}") from None


def _folder(reference: str) -> str:
    kind, _, place = reference.partition(":")
    return place.strip() if kind == FOLDER else ""


def _state(place: str) -> tuple[int, ...]:
    """What of a file differs when it has been written or put in place anew."""
    found = Path(place).stat()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
