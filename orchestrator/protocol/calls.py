"""Open calls of one execution: which are ordered, handed out, begun, waiting for a durable retry, done.

Both deciders keep their function calls here, so that at-most-once and durable retries mean the same in both.
"""

from __future__ import annotations

from .decider import Fact, Invoke


class OpenCalls:
    """Calls by operation id. Pure: facts in, calls to perform out."""

    __slots__ = ("_calls", "_done", "_ready", "_until")

    def __init__(self) -> None:
        self._calls: dict[str, Invoke] = {}
        self._ready: dict[str, None] = {}  # ordered and not handed out, in order
        self._until: dict[str, int] = {}  # waiting for a durable retry, until
        self._done: set[str] = set()  # done elsewhere, as was said while they were being asked about

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, op: str) -> bool:
        return op in self._calls

    def order(self, call: Invoke) -> None:
        self._calls[call.op] = call
        self._ready[call.op] = None

    def fact(self, fact: Fact) -> bool:
        """Note a ``begun``, ``retrying`` or ``sent`` fact. False when the call is not open (the fact is late)."""
        op = fact["op"]
        call = self._calls.get(op)
        if call is None:
            return False
        kind, mark = fact["type"], fact.get("mark", "")
        if mark and call.away is not None:
            call = call._replace(away=call.away._replace(mark=mark, sends=fact.get("sends", call.away.sends)))
            begun = False  # whoever makes it knows whether it has begun
        else:
            begun = kind != "retrying" and (not mark or call.policy.at_most_once)
        self._calls[op] = call._replace(attempt=fact["n"] - (kind != "retrying"), begun=begun)
        if kind == "sent" and op in self._done:  # the answer that it tells of is older than that
            self._done.discard(op)
            self._ready[op] = None
        elif kind != "begun" and not begun:
            self._until[op] = fact["until"]
            self._ready.pop(op, None)
        return True

    def answered(self, op: str) -> bool:
        """There is an outcome to be had elsewhere. False when nobody here waits for it."""
        call = self._calls.get(op)
        if call is None or call.away is None or not call.away.mark:
            return False
        if self._until.pop(op, None) is None:
            self._done.add(op)  # it is being asked about, and may be told that it is not done
        else:
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
        self._ready.clear()
        return taken

    def running(self) -> int:
        """How many are handed out or ready, that is, not waiting in the store."""
        return len(self._calls) - len(self._until)

    def away(self) -> list[str]:
        """Names of the functions whose answers are waited for."""
        waiting = (self._calls[op] for op in self._until)
        return [call.name for call in waiting if call.away is not None and call.away.sends]

    def wake(self) -> int | None:
        return min(self._until.values()) if self._until else None
