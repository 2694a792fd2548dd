"""A Task of a tool that wants an approval waits for it before the tool is called. The decision is bound to the digest
of the tool, its arguments and the life of the execution that asks; it holds for what the Task's retriers try again
with these arguments, and for nothing else.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ....state.codec import dumps
from ....state.errors import Denied, InvalidInput, PayloadTooLarge
from ...errors import failures
from ...governance.approvals import register
from ...governance.approvals.proposal import CHANGED, KIND, STANDING, Proposal, op_of, propose
from ...governance.approvals.proposal import digest_of as bound_to
from ...governance.approvals.standing import Standings
from ...protocol.decider import Fact
from .execution import Execution, Timer
from .failure import Failure, of_exception
from .frame import Frame
from .outgoing import Asked, approval_of, lookup_of
from .resources import Call, Work

__all__ = [
    "KIND", "about", "ask", "decided", "denied", "edited", "forget", "looked", "objection", "op_of", "over", "refusal",
]  # fmt: skip


def ask(run: Execution, frame: Frame, work: Work, again: int = 0) -> bool:
    """Have somebody asked whether the call may be made, for so many times ``again``. False: it may be. Before the first
    question it is looked which standing approvals there are for all executions; then it is asked again here. Raises
    InvalidInput when that can't be told, and for arguments that the tool doesn't take; PayloadTooLarge for what the
    store could not show to anybody."""
    op = approval_of(frame.op, again)
    if not again and _looks(run, frame, work, op):
        return True
    entry = _recorded(run, op, work) or _asks(run, frame, work, op, again)
    frame.doing.pop("stands", None)  # what was read says nothing of a later question
    if entry is None:
        return False
    run.asked[op] = Asked(frame, Proposal(entry), getattr(work, "wants", None))
    run.timers[op] = Timer(entry["until"], KIND, frame)
    arm(run, op)
    return True


def _looks(run: Execution, frame: Frame, work: Work, op: str) -> bool:
    """Whether the standing approvals for all executions are to be read first; then they are. What the journal says of
    that comes, whatever the tool is here; a release that read none has asked, or called, at once."""
    place = lookup_of(frame.op)
    if "stands" in frame.doing or (place not in run.recorded and (op in run.recorded or frame.op in run.recorded)):
        return False
    found = _wanted(run, frame, work)
    if found is None and place not in run.recorded:
        return False
    role, version = ("", "") if found is None else found
    name = getattr(work, "name", "")
    frame.doing["looks"] = True
    run.waiting[place] = frame
    run.send(register.lookup(place, run.about.machine, what=name, version=version, role=role))
    return True


def _wanted(run: Execution, frame: Frame, work: Work) -> tuple[str, str] | None:
    """Of which role an approval is wanted, for which version of the tool; None when nobody has to be asked."""
    if not isinstance(work, Call) or work.wants is None:
        return None
    version, doing = work.wants.version, frame.doing
    wanted = work.wants.rule(work.input)
    same = doing.get("approved") == digest_of(work.name, work.input, run.seed)
    if wanted is None or (same and doing.get("version", "") in ("", version)):
        return None
    return wanted.role, version


def looked(frame: Frame, found: Any) -> bool:
    """They have been read. Where that has failed nothing stands, and a person is asked. False: nobody has looked."""
    if not frame.doing.pop("looks", False):
        return False
    frame.doing["stands"] = found if isinstance(found, list) else []
    return True


def forget(run: Execution, frame: Frame) -> None:
    """Nobody wants to know any more what would be read."""
    if frame.doing.pop("looks", False):
        op = lookup_of(frame.op)
        run.waiting.pop(op, None)
        run.confirmed(op)
        run.abandoned.append(op)


def _asks(run: Execution, frame: Frame, work: Work, op: str, again: int) -> Fact | None:
    """The entry by which somebody is asked; None when nobody has to be."""
    if not isinstance(work, Call) or work.wants is None or frame.op in run.recorded:  # an earlier release has made it
        return None
    same, before = digest_of(work.name, work.input, run.seed), frame.doing.pop("approved", "")
    changed, version = frame.doing.pop("edited", None), frame.doing.pop("version", "")
    wanted = work.wants.rule(work.input)
    if wanted is None:
        return None
    if before == same and version in ("", work.wants.version) and not again:
        frame.doing |= {"approved": same, "version": version} | ({} if changed is None else {"edited": changed})
        return None
    ends = run.timers.get(f"{frame.op} timeout")
    told: Fact = {"op": op, "at": run.now, "name": work.name, "what": work.name, "data": work.input}
    entry = propose(
        told,
        wanted,
        run.seed,
        lasts=work.wants.lasts,
        version=work.wants.version,
        requester=run.caller.get("by"),
        latest=None if ends is None else ends.at,  # nobody waits longer
        why=CHANGED if again else "",
        standings=_standings(run, frame),
    )
    if "stands" in frame.doing or again:
        entry["shared"] = True
    if len(dumps(entry).encode()) > run.limit:
        raise PayloadTooLarge(f"the arguments of {work.name} are too large to be shown to who approves them")
    return entry


def _standings(run: Execution, frame: Frame) -> Standings:
    """All that may be for the call that is about to be asked about."""
    found = frame.doing.get("stands")
    return Standings([*run.standings.record(), *found]) if found else run.standings


def about(run: Execution, fact: Fact) -> Asked | None:
    """The approval that a fact is about, if it is waited for."""
    return run.asked.get(op_of(fact))


def objection(asked: Asked, fact: Fact) -> str:
    """Why what somebody says counts for nothing; "" when it counts. An edit changes neither the tool nor who is
    asked."""
    why = asked.proposal.objection(fact)
    if why or "data" not in fact:
        return why
    if asked.wants is None:
        return f"{asked.entry['name']} is not here, so nobody can tell whether the arguments fit"
    try:
        wanted = asked.wants.rule(fact["data"])
    except InvalidInput as error:
        return f"the arguments do not fit: {error}"
    return "" if wanted is None or wanted.role == asked.entry.get("role") else f"such a call is for {wanted.role}"


def refusal(run: Execution, fact: Fact) -> str:
    """The same for who is about to say it."""
    asked = about(run, fact)
    if asked is None:
        return ""
    if fact.get("approved") is True and _outdated(asked):
        return f"the tool {asked.entry['name']!r} has changed since it was asked; deny it, or it is asked anew"
    return objection(asked, fact)


def decided(run: Execution, fact: Fact) -> Failure | Asked | None:
    """Somebody has said something, or time has passed: what may go on, or a Failure. None when that settles nothing:
    ``Proposal.outcome`` tells whether it changed anything."""
    asked = about(run, fact)
    if asked is None or not asked.proposal.take(fact):
        return None
    proposal, frame = asked.proposal, asked.frame
    if proposal.outcome is None:
        arm(run, proposal.op)
        return asked
    run.withdraw(frame.op)
    if proposal.outcome:
        if _outdated(asked) and frame.op not in run.recorded:
            frame.doing["again"] = frame.doing.get("again", 0) + 1
            return asked
        frame.doing["approved"] = digest_of(asked.entry["name"], asked.entry.get("data"), run.seed)
        frame.doing["version"] = proposal.version
        if proposal.edited:
            frame.doing["edited"] = proposal.data
        return asked
    by, reason = str(proposal.last.get("by") or ""), str(proposal.last.get("reason") or "")
    return denied(f"{asked.entry['name']} was denied by {by or 'somebody'}: {reason}".rstrip(": "), reason, by)


def edited(frame: Frame, work: Work) -> Work:
    """The call with the arguments that a person has put in the place of its own."""
    if not isinstance(work, Call) or work.wants is None or "edited" not in frame.doing:
        return work
    return work.wants.remade(frame.doing["edited"])._replace(detached=work.detached)


def arm(run: Execution, op: str) -> None:
    """Set what happens by itself while nobody decides."""
    asked = run.asked[op]
    for key in [key for key, timer in run.timers.items() if timer.kind == STANDING and key.startswith(f"{op}.stands")]:
        del run.timers[key]
    for one in asked.proposal.timers():
        run.timers[one["op"]] = Timer(one["due"], one["kind"], asked.frame)


def over(run: Execution, frame: Frame) -> Failure:
    """Nobody has decided in time."""
    name = next(asked.entry["name"] for asked in run.asked.values() if asked.frame is frame)
    run.withdraw(frame.op)
    return denied(f"{name} was not decided in time", "expired")


def denied(message: str, reason: str, by: str = "") -> Failure:
    return of_exception(failures.encode(Denied(message, reason=reason, by=by)))


def digest_of(tool: str, arguments: Any, seed: str) -> str:
    """What tells one call that is approved from another: sha256 over the canonical JSON of these. Older releases bound
    an approval to it."""
    text = json.dumps([tool, arguments, seed], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _outdated(asked: Asked) -> bool:
    """Whether the tool that somebody was asked about is another one here."""
    version = asked.proposal.version
    return version != "" and asked.wants is not None and version != asked.wants.version


def _recorded(run: Execution, op: str, work: Work) -> Fact | None:
    """The approval that was asked for in this place, also by a process that knew the tool when this one doesn't. One of
    something else is none: what was decided about it does not follow then."""
    entry = run.recorded.get(op)
    given = getattr(work, "input", None)
    if entry is None:
        return None
    asked = bound_to({**entry, "data": given}, run.seed), digest_of(str(entry.get("name")), given, run.seed)
    if entry.get("digest") not in asked:
        return None
    return entry if not isinstance(work, Call) or work.name == entry["name"] else None
