"""Toolsets of functions, objects and other toolsets, and what is made of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Agent, Context, Runtime, Scripted, call, current_call, run, tool, workflow
from overwinter.functions.toolset import Toolset
from overwinter.state.errors import InvalidInput


def lookup(order_id: str) -> str:
    """Look up an order.

    Args:
        order_id: like o-17
    """
    return f"{order_id} is in transit"


@tool(effect="irreversible", approval="chief")
def refund(order_id: str) -> str:
    """Refund an order."""
    return f"{order_id} refunded"


class Crm:
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.asked = 0

    @property
    def expensive(self) -> str:
        raise AssertionError("it is not looked at")

    def find(self, id: str) -> str:
        """Find a customer."""
        self.asked += 1
        return self.names[id]

    async def rename(self, id: str, name: str) -> None:
        """Rename a customer."""
        self.names[id] = name

    def _internal(self) -> None: ...


class Marked:
    @tool(effect="pure")
    def shown(self, id: str) -> str:
        """Show."""
        return id

    def hidden(self) -> None: ...


@workflow
async def flow(ctx: Context) -> None: ...


def names(toolset: Toolset) -> list[str]:
    return [one.name for one in toolset.tools()]


def test_functions_and_toolsets_are_one_in_their_order() -> None:
    both = Toolset(Toolset(refund), lookup)
    assert names(both) == ["refund", "lookup"]
    agent = Agent("desk", Scripted([call("lookup", order_id="o-1"), "done"]), tools=[both])
    assert run(agent, "?", store="memory://") == "done"


def test_the_methods_of_an_object() -> None:
    crm = Crm({"c-1": "Ann"})
    assert names(Toolset.of(crm)) == ["find", "rename"]
    assert names(Toolset.of(Marked())) == ["shown"]
    script: list[Any] = [call("rename", id="c-1", name="Bob"), call("find", id="c-1"), "done"]
    assert run(Agent("desk", Scripted(script), tools=[Toolset.of(crm)]), "?", store="memory://") == "done"
    assert crm.names == {"c-1": "Bob"} and crm.asked == 1


def test_each_change_is_a_set_of_its_own_and_changes_nothing() -> None:
    shop = Toolset(lookup, refund)
    assert names(shop.prefixed("shop")) == ["shop_lookup", "shop_refund"]
    assert names(shop.renamed(lookup="find_order")) == ["find_order", "refund"]
    assert names(shop.filtered(["refund"])) == ["refund"]
    assert names(shop.filtered(without=["refund"])) == ["lookup"]
    assert names(shop.filtered(lambda one: one.effect != "irreversible")) == ["lookup"]
    assert names(shop.prefixed("a").prefixed("b").filtered(["b_a_refund"])) == ["b_a_refund"]
    assert names(shop) == ["lookup", "refund"]


def test_a_changed_tool_is_what_it_was_but_for_the_change() -> None:
    (found,) = Toolset(lookup).prefixed("shop").tools()
    assert found.description == "Look up an order."
    assert found.parameters["properties"]["order_id"]["description"] == "like o-17"
    (changed,) = Toolset(refund).renamed(refund="pay_back").tools()
    assert (changed.effect, changed.approval, changed.policy.at_most_once) == ("irreversible", "chief", True)
    prefixed = Toolset(lookup).prefixed("shop")
    assert prefixed.tools()[0] is prefixed.tools()[0]


def test_an_approval_for_all_leaves_stricter_ones_alone() -> None:
    first, second = Toolset(lookup, refund).approved("desk").tools()
    assert (first.role({"order_id": "o"}), second.role({"order_id": "o"})) == ("desk", "chief")

    async def asked() -> tuple[str, list[Any]]:
        script = Scripted([call("lookup", order_id="o-1"), "done"])
        agent = Agent("desk", script, tools=[Toolset(lookup).approved("boss")])
        async with Runtime([agent], "memory://") as runtime:
            handle = await runtime.start(agent, "?", id="r-1")
            while not (waiting := await runtime.approvals("r-1")):  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0)
            await runtime.deny("r-1", by="ann")
            return await handle.result(), [waiting[0]["role"], list(await runtime.history("r-1"))]

    answer, (role, entries) = asyncio.run(asked())
    assert (answer, role) == ("done", "boss")
    assert not [entry for entry in entries if entry["type"] == "tool"]


def test_what_a_function_is_given_is_not_in_its_schema() -> None:
    pool = object()
    seen: list[Any] = []

    async def find(id: str, pool: Any, limit: int = 3) -> str:
        """Find something."""
        seen.append((id, pool, limit, current_call().execution))
        return id

    (given,) = Toolset(find).given(pool=pool).tools()
    assert list(given.parameters["properties"]) == ["id", "limit"]
    agent = Agent("desk", Scripted([call("find", id="a"), call("find", id="b", pool="mine"), "done"]), tools=[
        Toolset(find).given(pool=pool)
    ])  # fmt: skip

    async def asked() -> None:
        async with Runtime([agent], "memory://") as runtime:
            await (await runtime.send(agent, "customer-42", "?", id="m")).reply()

    asyncio.run(asked())
    assert seen == [("a", pool, 3, "desk/customer-42")]  # and what a model makes up is refused


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Toolset(lookup).filtered(["lokup"]), "did you mean 'lookup'"),
        (lambda: Toolset(lookup).renamed(find="x"), "there is no tool 'find'"),
        (lambda: Toolset(lookup).given(pool=1), "no tool has a parameter 'pool'"),
        (lambda: Toolset(lookup).prefixed("no dots.").tools(), "must be 1 to 64"),
        (lambda: Toolset.of(Crm), "nobody says of which object"),
        (lambda: Toolset(Agent("desk", "scripted:echo")), "directly in Agent"),
        (lambda: Toolset(5), "can't be in a toolset"),
        (lambda: Toolset(flow), "directly in Agent"),
        (lambda: Agent("desk", "scripted:echo", tools=[Toolset(lookup), lookup]), r'toolset.prefixed\("crm"\)'),
    ],
)
def test_what_can_not_be_is_refused_with_what_to_do(make: Any, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        make()


def test_two_agents_share_a_toolset_and_its_tools_are_served_once() -> None:
    shop = Toolset(lookup).prefixed("shop")
    agents = [Agent("one", "scripted:echo", tools=[shop]), Agent("two", "scripted:echo", tools=[shop])]

    async def served() -> Any:
        async with Runtime(agents, "memory://") as runtime:
            return await runtime.invoke("shop_lookup", {"order_id": "o-9"})

    assert asyncio.run(served()) == "o-9 is in transit"
