"""What of an execution is sealed, and for which place: its records on their way into a store and back.

    entry 7 · mail · state · note · awaits · blob sha256:…

All but mail and blobs are bound to the execution's *life* too, the time at which it was created: what is left of one
that was deleted does not open in another of the same id. Mail is sealed before anybody knows whether it begins one;
what must not be believed in another life (a decision, a callback) says itself where it belongs. Mail has no number
before the store has taken it, and a status line is read beside many others, so these places have none: within one
life, whoever can write to the store may put an older state or status line back, or a mail twice. Entries can't be
moved at all.

What an older release has sealed belongs to any life. Once something of a journal is bound to one, nothing after it may
be older.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import SchemaMismatch, StoreCorrupt, StoreSealed
from ..records import Change, Dump, Head, Mail, NewMail
from ..whole import GAP
from .box import BOUND, PREFIX, Box, is_sealed

_LOOKED_UP = "approval"
_CLOSED = (StoreSealed, StoreCorrupt, SchemaMismatch)


class Contents:
    """The records of one execution in one life (None where that plays no part). Opening raises as ``Box.open`` does."""

    __slots__ = ("_box", "_life")

    def __init__(self, box: Box, life: int | None) -> None:
        self._box = box
        self._life = life

    # -- in ------------------------------------------------------------------------------------------

    def seal_new(self, mail: NewMail) -> NewMail:
        blobs = {digest: self._box.seal_bytes(_blob(digest), content) for digest, content in mail.blobs.items()}
        return mail._replace(body=self._box.seal("mail", mail.body), blobs=blobs)

    def seal_change(self, change: Change, length: int) -> Change:
        """``length`` is that of the journal before the change."""
        return change._replace(
            entries=self._seal_entries(change.entries, length + 1),
            awaits=self._seal_awaits(change.status, change.awaits),
            note=self._seal_once("note", change.note),
            state=self._seal_once("state", change.state),
            blobs={digest: self._box.seal_bytes(_blob(digest), content) for digest, content in change.blobs.items()},
        )

    def seal_dump(self, dump: Dump) -> Dump:
        head = dump.head
        return dump._replace(
            head=head._replace(
                awaits=self._seal_awaits(head.status, head.awaits),
                note=self._seal_once("note", head.note),
                state=self._seal_once("state", head.state),
            ),
            entries=self._seal_entries(dump.entries, 1),
            mail=[mail._replace(body=self._box.seal("mail", mail.body)) for mail in dump.mail],
            blobs={digest: self._box.seal_bytes(_blob(digest), content) for digest, content in dump.blobs.items()},
        )

    def _seal_entries(self, texts: Sequence[str], first: int) -> Sequence[str]:
        seal, life = self._box.seal, self._life
        return [seal(f"entry {first + number}", text, life) for number, text in enumerate(texts)]

    def _seal_awaits(self, status: str, text: str) -> str:
        """What a stuck execution says quotes from an error; what others wait for is looked up by its beginning."""
        quotes = status == "stuck" and not text.startswith(_LOOKED_UP)
        return self._seal_once("awaits", text) if quotes or is_sealed(text) else text

    def _seal_once(self, place: str, text: str) -> str:
        """Most heads have no note. What could not be opened goes back as it was stored: it is not lost by that."""
        if not text or (is_sealed(text) and self._opened(place, text) is None):
            return text
        return self._box.seal(place, text, self._life)

    # -- out -----------------------------------------------------------------------------------------

    def show(self, head: Head) -> Head:
        """The head with what can be opened; never raises."""
        if not (head.note or head.state or is_sealed(head.awaits)):
            return head
        return head._replace(
            awaits=self._shown("awaits", head.awaits),
            note=self._shown("note", head.note),
            state=self._shown("state", head.state),
        )

    def _shown(self, place: str, text: str) -> str:
        if not is_sealed(text):
            return text
        opened = self._opened(place, text)
        return text if opened is None else opened

    def check(self, head: Head) -> None:
        """Raises when the state can't be opened."""
        if head.state:
            self._box.open("state", head.state, self._life)

    def open_entries(self, texts: Sequence[str], first: int) -> list[str]:
        unseal, life = self._box.open, self._life
        bound = False
        opened: list[str] = []
        for number, text in enumerate(texts, first):
            bound = bound or text.startswith(BOUND)
            if bound and text.startswith(PREFIX):
                self._box.spoiled(f"entry {number}")  # of another life: this one is sealed otherwise by now
            opened.append(unseal(f"entry {number}", text, life) if text else GAP)
        return opened

    def open_mail(self, mail: Iterable[Mail]) -> list[Mail]:
        return [item._replace(body=self._box.open("mail", item.body)) for item in mail]

    def open_bodies(self, bodies: Iterable[str]) -> list[str]:
        return [self._box.open("mail", body) for body in bodies]

    def readable(self, mail: Iterable[Mail]) -> list[Mail]:
        """Mail in its order, up to the first that can't be opened."""
        found: list[Mail] = []
        for item in mail:
            body = self._opened("mail", item.body)
            if body is None:
                break
            found.append(item._replace(body=body))
        return found

    def _opened(self, place: str, text: str) -> str | None:
        try:
            return self._box.open(place, text, self._life)
        except _CLOSED:
            return None

    def open_blob(self, digest: str, content: bytes) -> bytes:
        return self._box.open_bytes(_blob(digest), content)

    def open_dump(self, dump: Dump) -> Dump:
        self.check(dump.head)
        return dump._replace(
            head=self.show(dump.head),
            entries=self.open_entries(dump.entries, 1),
            mail=self.open_mail(dump.mail),
            blobs={digest: self.open_blob(digest, content) for digest, content in dump.blobs.items()},
        )


def _blob(digest: str) -> str:
    return f"blob {digest}"
