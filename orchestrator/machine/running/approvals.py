"""A Task of a tool that wants an approval waits for it before the tool is called. The decision is bound to the digest
of the tool, its arguments and the life of the execution that asks; it holds for what the Task's retriers try again
with these arguments, and for nothing else.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ....state.codec import dumps
from ....state.errors import Denied, PayloadTooLarge
from ...errors import failures
from ...protocol.decider import Fact
from .execution import Execution, Timer
from .failure import Failure, of_exception
from .frame import Frame
from .outgoing import Asked, approval_of
from .resources import Call, Work

KIND = "approval"


def ask(run: Execution, frame: Frame, work: Work) -> bool:
    """Have somebody asked whether the call may be made. False: it may be. Raises InvalidInput when that can't be told,
    and for arguments that the tool doesn't take; PayloadTooLarge for what the store could not show to anybody."""
    op = approval_of(frame.op)
    entry = _recorded(run, op, work) or _asks(run, frame, work)
    if entry is None:
        return False
    run.asked[op] = Asked(frame, entry)
    run.timers[op] = Timer(entry["until"], KIND, frame)
    return True


def _asks(run: Execution, frame: Frame, work: Work) -> Fact | None:
    """The entry by which somebody is asked; None when nobody has to be."""
    if not isinstance(work, Call) or work.wants is None or frame.op in run.recorded:  # an earlier release has made it
        return None
    digest, before = digest_of(work.name, work.input, run.seed), frame.doing.pop("approved", "")
    wanted = work.wants()
    if wanted is None:
        return None
    if before == digest:
        frame.doing["approved"] = digest
        return None
    role, within = wanted
    until, ends = run.now + within, run.timers.get(f"{frame.op} timeout")
    until = until if ends is None else min(until, ends.at)  # nobody waits longer
    entry: Fact = {"type": "ordered", "op": approval_of(frame.op), "at": run.now, "kind": KIND, "name": work.name}
    entry |= {"what": work.name, "digest": digest, "data": work.input, "role": role, "until": until}
    if len(dumps(entry).encode()) > run.limit:
        raise PayloadTooLarge(f"the arguments of {work.name} are too large to be shown to who approves them")
    return entry


def decided(run: Execution, fact: Fact) -> Failure | Frame | None:
    """Somebody has decided: the frame that may go on, or a Failure. None when nobody asked for that."""
    asked = run.asked.get(fact["op"])
    if asked is None or fact.get("digest", "") != asked.entry["digest"]:
        return None
    run.withdraw(asked.frame.op)
    if fact.get("approved") is True:
        asked.frame.doing["approved"] = asked.entry["digest"]
        return asked.frame
    by, reason = str(fact.get("by", "")), str(fact.get("reason", ""))
    return denied(f"{asked.entry['name']} was denied by {by or 'somebody'}: {reason}".rstrip(": "), reason, by)


def denied(message: str, reason: str, by: str = "") -> Failure:
    return of_exception(failures.encode(Denied(message, reason=reason, by=by)))


def digest_of(tool: str, arguments: Any, seed: str) -> str:
    """What an approval is bound to: sha256 over the canonical JSON of these."""
    text = json.dumps([tool, arguments, seed], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _recorded(run: Execution, op: str, work: Work) -> Fact | None:
    """The approval that was asked for in this place, also by a process that knew the tool when this one doesn't. One of
    something else is none: what was decided about it does not follow then."""
    entry = run.recorded.get(op)
    given = getattr(work, "input", None)
    if entry is None or digest_of(str(entry.get("name")), given, run.seed) != entry.get("digest"):
        return None
    return entry if not isinstance(work, Call) or work.name == entry["name"] else None
