"""Standing approvals for all executions of a function, be it an agent, a workflow or a state machine: within what was
said, for no other one, until they are revoked or over; read once before each question, and never lost or doubled,
wherever the process dies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest import mock

import httpx
import pytest
from click.testing import CliRunner, Result

from overwinter import Agent, Context, InvalidInput, Runtime, Scripted, StateMachine, call, tool, workflow
from overwinter.cli.main import cli
from overwinter.functions.frameworks.agent import ForeignAgent
from overwinter.functions.frameworks.port import Turn
from overwinter.functions.http.app import create_app
from overwinter.functions.models.port import Message
from overwinter.functions.models.scripted import Said
from overwinter.orchestrator.governance.approvals import register
from overwinter.orchestrator.governance.approvals.standing import MOST, Standing
from overwinter.orchestrator.machine import decider as deciding
from overwinter.orchestrator.protocol.decider import Invoke, Verdict
from overwinter.orchestrator.usercode.served import served
from overwinter.state.errors import AlreadyFinished, StoreCorrupt
from overwinter.testing import crash_everywhere, simulate
from overwinter.testing.world import World
from overwinter.tests.approvals.tools import BY_NAME, PAID, TOOLS


def newer(role: str = "desk") -> Any:
    """The tool of the same name with another parameter, or for another role."""
    if role != "desk":

        @tool(name="refund", approval=role)
        async def other(order: str, amount: int) -> str:
            """Refund an order."""
            return "other"

        return other

    @tool(name="refund", approval=role)
    async def changed(order: str, amount: int, note: str = "") -> str:
        """Refund an order."""
        return "changed"

    return changed


def agent(name: str = "clerk", tools: Sequence[Any] = TOOLS) -> Agent:
    """It calls the tool that the input names with the amount: "refund 60"."""

    def answer(messages: Sequence[Message], offered: object) -> Said:
        last = messages[-1]
        if last.role == "tool":
            return "done"
        what, amount = str(last.content).split()
        return call(what, order="o-1", amount=int(amount))

    return Agent(name, Scripted(answer), tools=tools)


@workflow(name="clerk")
async def flow(ctx: Context, input: str) -> str:
    what, amount = input.split()
    await ctx.step(BY_NAME[what], "o-1", amount=int(amount))
    return "done"


def machine(tools: Sequence[Any] = TOOLS) -> StateMachine:
    amount = "States.StringToJson(States.ArrayGetItem(States.StringSplit($, ' '), 1))"
    task = {"Type": "Task", "Parameters": {"order": "o-1", "amount.$": amount}, "Next": "Done"}
    states: dict[str, Any] = {name: task | {"Resource": name} for name in BY_NAME}
    ways = [{"Variable": "$", "StringMatches": f"{name} *", "Next": name} for name in BY_NAME]
    states |= {"Which": {"Type": "Choice", "Choices": ways}, "Done": {"Type": "Pass", "Result": "done", "End": True}}
    return StateMachine("clerk", {"StartAt": "Which", "States": states}, tools)


CLERK = agent()
KINDS: dict[str, Any] = {"agent": CLERK, "workflow": flow, "machine": machine()}
everywhere = pytest.mark.parametrize("function", KINDS.values(), ids=list(KINDS))
LARGE = Standing("1d", up_to={"amount": 100}, for_all=True)


async def run(world: World, id: str, content: str, by: str = "ana", function: Any = CLERK) -> None:
    await world.call(lambda runtime: runtime.start(function, content, id=id, by=by))


async def send(id: str, runtime: Runtime) -> Any:
    return await runtime.send(CLERK, "s", "transfer 60", id=id, by="ana")


async def waits(world: World, id: str) -> Any:
    """The question that somebody has to answer."""

    def look() -> Any:
        return next((asked for asked in world.open_approvals(id) if len(asked.get("votes", ())) >= stood(asked)), None)

    def stood(asked: Any) -> int:
        return len(asked.get("standing", ()))

    return await world.until(look)


def decided(world: World, *ids: str) -> list[tuple[str, str, bool]]:
    """In which execution, by whom, and whether a standing approval did."""
    return [
        (id, entry["by"], "under" in entry) for id in ids for entry in world.journal(id) if entry["type"] == "decided"
    ]


async def listed(world: World, **wanted: str) -> list[Any]:
    async def look(runtime: Runtime) -> list[Any]:
        return [(name, terms) async for name, terms in runtime.standings_for_all(**wanted)]

    return list(await world.call(look))


async def end(runtime: Runtime) -> None:
    """Revoke all that there are; asked again after a crash, there may be none."""
    async for name, terms in runtime.standings_for_all():
        await runtime.revoke(name, terms["id"], by="cleo", reason="enough")


@everywhere
def test_another_execution_asks_nobody_within_what_was_said_wherever_the_process_dies(function: Any) -> None:
    async def scenario(world: World) -> Any:
        await run(world, "a", "refund 60", function=function)
        await world.approve("a", by="ben", standing=LARGE)
        assert await world.result("a") == "done"
        await run(world, "b", "refund 80", function=function)
        assert await world.result("b") == "done"
        await run(world, "c", "refund 500", function=function)
        await waits(world, "c")
        await world.approve("c", by="cleo")
        assert await world.result("c") == "done"
        return decided(world, "a", "b", "c"), [terms["execution"] for _, terms in await listed(world)]

    def same(expected: Any, found: Any) -> bool:
        return bool(expected == found and set(PAID) == {60, 80, 500})

    found = crash_everywhere(scenario, functions=[function], fresh=PAID.clear, same=same).outcome.value
    assert found == ([("a", "ben", False), ("b", "ben", True), ("c", "cleo", False)], ["a"])


@everywhere
def test_what_is_revoked_approves_nothing_in_any_execution_wherever_the_process_dies(function: Any) -> None:
    async def scenario(world: World) -> Any:
        await run(world, "a", "refund 60", function=function)
        await world.approve("a", by="ben", standing=LARGE)
        await world.result("a")
        await world.call(end)
        assert await listed(world) == []
        await run(world, "b", "refund 80", function=function)
        await waits(world, "b")
        await world.approve("b", by="dora")
        await world.result("b")
        return decided(world, "a", "b")

    found = crash_everywhere(scenario, functions=[function], fresh=PAID.clear).outcome.value
    assert found == [("a", "ben", False), ("b", "dora", False)]


def test_revoked_it_is_over_also_in_the_execution_that_it_was_given_in() -> None:
    async def scenario(world: World) -> Any:
        for message in ("1", "2"):
            await world.call(partial(send, message))
            if message == "1":
                await world.approve("clerk/s", by="ben", standing=LARGE)
                await world.approve("clerk/s", by="cleo")
                await world.reply("clerk/s", message)
                assert await world.call(lambda runtime: runtime.standing("clerk/s")) == []
                await world.call(end)
        return await waits(world, "clerk/s")

    assert "standing" not in simulate(scenario, functions=[CLERK])


@everywhere
def test_what_was_read_is_in_the_journal_before_the_question_and_the_decision_and_the_call(function: Any) -> None:
    async def scenario(world: World) -> Any:
        await run(world, "a", "refund 60", function=function)
        await world.approve("a", by="ben", standing=LARGE)
        await world.result("a")
        await run(world, "b", "refund 80", function=function)
        await world.result("b")
        return world.journal("a"), world.journal("b")

    first, second = simulate(scenario, functions=[function])
    (given,) = [entry["standing"] for entry in first if entry["type"] == "decided"]
    read, proposed, made, done = (entry for entry in second if entry["type"] in ("step", "ordered", "decided", "tool"))
    assert (read["name"], proposed["kind"], made["type"], done["name"]) == (
        register.LOOKUP, "approval", "decided", "refund",
    )  # fmt: skip
    assert read["value"] == [given | {"execution": "a"}]
    assert proposed["standing"] == [{"id": given["id"], "by": "ben"}]
    assert (made["under"], made["digest"]) == (given["id"], proposed["digest"])


@everywhere
def test_who_reads_the_journal_again_reads_no_store(function: Any) -> None:
    """It was revoked after the question was asked, and before another process goes on with it."""

    async def scenario(world: World) -> Any:
        await run(world, "a", "transfer 60", function=function)
        await world.approve("a", by="ben", standing=Standing("1d", for_all=True))
        await world.approve("a", by="cleo")
        await world.result("a")
        await run(world, "b", "transfer 60", function=function)
        assert (await waits(world, "b"))["votes"] == ["ben"]
        await world.call(end)
        assert (await waits(world, "b"))["votes"] == ["ben"]
        await world.approve("b", by="dora")
        await world.result("b")
        return decided(world, "b"), sum(entry.get("name") == register.LOOKUP for entry in world.journal("b"))

    found = crash_everywhere(scenario, functions=[function], fresh=PAID.clear).outcome.value
    assert found == ([("b", "ben", True), ("b", "dora", False)], 1)


def test_only_a_call_that_wants_an_approval_pays_for_it() -> None:
    @tool
    async def refund(order: str, amount: int) -> str:
        """Refund an order."""
        return "free"

    free = agent(tools=[refund])

    async def scenario(world: World) -> Any:
        await run(world, "a", "refund 60", function=free)
        await world.result("a")
        return [entry["type"] for entry in world.journal("a")]

    assert "step" not in simulate(scenario, functions=[free])


@everywhere
def test_it_ends_when_its_time_is_over(function: Any) -> None:
    async def scenario(world: World) -> Any:
        await run(world, "a", "refund 60", function=function)
        await world.approve("a", by="ben", standing=LARGE)
        await world.result("a")
        await world.sleep("1d")
        assert await listed(world) == []
        await run(world, "b", "refund 60", function=function)
        return await waits(world, "b")

    assert "standing" not in simulate(scenario, functions=[function])


@pytest.mark.parametrize(
    ("other", "content"),
    [
        (agent(tools=[newer()]), "refund 60"),
        (agent(tools=[newer("boss")]), "refund 60"),
        (agent("scribe"), "refund 60"),
        (CLERK, "payout 60"),
        (CLERK, "refund 61"),
    ],
    ids=["version", "role", "agent", "tool", "amount"],
)
def test_it_is_for_nothing_else(other: Agent, content: str) -> None:
    async def give(world: World) -> Any:
        await run(world, "a", "refund 60")
        await world.approve("a", by="ben", standing=Standing("1d", up_to={"amount": 60}, for_all=True))
        await world.result("a")
        return await world.call(lambda runtime: runtime.store.get(register.PLACE, "clerk"))

    kept = simulate(give, functions=[CLERK])

    async def scenario(world: World) -> Any:
        await world.call(lambda runtime: runtime.store.put(register.PLACE, "clerk", kept.value))
        await run(world, "b", content, function=other)
        return await waits(world, "b")

    assert "standing" not in simulate(scenario, functions=[other])


@everywhere
def test_of_who_asks_it_is_none(function: Any) -> None:
    async def scenario(world: World) -> Any:
        await run(world, "a", "payout 60", function=function)
        await world.approve("a", by="ben", standing=LARGE)
        await world.result("a")
        await run(world, "b", "payout 60", by="cleo", function=function)
        await world.result("b")
        await run(world, "c", "payout 60", by="ben", function=function)
        return decided(world, "b"), await waits(world, "c")

    found, asked = simulate(scenario, functions=[function])
    assert found == [("b", "ben", True)]
    assert asked["requester"] == "ben" and "standing" not in asked


def test_of_several_it_is_one_beside_what_is_said_in_the_execution() -> None:
    async def scenario(world: World) -> Any:
        await run(world, "a", "transfer 60")
        await world.approve("a", by="ben", standing=LARGE)
        await world.approve("a", by="cleo")
        await world.result("a")
        for message in ("1", "2"):
            await world.call(partial(send, message))
            if message == "1":
                assert (await waits(world, "clerk/s"))["votes"] == ["ben"]
                await world.approve("clerk/s", by="dora", standing=Standing())
            await world.reply("clerk/s", message)
        return [(by, under) for _, by, under in decided(world, "clerk/s")]

    found = simulate(scenario, functions=[CLERK])
    assert found == [("ben", True), ("dora", False), ("dora", True), ("ben", True)]


def test_a_decision_that_is_refused_gives_none() -> None:
    async def scenario(world: World) -> Any:
        await run(world, "a", "payout 60")
        await waits(world, "a")

        async def refused(runtime: Runtime) -> list[str]:
            said: list[dict[str, Any]] = [{"by": "ana"}, {"by": ""}, {"by": "ben", "digest": "another"}]
            found = [
                await asyncio.gather(runtime.approve("a", standing=LARGE, **one), return_exceptions=True)
                for one in said
            ]
            return [type(one).__name__ for (one,) in found]

        return await world.call(refused), await listed(world)

    assert simulate(scenario, functions=[CLERK]) == (["InvalidInput"] * 3, [])


def test_of_two_who_decide_at_once_only_the_one_that_counts_gives_one() -> None:
    async def scenario(world: World) -> Any:
        await run(world, "a", "refund 60")
        await waits(world, "a")

        async def both(runtime: Runtime) -> list[Any]:
            said = [runtime.approve("a", by=by, standing=LARGE) for by in ("ben", "cleo")]
            return list(await asyncio.gather(*said, return_exceptions=True))

        told = await world.call(both)
        await world.result("a")
        return [isinstance(one, str) for one in told], decided(world, "a"), await listed(world)

    counted, by, found = simulate(scenario, functions=[CLERK])
    assert sum(counted) == 1
    assert [terms["by"] for _, terms in found] == [by[0][1]]


def test_of_two_equal_ones_at_once_the_one_that_counts_stays() -> None:
    async def scenario(world: World) -> Any:
        await run(world, "a", "refund 60")
        await waits(world, "a")

        async def first(*given: Any) -> bool:
            """Each of them has written it first, and is the last to send its decision."""
            await give(*given)
            return True

        async def both(runtime: Runtime) -> None:
            said = [runtime.approve("a", by="ben", standing=LARGE) for _ in range(3)]
            await asyncio.gather(*said, return_exceptions=True)

        give = register.give
        with mock.patch.object(register, "give", first):
            await world.call(both)
        await world.result("a")
        return await listed(world)

    assert len(simulate(scenario, functions=[CLERK])) == 1


class Own:
    name = "own"

    async def answer(self, turn: Turn) -> str:
        what, amount = turn.input.split()
        await turn.ctx.step(BY_NAME[what], "o-1", amount=int(amount))
        return "done"


def test_it_holds_in_the_sessions_of_own_code() -> None:
    own = ForeignAgent("clerk", Own())

    async def say(session: str, runtime: Runtime) -> Any:
        return await runtime.send(own, session, "refund 60", id="1", by="ana")

    async def scenario(world: World) -> Any:
        await world.call(partial(say, "s"))
        await world.approve("clerk/s", by="ben", standing=LARGE)
        await world.reply("clerk/s", "1")
        await world.call(partial(say, "t"))
        await world.reply("clerk/t", "1")
        return decided(world, "clerk/s", "clerk/t")

    found = crash_everywhere(scenario, functions=[own], fresh=PAID.clear).outcome.value
    assert found == [("clerk/s", "ben", False), ("clerk/t", "ben", True)]


def test_what_is_no_call_of_a_tool_gives_none() -> None:
    @workflow(name="clerk")
    async def asks(ctx: Context, input: Any) -> str:
        await ctx.approve("refund", role="desk")
        return "done"

    async def scenario(world: World) -> Any:
        await run(world, "a", "go", function=asks)
        await waits(world, "a")

        async def give(runtime: Runtime) -> None:
            with pytest.raises(InvalidInput, match="no call of a tool"):
                await runtime.approve("a", by="ben", standing=LARGE)

        await world.call(give)
        return await listed(world)

    assert simulate(scenario, functions=[asks]) == []


@pytest.mark.parametrize("kind", ["workflow", "machine"])
def test_what_an_older_release_asked_goes_on_and_gives_none(kind: str) -> None:
    """It has read no standing approvals before, so its journal tells of none."""
    function = KINDS[kind]

    async def asked(world: World) -> Any:
        await run(world, "a", "refund 60", function=function)
        question = await waits(world, "a")
        return [entry for entry in world.journal("a") if entry.get("name") != register.LOOKUP], question["op"]

    journal, op = simulate(asked, functions=[function])
    (question,) = [entry for entry in journal if entry["type"] == "ordered"]
    del question["shared"]
    decider = served(function).decider("a")
    decider.replay("", 1, journal, question["at"])
    decision = decider.decide()
    assert (decision.status, decision.awaits, decision.perform) == ("waiting", "approval refund", [])
    terms = LARGE.terms(question, "desk", question["data"], 1, question["digest"], "ben")
    said = {"type": "decided", "op": op, "at": question["at"], "approved": True, "by": "ben", "standing": terms}
    assert "older release" in decider.refusal(said | {"digest": question["digest"]})
    del said["standing"]
    assert decider.offer(said | {"digest": question["digest"]}) is Verdict.TAKEN
    assert [effect.name for effect in decider.decide().perform if isinstance(effect, Invoke)] == ["refund"]


def test_a_state_machine_that_begins_its_journal_anew_reads_them_all_the_same() -> None:
    """No checkpoint is made between the reading and the question: what was read would be lost there, or stay."""
    function = KINDS["machine"]

    async def scenario(world: World) -> Any:
        await run(world, "a", "refund 60", function=function)
        await world.approve("a", by="ben", standing=LARGE)
        await world.result("a")
        await run(world, "b", "refund 80", function=function)
        await world.result("b")
        kinds = [entry["type"] for entry in world.journal("b")]
        return decided(world, "b"), "checkpoint" in kinds, kinds.index("ordered") - kinds.index("step")

    with mock.patch.object(deciding, "FRESH", 1):
        found = crash_everywhere(scenario, functions=[function], fresh=PAID.clear).outcome.value
    assert found == ([("b", "ben", True)], True, 1)


def test_after_a_retry_of_what_was_denied_a_person_is_asked() -> None:
    async def scenario(world: World) -> Any:
        await run(world, "a", "transfer 60", function=flow)
        await world.approve("a", by="ben", standing=LARGE)
        await world.approve("a", by="cleo")
        await world.result("a")
        await run(world, "b", "transfer 60", function=flow)
        assert (await waits(world, "b"))["votes"] == ["ben"]
        await world.deny("b", by="cleo")
        await world.until(lambda: world.journal("b")[-1]["type"] == "failed" or None)
        await world.call(end)
        await world.call(again)
        assert "votes" not in await waits(world, "b")
        await world.approve("b", by="dora")
        await world.approve("b", by="cleo")
        return await world.result("b"), decided(world, "b")

    async def again(runtime: Runtime) -> None:
        with suppress(AlreadyFinished, InvalidInput):  # asked again after a crash, it goes on already
            await runtime.retry("b", by="ana")

    found = crash_everywhere(scenario, functions=[flow], fresh=PAID.clear).outcome.value
    said = [("b", "ben", True), ("b", "cleo", False), ("b", "dora", False), ("b", "cleo", False)]
    assert found == ("done", said)


def test_it_lasts_for_a_time() -> None:
    with pytest.raises(InvalidInput, match="lasts for a time"):
        Standing(for_all=True)


# -- at a shell, and over HTTP ---------------------------------------------------------------------------


def test_at_a_shell_it_is_given_listed_shown_and_revoked(tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path}/x.db"

    def shell(*words: str) -> Result:
        return CliRunner(env={"COLUMNS": "240"}).invoke(cli, [*words, "--store", dsn])

    async def work(id: str, *, waits: bool) -> None:
        async with Runtime([CLERK], dsn) as runtime:
            await runtime.start(CLERK, "refund 60", id=id, by="ana")
            while waits and not await runtime.approvals(id):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            if not waits:
                assert await runtime.result(id) == "done"

    asyncio.run(work("a", waits=True))
    given = ["approve", "a", "--by", "ben", "--for-all", "--up-to", "amount=100"]
    assert shell(*given).exit_code == 2
    assert "lasts for a time" in shell(*given, "--standing", "session").output
    assert shell(*given, "--standing", "1d").exit_code == 0
    asyncio.run(work("a", waits=False))
    asyncio.run(work("b", waits=False))
    (one,) = json.loads(shell("approvals", "--standing", "--json").output)["standing"]
    assert (one["execution"], one["function"], one["for_all"], one["by"]) == ("a", "clerk", True, "ben")
    row = shell("approvals", "--standing", "b").output
    assert "clerk" in row and "amount up to 100, in all executions" in row
    assert "no standing" in shell("approvals", "--standing", "--agent", "scribe").output
    assert f"approved by ben: standing approval {one['id']}" in " ".join(shell("show", "b").output.split())
    assert "clerk has no standing" not in (told := shell("revoke", "nobody", one["id"], "--by", "cleo")).output
    assert told.exit_code != 0 and "there is no execution" in told.output
    ended = shell("revoke", "clerk", one["id"], "--by", "cleo")
    assert ended.exit_code == 0 and "all executions" in ended.output
    again = shell("revoke", "b", one["id"], "--by", "dora")
    assert again.exit_code != 0 and "by cleo" in again.output
    assert "no standing approvals" in shell("approvals", "--standing").output
    asyncio.run(work("c", waits=True))


def test_over_http_it_is_given_listed_and_revoked() -> None:
    async def main() -> None:
        async with Runtime([CLERK], "memory://") as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None)))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                await work(client, runtime)

    async def work(client: httpx.AsyncClient, runtime: Runtime) -> None:
        await runtime.start(CLERK, "refund 60", id="a", by="ana")
        while not await runtime.approvals("a"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        decision: dict[str, Any] = {"approved": True, "by": "ben", "standing": {"lasts": "session", "for_all": True}}
        told = await client.post("/decide/a", json=decision)
        assert told.status_code in (409, 422) and "lasts for a time" in told.text
        decision["standing"]["lasts"] = "1d"
        assert (await client.post("/decide/a", json=decision)).status_code == 202
        await runtime.start(CLERK, "refund 80", id="b", by="ana")
        assert await runtime.result("b") == "done"
        (one,) = (await client.get("/standing")).json()["standing"]
        assert (one["execution"], one["function"], one["for_all"]) == ("a", "clerk", True)
        assert (await client.get("/standing/b?role=desk")).json()["standing"] == [one]
        assert (await client.get("/standing/b?role=boss")).json()["standing"] == []
        revocation = {"standing": one["id"], "by": "cleo"}
        assert (await client.post("/revoke/clerk", json=revocation)).status_code == 202
        assert (await client.post("/revoke/b", json=revocation)).status_code == 409
        assert (await client.get("/standing")).json()["standing"] == []

    asyncio.run(main())


# -- what is kept of them --------------------------------------------------------------------------------


def terms(id: str, until: int = 100, **more: Any) -> dict[str, Any]:
    return {"id": id, "what": "refund", "version": "v1", "role": "desk", "by": "ben", "until": until} | more


def opened(work: Callable[[Any], Any]) -> Any:
    async def main() -> Any:
        async with Runtime([], "memory://") as runtime:
            return await work(runtime.store)

    return asyncio.run(main())


def test_those_whose_time_is_over_are_swept_and_there_are_so_many_at_the_most() -> None:
    async def work(store: Any) -> Any:
        await register.give(store, "clerk", terms("old", 10), 1)
        for number in range(MOST + 1):
            await register.give(store, "clerk", terms(f"s{number}"), 10)
        kept = await store.get(register.PLACE, "clerk")
        return kept.value, await register.good(store, "clerk", 10)

    text, found = opened(work)
    assert '"old"' not in text and [one["id"] for one in found] == [f"s{n}" for n in range(1, MOST + 1)]


def test_of_two_who_write_at_once_nothing_is_lost() -> None:
    async def work(store: Any) -> Any:
        get, between = store.get, [terms("s2"), terms("s3")]

        async def overtaken(scope: str, key: str) -> Any:
            """Somebody else writes between the reading and the writing."""
            found = await get(scope, key)
            if between:
                await register.give(store, "clerk", between.pop(), 1)
            return found

        await register.give(store, "clerk", terms("first"), 1)
        with mock.patch.object(store, "get", overtaken):
            await register.revoke(store, "clerk", "first", by="cleo", reason="", now=2)
        return {one["id"] for one in await register.good(store, "clerk", 3)}

    assert opened(work) == {"s2", "s3"}


def test_who_revokes_what_was_revoked_is_told_by_whom() -> None:
    async def work(store: Any) -> None:
        await register.give(store, "clerk", terms("s1"), 1)
        assert await register.revoke(store, "clerk", "s2", by="cleo", reason="", now=2) is None
        assert await register.revoke(store, "clerk", "s1", by="cleo", reason="", now=2) == terms("s1")
        with pytest.raises(AlreadyFinished, match="by cleo"):
            await register.revoke(store, "clerk", "s1", by="dora", reason="", now=3)

    opened(work)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"standing": [{}], "revoked": []}',
        '{"standing": [1], "revoked": []}',
        "x",
        '{"standing": [{"id":"a","what":"b","version":"c","role":"d","by":"e","until":"late"}], "revoked": []}',
    ],
)
def test_what_can_not_be_read_is_not_written_over(text: str) -> None:
    async def work(store: Any) -> str:
        await store.put(register.PLACE, "clerk", text)
        with pytest.raises(StoreCorrupt, match=r"overwinter\.standing"):
            await register.give(store, "clerk", terms("s1"), 1)
        return str((await store.get(register.PLACE, "clerk")).value)

    assert opened(work) == text


def test_where_it_can_not_be_read_somebody_is_asked() -> None:
    async def scenario(world: World) -> Any:
        await world.call(lambda runtime: runtime.store.put(register.PLACE, "clerk", '{"standing": 1}'))
        await run(world, "a", "refund 60")
        await waits(world, "a")
        await world.approve("a", by="ben")
        return await world.result("a"), decided(world, "a")

    assert simulate(scenario, functions=[CLERK]) == ("done", [("a", "ben", False)])
