"""What a workflow's author meets: waiting with state, branches, names, logs, rules that combine, typed names."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Retry
from overwinter.orchestrator.governance import tokens
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.orchestrator.workflow.completion import Completion
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import CallbackFailed, HeartbeatLost, InvalidInput, TimedOut

from .world import World, replayed_from_every_prefix


def further(page: dict[str, int], by: int = 1) -> dict[str, int]:
    return {"page": page["page"] + by}


def answer(*_: Any) -> str | None:
    return None


async def nested(ctx: Context, who: str) -> str:
    first = str(await ctx.step(str, f"hello {who}"))
    await ctx.sleep("1m", name="a pause")
    return first


# -- until -------------------------------------------------------------------------------------------


def test_until_hands_its_state_on() -> None:
    async def flow(ctx: Context) -> Any:
        return await ctx.until(
            further, 2, state={"page": 0}, done=lambda page: page["page"] > 5, every="1s", name="pages"
        )

    world = World(flow).run()
    assert world.value == {"page": 6}
    steps = [entry for entry in world.journal if entry["type"] == "step"]
    assert [(entry["name"], entry["op"]) for entry in steps] == [("pages", "0.0"), ("pages", "0.2"), ("pages", "0.4")]
    replayed_from_every_prefix(world)


def test_until_gives_up_after_so_many_tries() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.until(answer, every="1s", tries=3)

    world = World(flow).run()
    assert str(world.error) == "'answer' was not true after 3 tries"
    assert [entry["type"] for entry in world.journal].count("step") == 3


def test_each_try_is_made_by_the_given_policy() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.until(answer, retry=Retry(attempts=7))

    (ordered,) = World(flow).open.values()
    assert isinstance(ordered, Invoke) and ordered.policy.retry.attempts == 7


async def later(*_: Any) -> bool:
    return True


@pytest.mark.parametrize(
    "wrong", [{"state": 1}, {"tries": 0}, {"name": ""}, {"factor": -1.0}, {"done": later}, {"retry": "x"}]
)
def test_until_refuses_what_makes_no_sense(wrong: dict[str, Any]) -> None:
    async def flow(ctx: Context) -> str:
        with pytest.raises((InvalidInput, ValueError)):
            await ctx.until(answer, **wrong)
        return "refused"

    assert World(flow).run().value == "refused"


def test_an_async_match_is_refused() -> None:
    async def flow(ctx: Context) -> str:
        anything: Any = ctx
        with pytest.raises(InvalidInput, match="match is a plain function"):
            anything.wait_for("x", match=later)
        return "refused"

    assert World(flow).run().value == "refused"


# -- branches and names ------------------------------------------------------------------------------


def test_a_branch_has_operations_of_its_own_and_gives_its_value() -> None:
    async def flow(ctx: Context) -> list[str]:
        one = ctx.branch(nested, "ann")
        two = ctx.branch(nested, "bob")
        return [await two, await one]

    world = World(flow).run()
    assert world.value == ["hello bob", "hello ann"]
    assert {entry["op"] for entry in world.journal if entry["type"] == "step"} == {"0.0", "1.0"}
    assert {entry["name"] for entry in world.journal if entry["type"] == "timer"} == {"a pause"}
    replayed_from_every_prefix(world)


def test_a_branch_can_be_cancelled() -> None:
    async def flow(ctx: Context) -> str:
        branch = ctx.branch(nested, "ann")
        await ctx.sleep("1s")
        branch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await branch
        return "cancelled"

    assert World(flow).run().value == "cancelled"


def test_what_is_no_branch_is_refused() -> None:
    async def flow(ctx: Context) -> str:
        anything: Any = ctx
        for other in (answer, "name"):
            with pytest.raises((InvalidInput, TypeError)):
                anything.branch(other)
        return "refused"

    assert World(flow).run().value == "refused"


def test_steps_of_a_map_have_names() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.map(str, ["a", "b"], name=lambda item: f"text of {item}")
        await ctx.map(str, ["c"], name="last")
        await ctx.call(str, "d", name="called")
        anything: Any = ctx
        with pytest.raises(InvalidInput, match="names the steps"):
            anything.map(nested, ["a"], name="no")
        with pytest.raises(InvalidInput, match="goes by its own"):
            anything.call("kid", name="no")

    names = [entry["name"] for entry in World(flow).run().journal if entry["type"] == "step"]
    assert sorted(names) == ["called", "last", "text of a", "text of b"]


def test_the_output_of_a_name_is_typed() -> None:
    async def flow(ctx: Context) -> list[Any]:
        typed = await ctx.call("kid", output=set[int])
        child = await ctx.child("kid", output=tuple[int, ...])
        plain = await ctx.call("kid")
        anything: Any = ctx
        with pytest.raises(InvalidInput, match="called by its name"):
            anything.call(str, output=str)
        with pytest.raises(InvalidInput, match="called by its name"):
            anything.child("kid", detached=True, output=str)
        return [type(value).__name__ for value in (typed, child, plain)]

    assert World(flow, children={"kid": lambda _: [1, 2]}).run().value == ["set", "tuple", "list"]


# -- rules -------------------------------------------------------------------------------------------

RULES = st.recursive(
    st.one_of(
        st.builds(Completion.at_least, st.integers(1, 6)),
        st.builds(lambda n: Completion.tolerate(count=n), st.integers(0, 6)),
        st.builds(lambda n: Completion.tolerate(share=n / 4), st.integers(0, 4)),
    ),
    lambda rules: st.one_of(
        st.builds(lambda a, b: a & b, rules, rules),
        st.builds(lambda a, b: a | b, rules, rules),
        st.builds(lambda a, n: a.unless(failures=n), rules, st.integers(0, 6)),
    ),
    max_leaves=4,
)


@given(RULES, st.lists(st.booleans(), max_size=6))
def test_a_verdict_stands(rule: Completion, ended: list[bool]) -> None:
    """Whatever ends later, what was met stays met or has been cut short, and at the end there is a verdict."""
    verdict: bool | None = None
    for number in range(len(ended) + 1):
        succeeded = sum(ended[:number])
        verdict = rule.met(len(ended), succeeded, number - succeeded)
        if verdict is not None:
            break
    assert verdict is not None, repr(rule)


def test_rules_combine() -> None:
    three = Completion.at_least(3)
    both, either = three & Completion.tolerate(count=1), three | Completion.tolerate(count=0)
    capped = three.unless(failures=2)
    assert [both.met(5, *ended) for ended in ((3, 0), (4, 1), (3, 2))] == [None, True, False]
    assert [either.met(5, *ended) for ended in ((3, 0), (2, 1), (2, 3))] == [True, None, False]
    assert [capped.met(9, *ended) for ended in ((3, 2), (2, 2), (2, 3))] == [True, None, False]
    assert repr(capped) == "Completion.at_least(3).unless(failures=2)"
    assert repr(both) == "(Completion.at_least(3) & Completion.tolerate(count=1))"
    with pytest.raises(TypeError):
        _ = three & 3  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]  # what is refused


# -- callbacks ---------------------------------------------------------------------------------------


def test_a_failed_callback_has_a_type_and_silence_is_told_from_lateness() -> None:
    async def flow(ctx: Context) -> list[str]:
        said: list[str] = []
        for heartbeat, timeout in ((None, "1h"), ("1m", "1h"), ("1m", "1s")):
            call = ctx.callback("job", timeout=timeout, heartbeat=heartbeat)
            ctx.status(call.token)
            try:
                await call
            except CallbackFailed as error:
                said.append(f"{error.kind}: {error}")
            except HeartbeatLost:
                said.append("silent")
            except TimedOut:
                said.append("late")
        return said

    world = World(flow)
    error = {"kind": "remote.Broken", "message": "out of paper"}
    secret = tokens.parse(world.last.note).secret
    world.mail({"type": "callback", "op": "0", "secret": secret, "error": error})
    assert world.run().value == ["remote.Broken: out of paper", "silent", "late"]


# -- logs --------------------------------------------------------------------------------------------


def test_a_line_is_written_once_with_its_ids(caplog: pytest.LogCaptureFixture) -> None:
    async def inside(ctx: Context) -> None:
        ctx.log.warning("in a branch", extra={"order": 7})

    async def flow(ctx: Context) -> None:
        ctx.log.info("begun for 100%% of %s", "ann")
        await ctx.step(answer)
        await ctx.branch(inside)
        ctx.log.info("done: 100%")

    caplog.set_level(logging.INFO, "overwinter.workflow")
    world = World(flow, id="w-100%").run()
    expected = ["w-100%: begun for 100% of ann", "w-100% 1: in a branch", "w-100%: done: 100%"]
    assert [record.getMessage() for record in caplog.records] == expected
    branch: Any = caplog.records[1]
    assert (branch.execution, branch.function, branch.branch, branch.order) == ("w-100%", "flow", "1", 7)
    assert branch.filename == "test_face.py"
    caplog.clear()
    World(flow, id="w-100%", journal=world.journal)
    assert not caplog.records, "what was written when it happened is not written on replay"
    replayed_from_every_prefix(world)


# -- retries -----------------------------------------------------------------------------------------


def test_final_adds_and_the_nearest_class_decides() -> None:
    class Mine(ValueError): ...

    class Worse(Mine): ...

    retry = Retry(final=(ConnectionError, Worse), retry=(Mine,))
    assert retry.again(Mine()) and not retry.again(Worse()) and not retry.again(ValueError())
    assert not retry.again(ConnectionResetError()) and retry.again(OSError())
    assert not Retry(final=(OSError,)).again(KeyError()), "what is final by default stays so"
    assert not Retry(final=(TimeoutError,)).again(TimedOut())
    assert Retry(retry=(Exception,)).again(KeyError())
    for wrong in (KeyError, ["x"], ("KeyError",)):
        with pytest.raises(ValueError, match="tuple of error classes"):
            Retry(final=wrong)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what is refused


def test_a_function_decides_first() -> None:
    asked: list[tuple[str, int]] = []

    def when(error: BaseException, attempt: int) -> bool | None:
        asked.append((str(error), attempt))
        return None if "?" in str(error) else "again" in str(error)

    retry = Retry(when=when)
    assert retry.again(ValueError("again"), 1) and not retry.again(OSError("no"), 2)
    assert retry.again(OSError("?"), 3) and not retry.again(ValueError("?"), 4)
    assert not retry.again(OSError("again"), 5), "attempts bound it"
    assert asked == [("again", 1), ("no", 2), ("?", 3), ("?", 4)]


def test_what_is_no_policy_is_refused_where_it_is_said() -> None:
    anything: Any = Retry
    for wrong in (3, later, "x"):
        with pytest.raises(ValueError, match="plain function"):
            anything(when=wrong)
    with pytest.raises(TypeError, match="True, False or None, not str"):
        anything(when=lambda *_: "no").again(OSError())

    async def flow(ctx: Context) -> list[str]:
        said: list[str] = []
        options: dict[str, Any]
        for options in ({"retry": "x"}, {"retry": 3}, {"breaker": True}, {"timeout": -1}):
            try:
                ctx.step(answer, **options)
            except ValueError as error:
                said.append(str(error))
        return said

    said = World(flow).run().value
    assert said[:3] == [
        "ctx.step: retry is a Retry(…), not 'x'",
        "ctx.step: retry is a Retry(…), not 3",
        "ctx.step: breaker is a Breaker(…), not True",
    ]
    assert len(said) == 4


def test_a_done_that_gives_an_awaitable_is_told_so() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.until(answer, done=lambda _: later())

    assert "done gave coroutine for 'answer'" in str(World(flow).run().error)


def test_full_jitter_goes_down_to_nothing() -> None:
    draw = random.Random(4)
    pauses = [Retry(first="1s", jitter="full").pause(1, OSError(), draw) for _ in range(200)]
    assert min(pauses) < 0.1 and 0.9 < max(pauses) <= 1
    assert min(Retry(first="1s").pause(1, OSError(), draw) for _ in range(200)) >= 0.5
    with pytest.raises(ValueError, match="full"):
        Retry(jitter="half")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # what is refused
