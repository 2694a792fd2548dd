"""What becomes of an approval, in words: votes, edits as a difference, delegations, reminders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...orchestrator.governance.approvals.proposal import ESCALATION, REMINDER, Proposal
from ...orchestrator.timeline.entry import Entry
from ...orchestrator.timeline.votes import Votes
from .text import clean, excerpt, json_text


def differences(before: object, after: object) -> str:
    """``amount: 60 → 5, note: + "x", limit: - 3``: what of the arguments is another one."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return f"{json_text(before)} → {json_text(after)}"
    old, new = cast("Entry", before), cast("Entry", after)
    parts = [
        f"{name}: - {json_text(old[name])}"
        if name not in new
        else f"{name}: + {json_text(new[name])}"
        if name not in old
        else f"{name}: {json_text(old[name])} → {json_text(new[name])}"
        for name in dict.fromkeys([*old, *new])
        if name not in old or name not in new or old[name] != new[name]
    ]
    return clean(", ".join(parts)) or "nothing changed"


def bounds(terms: Mapping[str, Any]) -> str:
    """What a standing approval is for, in words; "" for all calls of the tool in one execution."""
    parts = ["exactly these arguments"] if "exactly" in terms else []
    parts += [f"{name} up to {most}" for name, most in terms.get("up_to", {}).items()]
    return ", ".join([*parts, *(["in all executions"] if terms.get("for_all") else [])])


class Decisions(Votes):
    """Of one journal, entry by entry, in words."""

    def revoked(self, entry: Entry) -> str:
        return f"{clean(str(entry.get('by')))} has revoked {clean(str(entry.get('standing')))}" + _why(entry)

    def told(self, entry: Entry, proposal: Proposal, before: Any) -> str:
        if entry.get("kind") == REMINDER:
            return f"{_who(proposal)} was reminded to decide {_name(proposal)}"
        if entry.get("kind") == ESCALATION:
            return f"nobody has decided {_name(proposal)}: it goes to {_who(proposal)}"
        by = clean(str(entry.get("by") or "somebody"))
        if entry["type"] == "delegated":
            return f"{by} has left {_name(proposal)} to {_who(proposal)}" + _why(entry)
        changed = f" with {differences(before, proposal.data)}" if proposal.data != before else ""
        return f"{by} has approved {_name(proposal)}{changed} ({len(proposal.votes)} of {proposal.needs})" + _why(entry)

    def settled(self, entry: Entry) -> Mapping[str, Any]:
        """Who has decided it, and how the arguments were edited."""
        proposal = self.open.pop(str(entry.get("op")), None)
        if proposal is None or not proposal.last:
            return {}
        told = {key: proposal.last.get(key) for key in ("by", "reason")}
        if terms := entry.get("standing"):
            within = bounds(terms)
            said = f"standing approval {terms['id']} of {terms['what']}" + (f" ({within})" if within else "")
            told["reason"] = f"{told['reason']}; {said}" if told["reason"] else said
        return told | ({"edit": differences(proposal.asked.get("data"), proposal.data)} if proposal.edited else {})


def _name(proposal: Proposal) -> str:
    return excerpt(proposal.asked.get("name") or proposal.asked.get("what"), 60)


def _who(proposal: Proposal) -> str:
    return clean(proposal.approver or proposal.role or "anybody")


def _why(entry: Entry) -> str:
    return f": {excerpt(entry['reason'])}" if entry.get("reason") else ""
