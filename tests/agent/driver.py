"""Drives an agent's decider as an engine would, without time, tasks or a store. Every value passes through
JSON, and on request each decision is compared with that of a decider that replayed the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from overwinter.orchestrator.agent.decider import AgentLoop
from overwinter.orchestrator.errors.failures import encode
from overwinter.orchestrator.protocol.decider import Access, Decision, Effect, Fact, Invoke, Post, Spawn, Verdict
from overwinter.state.codec import dumps, loads
from overwinter.state.records import FINAL


class Driver:
    """One execution. ``journal`` holds all entries, ``open`` the effects that were performed and not ended."""

    def __init__(self, spec: Any, id: str = "desk/1", *, compare: bool = True) -> None:
        self.spec = spec
        self.id = id
        self.now = 1_000
        self.journal: list[str] = []
        self.base = 1
        self.state = ""
        self.mailbox: list[Fact] = []
        self.open: dict[str, Effect] = {}
        self.decision = Decision()
        self.compare = compare
        self.loop = self.fresh()

    def fresh(self) -> AgentLoop:
        return AgentLoop(self.id, self.spec)

    def replayed(self) -> AgentLoop:
        loop = self.fresh()
        loop.replay(self.state, self.base, [loads(text) for text in self.journal[self.base - 1 :]], self.now)
        loop.expire(self.now)
        return loop

    def entries(self, kind: str = "") -> list[Fact]:
        return [entry for entry in map(loads, self.journal) if not kind or entry["type"] == kind]

    def restart(self) -> None:
        """The process dies; another one takes over."""
        self.loop = self.replayed()
        self.open = {}
        self._decided(self.loop.decide(), [])
        self._read(self.decision)

    def _read(self, decision: Decision) -> Decision:
        """Answer what is read of the store at once: there is nothing in it."""
        reads = [effect for effect in self.open.values() if isinstance(effect, Access)]
        told = [(one.op, one.name, None if one.read is None else one.read(None)) for one in reads]
        facts: list[Fact] = [
            {"type": "step", "op": op, "name": name, "ms": 0, "value": value} for op, name, value in told
        ]
        return self.turn(facts) if facts else decision

    def send(self, *facts: Fact) -> Decision:
        """Mail arrives; what the decider does not want yet stays in the mailbox. A decision is on what was asked,
        unless it says otherwise."""
        for fact in facts:
            asked = {entry["op"]: entry.get("digest", "") for entry in self.entries("ordered")}
            about = {"digest": asked.get(fact.get("op"), "none")} if fact["type"] == "decided" else {}
            self.mailbox.append({"at": self.now, **about, **fact})
        return self.turn([])

    def say(self, id: str, content: Any = "hello") -> Decision:
        return self.send({"type": "message", "id": id, "content": content})

    def start(self, input: Any = "hello") -> Decision:
        return self.send({"type": "start", "input": input, "seed": "s"})

    def turn(self, facts: list[Fact]) -> Decision:
        taken: list[Fact] = []
        self._offer(facts, taken)
        while True:
            waiting, self.mailbox = self.mailbox, []
            mail: list[Fact] = []
            for fact in waiting:
                fact = loads(dumps(fact))
                verdict = self.loop.offer(fact)
                if verdict is Verdict.LATER:
                    self.mailbox.append(fact)
                elif verdict is Verdict.TAKEN:
                    mail.append(fact)
            taken += mail
            decision = self.loop.decide()
            self._decided(decision, taken)
            taken = []
            if not self.mailbox or decision.status in FINAL or not (mail or decision.status == "idle"):
                return self._read(decision)

    def _offer(self, facts: list[Fact], taken: list[Fact]) -> None:
        for fact in facts:
            fact = loads(dumps({"at": self.now, **fact}))
            if fact["type"] not in ("begun", "timer"):
                self.open.pop(fact["op"], None)
            if self.loop.offer(fact) is Verdict.TAKEN:
                taken.append(fact)

    def _decided(self, decision: Decision, taken: list[Fact]) -> None:
        for entry in (*taken, *decision.entries):
            assert "at" in entry
            self.journal.append(dumps(entry))
        self.state = decision.state
        self.base = self.base if decision.base is None else decision.base
        for op in decision.abandon:
            self.open.pop(op, None)
        for effect in decision.perform:
            assert effect.op not in self.open, f"{effect.op} was handed out twice"
            self.open[effect.op] = effect
        self.decision = decision
        if self.compare:
            self.check()

    def check(self) -> None:
        """A process that reads the journal knows exactly what this one knows."""
        other = self.replayed()
        decision = other.decide()
        assert decision.entries == []
        assert {effect.op for effect in decision.perform} == self._expected()
        seen = (self.decision.status, self.decision.wake, self.decision.awaits, self.decision.state)
        assert (decision.status, decision.wake, decision.awaits, decision.state) == seen
        assert decision.base is None
        assert _prompt(other) == _prompt(self.loop)
        assert len(self.state) < 2048

    def _expected(self) -> set[str]:
        retrying = self.loop._run.calls._until
        return {op for op in self.open if op not in retrying}

    # -- the world -----------------------------------------------------------------------------------

    def model(self, answer: Any, **more: Any) -> Decision:
        """The open model call gives this answer (text, a list of tool calls, a whole record, or an error)."""
        (call,) = [effect for effect in self.open.values() if isinstance(effect, Invoke) and effect.report == "model"]
        return self.turn([self.fact(call, answered(answer), **more)])

    def tool(self, op: str, value: Any, **more: Any) -> Decision:
        call = self.open[op]
        assert isinstance(call, Invoke) and call.report == "tool"
        return self.turn([self.fact(call, value, **more)])

    def fact(self, call: Invoke, value: Any, **more: Any) -> Fact:
        outcome = {"error": encode(value)} if isinstance(value, BaseException) else {"value": value}
        return {
            "type": call.report,
            "op": call.op,
            "name": call.name,
            "at": self.now,
            "ms": 1,
            **call.extra,
            **outcome,
            **more,
        }

    def ask(self) -> Any:
        """Really call the open model call, and answer with what it says."""
        (call,) = [effect for effect in self.open.values() if isinstance(effect, Invoke) and effect.report == "model"]
        return self.turn([self.fact(call, run(call))])

    def ask_tool(self, op: str) -> Any:
        """Really call the tool, and answer with what it gives."""
        call = self.open[op]
        assert isinstance(call, Invoke)
        value = run(call)
        self.tool(op, value)
        return value

    def prompt(self) -> list[Any]:
        """What the open model call would ask."""
        return _prompt(self.loop)

    def expire(self, now: int) -> Decision:
        self.now = now
        return self.turn(self.loop.expire(now))

    def effect(self, op: str) -> Any:
        return self.open[op]

    def spawned(self) -> list[Spawn]:
        return [effect for effect in self.open.values() if isinstance(effect, Spawn)]

    def posts(self) -> list[Post]:
        return [effect for effect in self.open.values() if isinstance(effect, Post)]


def _prompt(loop: AgentLoop) -> list[Any]:
    """What the model reads, whatever is opaque in it included."""
    turn = loop._run.turn
    return [] if turn is None else list(loop._run.thread.messages(turn.messages))


def run(call: Invoke) -> Any:
    """The value of a call, as plain JSON; an exception it raises."""

    async def main() -> Any:
        value = call.call()
        return loads(dumps(await value if isinstance(value, Awaitable) else value))

    return asyncio.run(main())


def answered(answer: Any) -> Any:
    if isinstance(answer, (BaseException, dict)):
        return answer
    record: dict[str, Any] = {"finish": "stop", "model": "test", "usage": {"input": 10, "output": 5}, "cost": "0.01"}
    if isinstance(answer, list):
        return {**record, "finish": "tool_calls", "tool_calls": answer}
    return {**record, "text": answer}


def called(name: str, id: str = "c1", **arguments: Any) -> dict[str, str]:
    return {"id": id, "name": name, "arguments": dumps(arguments)}
