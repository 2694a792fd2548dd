"""Approvals of a journal while they are decided, entry by entry: which entries leave one open. Without words; the
command line has its own (``cli/view/decisions.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..governance.approvals.proposal import Proposal, op_of
from ..governance.approvals.standing import REVOKED
from .entry import Entry


class Votes:
    """Of one journal."""

    def __init__(self) -> None:
        self.open: dict[str, Proposal] = {}

    def asked(self, entry: Entry) -> None:
        if entry.get("kind") == "approval":
            self.open[str(entry.get("op"))] = Proposal({"at": 0, **entry})

    def aside(self, entry: Entry) -> str | None:
        """What is to be told of an entry after which the approval is still open; None when it is settled, or of
        something else."""
        if entry["type"] == REVOKED:
            return self.revoked(entry)
        proposal = self.open.get(op_of(entry))
        if proposal is None:
            return None
        before = proposal.data
        if not proposal.take(entry) or proposal.outcome is not None:
            return None
        return self.told(entry, proposal, before)

    def revoked(self, entry: Entry) -> str:
        """A standing approval has ended, in words."""
        return ""

    def told(self, entry: Entry, proposal: Proposal, before: Any) -> str:
        """What has become of one that is still open, in words; ``before``: its arguments until then."""
        return ""

    def settled(self, entry: Entry) -> Mapping[str, Any]:
        """Facts of one that is decided now."""
        self.open.pop(str(entry.get("op")), None)
        return {}
