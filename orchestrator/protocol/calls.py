"""Open calls of one execution: which are ordered, handed out, begun, waiting for a durable retry, done.

Both deciders keep their function calls here, so that at-most-once and durable retries mean the same in both.
"""

from __future__ import annotations

import hmac
from typing import Any

from ...state.records import IN_DOUBT
from .decider import Doubt, Fact, Invoke

NEVER = 1 << 62
"""Until when a call waits that only somebody's word lets go on."""


class OpenCalls:
    """Calls by operation id. Pure: facts in, calls to perform out."""

    __slots__ = ("_calls", "_done", "_ready", "_until")

    def __init__(self) -> None:
        self._calls: dict[str, Invoke] = {}
        self._ready: dict[str, None] = {}  # ordered and not handed out, in order
        self._until: dict[str, int] = {}  # waiting for a durable retry, until
        self._done: set[str] = set()  # done elsewhere, as was said since they were asked about for the last time

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, op: str) -> bool:
        return op in self._calls

    def find(self, op: str) -> Invoke | None:
        """The open call of that op."""
        return self._calls.get(op)

    def order(self, call: Invoke) -> None:
        self._calls[call.op] = call
        self._ready[call.op] = None

    def fact(self, fact: Fact) -> bool:
        """Note a ``begun``, ``retrying``, ``sent``, ``doubt`` or ``resolved`` fact. False when the call is not open
        (the fact is late), or is in no such doubt."""
        op = fact["op"]
        call = self._calls.get(op)
        if call is None:
            return False
        kind, mark = fact["type"], fact.get("mark", "")
        if kind == "doubt":
            return self._doubted(call, fact)
        if kind == "resolved":
            return self._resolved(call, fact)
        call = call._replace(doubt=None)
        if mark and call.away is not None:
            told = {name: fact[name] for name in ("sends", "heard", "answer") if name in fact}
            call = call._replace(away=call.away._replace(mark=mark, again=True, **told))
            begun = False  # whoever makes it knows whether it has begun
        else:
            begun = kind != "retrying" and (not mark or call.policy.at_most_once)
        self._calls[op] = call._replace(attempt=fact["n"] - (kind != "retrying"), begun=begun)
        answered = call.away is not None and call.away.answer is not None
        if (kind == "sent" and op in self._done) or (kind != "begun" and answered):  # the word may be the later one
            self._done.discard(op)
            self._ready[op] = None
        elif kind != "begun" and not begun:
            self._until[op] = fact["until"]
            self._ready.pop(op, None)
        return True

    def _doubted(self, call: Invoke, fact: Fact) -> bool:
        known = call.doubt.resolved if call.doubt is not None and call.doubt.since == fact["since"] else None
        said = fact.get("resolved") or known  # it was said while it was being asked about
        doubt = Doubt(fact["since"], fact.get("asked", 0), said)
        self._calls[call.op] = call._replace(attempt=fact["n"], begun=True, doubt=doubt)
        self._rest(call.op, fact.get("until", NEVER) if said is None else said.get("until"))
        return True

    def _resolved(self, call: Invoke, fact: Fact) -> bool:
        """What came of a call in doubt. Of two that say it the first is right."""
        made, doubt = "n" in fact, call.doubt  # by who makes the call, and not by somebody outside
        if not made and (doubt is None or doubt.resolved is not None or fact.get("since") != doubt.since):
            return False
        if doubt is None or doubt.resolved is None:
            since, asked = (fact["at"], 0) if doubt is None else (doubt.since, doubt.asked)
            attempt = fact["n"] if made else call.attempt
            self._calls[call.op] = call._replace(attempt=attempt, begun=True, doubt=Doubt(since, asked, fact))
        if made or call.op in self._until:  # else it is just being asked about, and whoever asks comes back with a fact
            self._rest(call.op, fact.get("until"))
        return True

    def _rest(self, op: str, until: int | None) -> None:
        """It waits in the store until then; None: it is performed now."""
        if until is None:
            self._until.pop(op, None)
            self._ready[op] = None
        else:
            self._until[op] = until
            self._ready.pop(op, None)

    def doubts(self) -> list[Invoke]:
        """Calls in doubt that nobody has resolved."""
        return [call for call in self._calls.values() if call.doubt is not None and call.doubt.resolved is None]

    def status(self) -> str:
        """Of an execution that waits for nothing but what is ordered."""
        return IN_DOUBT if not self._ready and self.doubts() else "waiting"

    def answered(self, fact: Fact) -> bool:
        """There is an outcome to be had elsewhere; from whoever shows the mark of the call, here it is, or it is being
        worked on. False when nobody here waits for that, or it was said already."""
        op = fact["op"]
        call = self._calls.get(op)
        if call is None or call.away is None or not call.away.mark:
            return False
        if "mark" in fact:
            told = proven(fact, call.away.mark, call.away.sends)
            if told is None or call.away.answer is not None:
                return False
            self._calls[op] = call._replace(away=call.away._replace(**told))
            if "heard" in told:
                return True
        elif op in self._done and op not in self._until:
            return False
        else:
            self._done.add(op)  # it may be being asked about just now, and be told that it is not done
        if self._until.pop(op, None) is not None:
            self._ready[op] = None
        return True

    def close(self, op: str) -> bool:
        """The call has its outcome or is given up. False when it was not open."""
        if self._calls.pop(op, None) is None:
            return False
        self._ready.pop(op, None)
        self._until.pop(op, None)
        self._done.discard(op)
        return True

    def expire(self, now: int) -> None:
        """Queue the calls whose durable pause is over."""
        for op in [op for op, until in self._until.items() if until <= now]:
            del self._until[op]
            self._ready[op] = None

    def take(self) -> list[Invoke]:
        """Calls to perform now; each is handed out once (a retry hands it out again)."""
        taken = list(map(self._calls.__getitem__, self._ready))
        self._done.difference_update(self._ready)  # they are asked now: what is said from here on is news
        self._ready.clear()
        return taken

    def standing(self, op: str) -> Fact:
        """How far an open call is, for a checkpoint."""
        call = self._calls[op]
        told: Fact = {"n": call.attempt} if call.attempt else {}
        told |= {"begun": True} if call.begun else {}
        told |= {"until": self._until[op]} if op in self._until else {}
        told |= {"done": True} if op in self._done else {}
        told |= {"doubt": list(call.doubt)} if call.doubt is not None else {}
        if call.away is not None and call.away.mark:
            told |= {"mark": call.away.mark, "sends": call.away.sends, "heard": call.away.heard}
            told |= {"answer": call.away.answer} if call.away.answer is not None else {}
        return told

    def go_on(self, call: Invoke, told: Fact) -> None:
        """Order a call that a checkpoint tells of."""
        if call.away is not None and "mark" in told:
            known = {name: told[name] for name in ("mark", "sends", "heard", "answer") if name in told}
            call = call._replace(away=call.away._replace(again=True, **known))
        doubt = Doubt(*told["doubt"]) if "doubt" in told else None
        self.order(call._replace(attempt=told.get("n", 0), begun=told.get("begun", False), doubt=doubt))
        if told.get("done"):
            self._done.add(call.op)
        if "until" in told:
            self._until[call.op] = told["until"]
            del self._ready[call.op]

    def running(self) -> int:
        """How many are handed out or ready, that is, not waiting in the store."""
        return len(self._calls) - len(self._until)

    def away(self) -> list[str]:
        """Names of the functions whose answers are waited for."""
        waiting = (self._calls[op] for op in self._until if self._calls[op].doubt is None)
        return [call.name for call in waiting if call.away is not None and call.away.sends]

    def wake(self) -> int | None:
        until = min(self._until.values()) if self._until else NEVER
        return None if until >= NEVER else until


def proven(fact: Fact, mark: str, sends: int) -> dict[str, Any] | None:
    """What an ``answered`` fact that shows a mark says of the call that has this ``mark``. None: it is not of that."""
    if not hmac.compare_digest(str(fact["mark"]).encode(), mark.encode()):
        return None
    return {"answer": fact["outcome"]} if "outcome" in fact else {"heard": sends}
