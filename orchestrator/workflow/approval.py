"""``approve``: a person decides. The decision is bound to the digest of what was asked by which life of which
execution, and good once: it can't serve another execution that is made under the same id and asks for the same.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

from ...state.codec import stored
from ...state.errors import Denied
from ...state.quantities import Duration
from ...state.records import PAYLOAD_LIMIT
from ..protocol.decider import Fact
from . import arguments
from .naming import named
from .operation import Waiting
from .run import Run
from .scope import Scope


class Approval(NamedTuple):
    """Who approved, and what they wrote."""

    by: str
    reason: str


class Approving(Waiting[Approval]):
    """Done when somebody has decided."""

    __slots__ = ("digest",)
    kind = "approval"
    outside = True

    def __init__(self, run: Run, op: str, what: str, digest: str) -> None:
        super().__init__(run, op, what)
        self.digest = self.args = digest

    def decide(self, fact: Fact) -> None:
        self.settled()
        by, reason = str(fact.get("by", "")), str(fact.get("reason", ""))
        if fact.get("approved") is True:
            self.set_result(Approval(by, reason))
        else:
            self.fail(
                Denied(f"{self.name} was denied by {by or 'somebody'}: {reason}".rstrip(": "), reason=reason, by=by)
            )

    def expired(self) -> None:
        self.fail(Denied(f"{self.name} was not decided in time", reason="expired"))


class Asking(Scope):
    """The part of a context that asks people."""

    __slots__ = ()

    def approve(
        self, what: str, *, data: Any = None, role: str | None = None, timeout: Duration | None = None
    ) -> Approving:
        """Ask a person of ``role`` to approve ``what`` (a short line; ``data`` is shown beside it). Raises Denied
        when it is denied, or not decided within ``timeout`` (then its reason is "expired"), PayloadTooLarge for more
        than the store can take."""
        what = named(what, "what ctx.approve asks for")
        role = None if role is None else named(role, "a role (None: anybody)")
        run, shown, op = self._run, stored(data, PAYLOAD_LIMIT), self._next()
        assert run.origin is not None
        length = arguments.limit(timeout, "ctx.approve(timeout=…)")
        digest = digest_of(what, shown, run.origin.seed)
        ahead = run.recorded.get(op)
        if ahead is not None and ahead.get("digest") == digest_of(what, shown):
            digest = ahead["digest"]  # asked by an older release, and perhaps already decided
        entry: Fact = {"type": "ordered", "op": op, "at": run.began(op), "kind": "approval", "name": what}
        entry |= {"what": what, "digest": digest}
        if shown is not None:
            entry["data"] = shown
        if role is not None:
            entry["role"] = role
        if length is not None:
            entry["until"] = run.began(op) + length
        if ahead is None:
            run.fit(entry)
        approving = Approving(run, op, what, digest)
        run.open(approving)
        if timeout is not None:
            approving.due(entry["until"])
        run.own[op] = entry
        return approving


def digest_of(what: str, data: Any, seed: str | None = None) -> str:
    """What an approval is bound to: sha256 over the canonical JSON of both, and of the life that asks. Without a
    seed, as older releases made it."""
    bound = [what, data] if seed is None else [what, data, seed]
    text = json.dumps(bound, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
