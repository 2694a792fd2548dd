"""``overwinter dead-letters`` and ``overwinter subscriptions`` over a store that something was published in."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter import Context, Runtime, subscribe, tool, workflow
from overwinter.cli.main import cli
from overwinter.functions.event import CloudEvent


@subscribe(type="order.paid")
@workflow
async def pack(ctx: Context, order: dict[str, str]) -> str:
    return order["id"]


@subscribe(type="order.paid")
@tool
async def stamp(id: str) -> str:
    """Put a stamp on it."""
    return id


class Shop:
    def __init__(self, folder: Path) -> None:
        self.store = f"sqlite:///{folder}/shop.db"

    def publish(self, data: Any, id: str = "e-1", function: Any = pack) -> None:
        async def work() -> None:
            async with Runtime([function], self.store) as runtime:
                await runtime.publish(CloudEvent(id=id, source="/shop", type="order.paid", data=data))

        asyncio.run(work())

    def result(self, id: str) -> Any:
        async def work() -> Any:
            async with Runtime([pack], self.store) as runtime:
                return await runtime.result(id, timeout=60)

        return asyncio.run(work())

    def run(self, *arguments: str, code: int = 0, stdin: str = "") -> str:
        result = CliRunner().invoke(cli, [*arguments, "--store", self.store], input=stdin)
        assert result.exit_code == code, result.output
        return result.output

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_letter_is_listed_shown_edited_and_sent(shop: Shop) -> None:
    shop.publish(["no order"])
    (letter,) = shop.json("dead-letters", "list")
    assert letter["subscription"] == "pack" and letter["attempts"] == 1 and letter["event"]["id"] == "e-1"
    assert letter["id"][:20] in shop.run("dead-letters", "list")
    assert shop.json("dead-letters", "list", "--subscription", "pack") == [letter]
    assert shop.json("dead-letters", "list", "--subscription", "other") == []
    shown = shop.run("dead-letters", "show", "pack:")
    assert letter["id"] in shown and '"/shop"' in shown
    edited = shop.json("dead-letters", "edit", "pack:", "--data", '{"id": "mended"}')
    assert edited["event"] == {**letter["event"], "data": {"id": "mended"}}
    (sent,) = shop.json("dead-letters", "send", "pack:")["sent"]
    assert sent == {"id": letter["id"], "execution": f"{letter['id']}~2"}
    assert shop.result(sent["execution"]) == "mended"
    assert "no dead letters" in shop.run("dead-letters", "list")


def test_all_of_them(shop: Shop) -> None:
    for number in range(3):
        shop.publish(["no order"], f"e-{number}")
    assert "3 dead letters dropped" in shop.run("dead-letters", "drop", "--all", stdin="y\n")
    assert shop.json("dead-letters", "drop", "--all", "--yes") == {"dropped": []}
    shop.publish(["no order"], "e-9")
    assert len(shop.json("dead-letters", "send", "--all")["sent"]) == 1
    assert "nothing to send" in shop.run("dead-letters", "send", "--all")


def test_one_that_still_does_not_fit_holds_up_none_behind_it(shop: Shop) -> None:
    for number in range(3):
        shop.publish(["no order"], f"e-{number}", stamp)
    letters = shop.json("dead-letters", "list")
    ids = [letter["id"] for letter in letters]
    for id in ids[1:]:
        shop.run("dead-letters", "edit", id, "--data", '{"id": "mended"}')
    told = shop.run("dead-letters", "send", "--all", code=2)
    assert f"not sent {ids[0]}" in told and "dead-letters edit" in told
    assert all(f"sent {id} to {id}~2" in told for id in ids[1:])
    (left,) = shop.json("dead-letters", "list")
    assert (left["id"], left["attempts"]) == (ids[0], 2)
    shop.run("dead-letters", "edit", ids[0], "--data", '{"id": "mended"}')
    once = shop.json("dead-letters", "send", ids[0], ids[0][:20])
    assert once == {"sent": [{"id": ids[0], "execution": f"{ids[0]}~3"}], "refused": []}
    assert shop.json("dead-letters", "list") == []


def test_what_can_not_be(shop: Shop) -> None:
    shop.publish({"id": "fine"})
    assert "no dead letter" in shop.run("dead-letters", "show", "pack", code=3)
    assert "name dead letters" in shop.run("dead-letters", "send", code=2)
    assert "name dead letters" in shop.run("dead-letters", "drop", "x", "--all", code=2)
    shop.publish(["no order"])
    assert "whole --event" in shop.run("dead-letters", "edit", "pack", "--event", "{}", "--data", "{}", code=2)
    assert "no number" in shop.run("dead-letters", "edit", "pack", "--data", "1e999", code=2)
    assert shop.json("dead-letters", "show", "pack")["event"]["data"] == ["no order"]
    assert "specversion" in shop.run("dead-letters", "edit", "pack", "--event", "{}", code=2)


def test_subscriptions(shop: Shop) -> None:
    shop.publish({"id": "fine"})
    wanted = {"name": "pack", "function": "pack", "kind": "workflow", "filters": [{"exact": {"type": "order.paid"}}]}
    assert shop.json("subscriptions", "list") == [wanted]
    assert "order.paid" in shop.run("subscriptions", "list")
    assert shop.json("subscriptions", "drop", "pack") == {"dropped": "pack", "kept": ""}
    assert "no subscriptions" in shop.run("subscriptions", "list")
    assert "list shows all" in shop.run("subscriptions", "drop", "pack", code=2)
