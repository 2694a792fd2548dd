"""The decider of sessions whose turns are code, fact by fact: what can't be brought about from outside at will."""

from __future__ import annotations

from typing import Any

from overwinter import Context, workflow
from overwinter.functions.foreign import ForeignAgent, Turn
from overwinter.orchestrator.protocol.decider import Decision, Fact, Invoke, Post, Spawn, Verdict
from overwinter.orchestrator.workflow.session import SessionDecider
from overwinter.state.errors import PayloadTooLarge
from overwinter.testing import World, crash_everywhere


@workflow
async def slow(ctx: Context, what: str) -> str:
    await ctx.sleep("30d")
    return what


async def asked() -> str:
    return "thought"


class Leaving:
    """It ends while a child of it is at work."""

    name = "leaving"

    async def answer(self, turn: Turn) -> str:
        turn.ctx.child(slow, "x")
        turn.keep([turn.input])
        return str(await turn.model("m", asked))


class Session:
    """A decider and the journal that an engine would have written."""

    def __init__(self) -> None:
        self.agent = ForeignAgent("leaving", Leaving(), uses=[slow])
        self.decider = SessionDecider(self.agent, "leaving/c")
        self.journal: list[Fact] = []

    def offer(self, fact: Fact) -> Verdict:
        verdict = self.decider.offer(fact)
        if verdict is Verdict.TAKEN:
            self.journal.append(fact)
        return verdict

    def decide(self) -> Decision:
        decision = self.decider.decide()
        self.journal += decision.entries
        return decision

    def until_the_end(self, number: int) -> Post:
        """One turn, up to what it sends to the child that it leaves."""
        assert self.offer({"type": "message", "id": f"m-{number}", "at": number, "content": "x"}) is Verdict.TAKEN
        effects = self.decide().perform
        (spawn,) = (effect for effect in effects if isinstance(effect, Spawn))
        (ask,) = (effect for effect in effects if isinstance(effect, Invoke))
        assert self.offer({"type": "sent", "op": spawn.op, "at": number}) is Verdict.TAKEN
        step = {"type": "step", "op": ask.op, "name": ask.name, "at": number, "ms": 0, "value": "thought"}
        assert self.offer(step) is Verdict.TAKEN
        decision = self.decide()
        (post,) = decision.perform
        assert isinstance(post, Post) and not decision.entries and decision.status == "waiting"
        return post

    def again(self) -> SessionDecider:
        """Another process, which has read the journal."""
        other = SessionDecider(self.agent, "leaving/c")
        other.replay('{"mode":"session"}', 1, self.journal, 99)
        return other


CANCEL: dict[str, Any] = {"type": "cancel", "at": 9, "reason": "enough"}


def test_a_cancel_that_comes_at_the_end_of_a_turn_waits_for_the_reply() -> None:
    session = Session()
    post = session.until_the_end(1)
    assert session.offer(dict(CANCEL)) is Verdict.LATER
    assert not session.decide().perform  # each effect once
    assert [effect.op for effect in session.again().decide().perform] == [post.op]  # but in each process
    assert session.offer({"type": "sent", "op": post.op, "at": 8}) is Verdict.TAKEN
    assert [(entry["type"], entry.get("value")) for entry in session.decide().entries] == [("reply", "thought")]
    assert session.offer(dict(CANCEL)) is Verdict.TAKEN
    decision = session.decide()
    assert decision.status == "cancelled" and [entry["type"] for entry in decision.entries] == ["cancelled"]
    after = session.again().decide()
    assert (after.status, after.entries, after.perform) == ("cancelled", [], [])
    assert session.offer({"type": "message", "id": "late", "at": 10, "content": "x"}) is Verdict.IGNORED


def test_what_was_answered_is_not_answered_again_and_what_comes_meanwhile_waits() -> None:
    session = Session()
    post = session.until_the_end(1)
    assert session.offer({"type": "message", "id": "m-1", "at": 2, "content": "x"}) is Verdict.IGNORED
    assert session.offer({"type": "message", "id": "m-2", "at": 2, "content": "x"}) is Verdict.LATER
    session.offer({"type": "sent", "op": post.op, "at": 3})
    assert session.decide().status == "idle"
    assert session.offer({"type": "message", "id": "m-1", "at": 4, "content": "x"}) is Verdict.IGNORED
    assert session.again().offer({"type": "message", "id": "m-1", "at": 4, "content": "x"}) is Verdict.IGNORED
    assert session.offer({"type": "step", "op": "1.1", "name": "model m", "at": 5, "value": 1}) is Verdict.IGNORED
    second = session.until_the_end(6)
    assert second.op != post.op


def test_an_event_that_reaches_it_is_seen_to_be_passed_over() -> None:
    session = Session()
    event = {"type": "event", "id": "e-1", "name": "paid", "at": 1, "data": 1}
    assert "waits for no events" in session.decider.refusal(event)
    assert session.offer(event) is Verdict.IGNORED
    (entry,) = session.decide().entries
    assert (entry["type"], entry["name"], entry["id"]) == ("skipped", "paid", "e-1")
    session.until_the_end(2)
    assert session.offer(event) is Verdict.IGNORED
    assert [entry["type"] for entry in session.decide().entries] == ["skipped"]
    assert session.again().decide().status == "waiting"


class Talkative:
    name = "talkative"

    async def answer(self, turn: Turn) -> str:
        turn.keep(["k" * int(turn.input.split()[1])])
        return "v" * int(turn.input.split()[0])


async def sizes(world: World) -> list[str]:
    """Below and above what one entry may hold."""
    found: list[str] = []
    for number, text in enumerate(("10 10", "300000 10", "10 300000", "300000 300000", "10 10")):
        message = await world.send(TALKATIVE, "c", text, id=f"m-{number}")
        try:
            found.append(f"{len(await message.reply())} characters")
        except PayloadTooLarge:
            found.append("too large")
    return found


TALKATIVE = ForeignAgent("talkative", Talkative())


def test_big_answers_and_what_is_kept_go_to_blobs_and_both_together_fail_the_turn_alone() -> None:
    report = crash_everywhere(sizes, functions=[TALKATIVE])
    small, big = "10 characters", "300000 characters"
    assert report.outcome.value == [small, big, small, "too large", small]
    session = Session()
    session.decider = SessionDecider(TALKATIVE, "talkative/c")
    session.offer({"type": "message", "id": "m-1", "at": 1, "content": "300000 300000"})
    (reply,) = session.decide().entries
    assert "PayloadTooLarge" in reply["error"]["kind"] and "kept" not in reply


def test_verbs_are_counted_and_a_run_takes_no_messages() -> None:
    session = Session()
    session.until_the_end(1)
    assert session.offer({"type": "paused", "at": 2}) is Verdict.IGNORED
    once = Session()
    assert once.offer({"type": "start", "at": 1, "input": "x", "seed": "s"}) is Verdict.TAKEN
    assert once.offer({"type": "message", "id": "m-1", "at": 2, "content": "x"}) is Verdict.IGNORED
    assert session.offer({"type": "start", "at": 1, "input": "x", "seed": "s"}) is Verdict.IGNORED
    session.decider.close()
    once.decider.close()
