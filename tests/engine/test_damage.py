"""What is damaged in the store is named, and nothing else stops for it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from click.testing import CliRunner

from overwinter import Context, Runtime, workflow
from overwinter.cli.main import cli
from overwinter.functions.http.app import create_app
from overwinter.orchestrator.protocol.stuck import DAMAGED
from overwinter.orchestrator.upkeep.auditing import WRONG, audit
from overwinter.state.errors import StoreCorrupt
from overwinter.state.records import Dump, Head
from overwinter.testing import Ledger, VirtualLoop, run_virtual
from overwinter.tests.engine.bench import Bench
from overwinter.tests.engine.chain import Call, Chain, Child, Sleep


def at_damaged_bench(work: Callable[[Bench], Awaitable[None]]) -> None:
    """As ``at_bench``, but the journals are not compared with what was written: they are damaged on purpose."""

    async def main(loop: VirtualLoop) -> None:
        bench = Bench(loop)
        try:
            await work(bench)
        finally:
            for process in bench.processes:
                process.kill()

    run_virtual(main, "2h")


def lose(bench: Bench, id: str, number: int, text: str = "") -> None:
    bench.ledger._executions[id].journal[number - 1] = text


@pytest.mark.parametrize("text", ["", "{", "[]", '{"no": "type"}'])
def test_a_damaged_entry_makes_it_stuck_with_the_entry_named(text: str) -> None:
    async def work(bench: Bench) -> None:
        chain = Chain("c", [Call(lambda _: 1), Sleep(60_000)])
        process = await bench.process(chain, cache=0)
        await bench.start(process, "c", "e")
        await bench.start(process, "c", "sound")
        await bench.status("e", "waiting")
        before = bench.ledger.journal_now("e")
        lose(bench, "e", 2, text)
        await bench.status("e", "stuck")
        head = bench.ledger.head_now("e")
        assert head is not None
        assert head.awaits.startswith(f"{DAMAGED}: entry 2 can't be read:")
        assert (await bench.ended("sound"))["value"][0] == 1
        await process.call(lambda runtime: runtime.resume("e"))  # it is still damaged
        await asyncio.sleep(5)
        await bench.status("e", "stuck")
        lose(bench, "e", 2, json.dumps(before[1]))
        await process.call(lambda runtime: runtime.resume("e"))
        assert (await bench.ended("e"))["value"][0] == 1

    at_damaged_bench(work)


def test_what_is_damaged_can_be_terminated() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(Chain("c", [Call(lambda _: 1), Sleep(60_000)]), cache=0)
        await bench.start(process, "c", "e")
        await bench.status("e", "waiting")
        lose(bench, "e", 2, "{}")
        await bench.status("e", "stuck")
        await process.call(lambda runtime: runtime.terminate("e"))
        while (head := bench.ledger.head_now("e")) is None or head.status != "terminated":
            await bench.ledger.changed()

    at_damaged_bench(work)


def test_a_parent_is_told_though_the_end_of_its_child_is_damaged() -> None:
    async def work(bench: Bench) -> None:
        leaf = Chain("leaf", [Call(lambda _: 1)])
        process = await bench.process(Chain("tree", [Child("leaf")]), leaf)
        told = bench.ledger.accept

        def deaf(id: str, mail: Any, **options: Any) -> Any:
            if mail is not None and '"child"' in mail.body and id == "t":
                process.kill()  # the child has ended, and it dies before it tells
                return bench.loop.create_future()
            return told(id, mail, **options)

        bench.ledger.accept = deaf  # type: ignore[method-assign]
        await bench.start(process, "tree", "t")
        await process.death()
        bench.ledger.accept = told  # type: ignore[method-assign]
        child = next(head for head in bench.ledger.heads_now() if head.parent == "t")
        assert child.status == "completed"
        lose(bench, child.id, child.length, "")
        await bench.process(Chain("tree", [Child("leaf")]), leaf)
        ending = await bench.ended("t")
        assert ending["type"] == "failed"
        assert f"entry {child.length} can't be read" in ending["error"]["message"]
        assert bench.ledger.head_now(child.id).status == "completed"  # type: ignore[union-attr]

    at_damaged_bench(work)


@workflow
async def three(ctx: Context, name: str) -> int:
    await ctx.step(lambda: 1, name="first")
    await ctx.step(lambda: 2, name="second")
    return 3


DAMAGES = {
    "a row is missing": "DELETE FROM journal WHERE id = (2 << 28 | 2)",
    "no json": "UPDATE journal SET body = '{' WHERE id = (2 << 28 | 2)",
    "no object": "UPDATE journal SET body = '[1]' WHERE id = (2 << 28 | 2)",
    "bytes": "UPDATE journal SET body = X'80ff' WHERE id = (2 << 28 | 2)",
    "no text": "UPDATE journal SET body = CAST(X'80ff' AS TEXT) WHERE id = (2 << 28 | 2)",
    "fields of other types": """UPDATE journal SET body = '{"type":"step","at":"x","op":[],"ms":{},"n":"y"}'
                                WHERE id = (2 << 28 | 2)""",
    "a blob that is nowhere": """UPDATE journal SET body = '{"type":"step","at":1,"op":"0","name":"first","ms":1,
        "blob":{"field":"value","digest":"sha256:aa","size":3}}' WHERE id = (2 << 28 | 2)""",
    "a reference that is none": """UPDATE journal SET body = '{"type":"step","at":1,"op":"0","name":"first","ms":1,
        "blob":7}' WHERE id = (2 << 28 | 2)""",
    "the whole journal": "DELETE FROM journal WHERE id >> 28 = 2",
    "the end": "DELETE FROM journal WHERE id = (2 << 28 | 4)",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_people_see_what_can_be_read(tmp_path: Path, damage: str) -> None:
    """No command ends with a traceback, and no endpoint with an error that nobody foresaw."""
    path = tmp_path / "store.db"
    dsn = f"sqlite:///{path}"

    async def fill() -> None:
        async with Runtime([three], dsn) as runtime:
            for id in ("before", "broken", "after"):
                await (await runtime.start(three, id, id=id)).result()

    asyncio.run(fill())
    with sqlite3.connect(path) as other:
        assert other.execute(DAMAGES[damage]).rowcount >= 1
    other.close()

    def say(*words: str) -> tuple[int, str]:
        run = CliRunner().invoke(cli, [*words, "--store", dsn], env={"COLUMNS": "200"})
        assert run.exception is None or isinstance(run.exception, SystemExit), f"{words}: {run.exception!r}"
        return run.exit_code, run.output

    for words in (["show", "broken"], ["show", "broken", "--full"], ["show", "broken", "--json"], ["watch", "broken"]):
        _, output = say(*words)
        told = "damaged" in output or "blob" in output
        quiet = damage in ("the whole journal", "a reference that is none") or (damage[:6], words[-1]) == (
            "fields",
            "--json",
        )
        assert told or quiet, f"{words}: {output}"
    assert say("ps", "--all")[0] == 0
    assert say("doctor")[0] in (0, 1)
    code, checked = say("store", "check")
    assert code == 1 or damage == "fields of other types"
    assert "after" not in checked.split("broken")[0].splitlines()[-1]
    exported, text = say("store", "export", str(tmp_path / "out"))
    assert exported in (0, 1), text

    async def ask() -> None:
        async with Runtime([three], dsn) as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None)))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                for place in ("history", "executions", "approvals", "results"):
                    answer = await client.get(f"/{place}/broken")
                    assert answer.status_code != 500, f"{place}: {answer.text}"
                entries = (await client.get("/history/broken")).json()["entries"]
                assert len(entries) == 4
                sound = (await client.get("/results/before")).json()
                assert sound.get("result") == 3, sound

    asyncio.run(ask())
    assert say("store", "prune", "--older-than", "1ms", "--yes")[0] == 0
    assert say("ps", "--all", "--json")[0] == 0


HEADS = [
    "status = 'odd'", "created = 'x'", "updated = 'x'", "length = 'x'", "length = -5", "version = 'x'", "state = '{'",
    "wake = 'x'", "awaits = X'80ff'", "awaits = CAST(X'80ff' AS TEXT)", "note = 5", "function = X'80'", "owner = 7",
    "base = 99", "deaths = 'x'", "arrivals = 'z'", "kind = 3",
]  # fmt: skip


@pytest.mark.parametrize("damage", HEADS)
def test_a_head_that_cant_be_hides_no_other(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "store.db"
    dsn = f"sqlite:///{path}"

    async def fill() -> None:
        async with Runtime([three], dsn) as runtime:
            for id in ("before", "broken", "after"):
                await (await runtime.start(three, id, id=id)).result()

    asyncio.run(fill())
    with sqlite3.connect(path) as other:
        other.execute(f"UPDATE execution SET {damage} WHERE id = 'broken'")
    other.close()
    words = ["ps --all", "ps --all --json", "show broken", "show broken --json", "doctor", "store check"]
    words += ["store stats"]
    for command in [
        *words,
        f"store export {tmp_path / 'out'}",
        "ps --all --limit 1",
        "store prune --older-than 1ms -y",
    ]:
        run = CliRunner().invoke(cli, [*command.split(), "--store", dsn], env={"COLUMNS": "200"})
        assert run.exception is None or isinstance(run.exception, SystemExit), f"{command}: {run.exception!r}"
        if command.startswith("ps --all") and "limit" not in command:
            assert all(id in run.output for id in ("before", "broken", "after")), run.output
        if command == "store check" and damage not in ("note = 5", "kind = 3", "owner = 7"):
            assert run.exit_code == 1 and "broken" in run.output, run.output


def test_many_that_are_broken_are_checked_in_the_time_of_few() -> None:
    class Broken(Ledger):
        async def history(self, id: str, after: int = 0, limit: int = 1000) -> list[str]:
            raise StoreCorrupt("nothing can be read")

    async def main(loop: VirtualLoop) -> None:
        ledger = Broken()
        head = Head("", "f", "workflow", "completed", 1, 1, 1, 0, None, None, None, 1, 1, "", "", "")
        for number in range(330):
            await ledger.restore(Dump(head._replace(id=f"e{number}"), ["{}"], (), (), {}))
        wrong = [f for checked in [c async for c in audit(ledger)] for f in checked.findings if f.level == WRONG]
        assert len({finding.id for finding in wrong}) == 330
        assert loop.time() < 5  # one after another it would be a minute and a half

    run_virtual(main, "1h")
