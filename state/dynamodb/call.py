"""A call of ``accept``: its arguments, and what is worked out of them once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..records import Head, NewExecution, NewMail, fingerprint
from . import layout
from .edit import text
from .picture import Picture

_NAMES, _NAMES_LENGTH = 40, 1000
"""How many names, and of how many characters altogether, a condition may hold."""


@dataclass(frozen=True)
class Call:
    """An ``accept`` with what is worked out of its arguments once."""

    id: str
    mail: NewMail | None
    now: int
    owner: str | None
    create: NewExecution | None
    known: int | None
    reopen: bool
    served: frozenset[str] | None
    token: int
    oldest: int  # keys accepted then or before are forgotten

    @property
    def stamp(self) -> int:
        return layout.stamp(self.now, self.token)

    @property
    def forgotten(self) -> int:
        """The last stamp of keys that are forgotten."""
        return layout.stamp(self.oldest + 1) - 1

    @property
    def mark(self) -> str:
        """Under which the head remembers the mail: by its key, or by the call when it has none."""
        assert self.mail is not None
        return layout.short(fingerprint(self.mail.key)) if self.mail.key else f"!{self.token}"

    @property
    def keyed(self) -> bool:
        return self.mail is not None and self.mail.key != ""

    def fitting(self, picture: Picture | None) -> Call:
        """The call for that execution: nobody asks for the lease of one that can't be run."""
        function = text(picture.item, "function") if picture else (self.create.function if self.create else "")
        if self.owner is None or self.served is None or function in self.served:
            return self
        return replace(self, owner=None)

    @property
    def knowing(self) -> bool:
        """Whether an update can be conditioned on the functions that are served: an expression has its limits."""
        if self.owner is None or self.served is None:
            return True
        if self.create is not None and self.create.function not in self.served:
            return False
        return 0 < len(self.served) <= _NAMES and sum(map(len, self.served)) <= _NAMES_LENGTH

    def head(self) -> Head:
        """Of the execution that is to be made."""
        assert self.create is not None
        return Head(
            self.id,
            self.create.function,
            self.create.kind,
            "pending",
            version=0,
            length=0,
            base=1,
            arrivals=0,
            owner=None,
            wake=None,
            parent=self.create.parent,
            created=self.now,
            updated=self.now,
            awaits="",
            note="",
            state="",
        )
