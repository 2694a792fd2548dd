"""``approve``: a person decides. The decision is bound to the digest of what was asked, and good once."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

from ...state.codec import clean, stored
from ...state.errors import Denied
from ...state.quantities import Duration, milliseconds
from ...state.records import PAYLOAD_LIMIT
from ..decider import Fact
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
        self.digest = digest

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
        when it is denied, or not decided within ``timeout`` (then its reason is "expired")."""
        run, shown, what = self._run, stored(data, PAYLOAD_LIMIT), clean(what)
        digest = digest_of(what, shown)
        approving = Approving(run, self._next(), what, digest)
        run.open(approving)
        entry: Fact = {
            "type": "ordered",
            "op": approving.op,
            "at": run.began(approving.op),
            "kind": "approval",
            "name": what,
        }
        entry |= {"what": what, "digest": digest}
        if shown is not None:
            entry["data"] = shown
        if role is not None:
            entry["role"] = clean(role)
        if timeout is not None:
            entry["until"] = run.began(approving.op) + milliseconds(timeout)
            approving.due(entry["until"])
        run.own[approving.op] = entry
        return approving


def digest_of(what: str, data: Any) -> str:
    """What an approval is bound to: sha256 over the canonical JSON of both."""
    text = json.dumps([what, data], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
