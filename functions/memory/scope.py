"""Whose memories they are: an agent's, and within it a tenant's and a user's. Two scopes share nothing."""

from __future__ import annotations

from typing import NamedTuple

from ...orchestrator.protocol.shared import place_of
from ...state.ids import check_id

_ROOT = "overwinter.memory/"
PLACE = place_of(_ROOT)
"""How the places of all memories begin."""


class Scope(NamedTuple):
    """``agent`` is the name of the Memory. An empty user or tenant means nobody's in particular."""

    agent: str
    user: str = ""
    tenant: str = ""

    @property
    def place(self) -> str:
        """Where they lie among the store's key-value entries."""
        return PLACE + "/".join(map(_written, (self.agent, self.tenant, self.user)))

    def checked(self) -> Scope:
        """Raises InvalidInput for a name that can't be one."""
        check_id(self.agent, "the name of a memory")
        for text, what in ((self.user, "the name of a user"), (self.tenant, "the name of a tenant")):
            if text != "":
                check_id(text, what)
        return self


def scope_at(place: str) -> Scope | None:
    """Whose memories lie there; None: nobody's."""
    parts = place.removeprefix(PLACE).split("/")
    if not place.startswith(PLACE) or len(parts) != 3:
        return None
    agent, tenant, user = (part.replace("%2F", "/").replace("%25", "%") for part in parts)
    return Scope(agent, user, tenant)


def _written(text: str) -> str:
    return text.replace("%", "%25").replace("/", "%2F")
