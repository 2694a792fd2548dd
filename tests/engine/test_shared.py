"""What is shared belongs to nobody: no execution has it among its own entries, whoever chose its id, and no code of a
user's reaches the marks of the runtime. What was written before shared scopes had a place of their own is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.orchestrator.engine import trials
from overwinter.orchestrator.protocol import catalogue, moved
from overwinter.orchestrator.protocol.moved import refuse_moved
from overwinter.orchestrator.protocol.shared import PLACE, place_of, scope_of
from overwinter.orchestrator.streaming import marks
from overwinter.orchestrator.upkeep import tidying
from overwinter.orchestrator.upkeep.archive import export, load
from overwinter.orchestrator.upkeep.moving import PASSING, move
from overwinter.orchestrator.upkeep.retention import prune
from overwinter.state.errors import ExecutionFailed, InvalidInput
from overwinter.state.ids import AUDIT, KEYED, READINGS, RESERVED, SCHEDULES, TRACES, check_id
from overwinter.state.memory import MemoryStore
from overwinter.state.records import FINAL
from overwinter.state.sealing import marker
from overwinter.state.sqlite import SqliteStore
from overwinter.state.store import PROBE, Store

Made = Callable[[Path], Store]
STORES: tuple[Made, ...] = (lambda _: MemoryStore(), lambda folder: SqliteStore(f"sqlite:///{folder}/shared.db"))


@workflow
async def note(ctx: Context, scope: str) -> None:
    await ctx.kv(scope).put("ana", {"visits": 1})


@workflow
async def keep(ctx: Context) -> list[str]:
    await ctx.state.put("ana", "not a customer")
    return list(await ctx.state.keys())


@workflow
async def look(ctx: Context, scope: str) -> tuple[Any, list[str]]:
    shelf = ctx.kv(scope)
    return await shelf.get("ana"), list(await shelf.keys())


@workflow
async def clear(ctx: Context, scope: str) -> tuple[bool, Any, list[str]]:
    shelf = ctx.kv(scope)
    return await shelf.delete("ana"), await shelf.get("ana"), list(await shelf.keys())


@workflow
async def claim(ctx: Context, scope: str) -> str:
    return await ctx.kv(scope).put("ana", "mine", etag="")


def with_runtime(store: Store, work: Callable[[Runtime], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Runtime([note, keep, look, clear, claim], store) as runtime:
            await work(runtime)

    asyncio.run(main())


async def done(runtime: Runtime, function: object, input: Any = None, id: str | None = None) -> Any:
    return await (await runtime.start(function, input, id=id)).result("20s")


async def prune_all(runtime: Runtime) -> int:
    return await prune(runtime.store, 1, FINAL, runtime.clock() + 1000)


@pytest.mark.parametrize("make", STORES)
def test_an_execution_that_bears_the_name_of_a_scope_owns_nothing_of_it(make: Made, tmp_path: Path) -> None:
    async def work(runtime: Runtime) -> None:
        await done(runtime, note, "customers")
        assert await done(runtime, keep, id="customers") == ["ana"]
        assert await done(runtime, look, "customers") == ({"visits": 1}, ["ana"])
        assert await prune_all(runtime) == 3
        assert await runtime.store.get("customers", "ana") is None
        assert await done(runtime, look, "customers") == ({"visits": 1}, ["ana"])

    with_runtime(make(tmp_path), work)


def test_no_id_can_be_where_shared_entries_lie() -> None:
    with pytest.raises(InvalidInput):
        check_id(place_of("customers"))
    assert scope_of(place_of(PLACE)) == PLACE


def test_the_runtimes_marks_are_out_of_reach() -> None:
    scopes = {marker.SCOPE, tidying.SCOPE, PROBE, catalogue.SCOPE, moved.SCOPE, trials.SCOPE, marks.SCOPE}
    of_one_store = scopes | {TRACES, READINGS}
    assert of_one_store == PASSING
    assert of_one_store | {SCHEDULES, AUDIT, KEYED} == RESERVED  # what the code declares and who did what go along

    async def work(runtime: Runtime) -> None:
        for name in sorted(RESERVED):
            with pytest.raises(ExecutionFailed, match=f"the scope '{name}' is the runtime's own"):
                await done(runtime, note, name)
            with pytest.raises(InvalidInput, match=f"{name}.* is the runtime's own name"):
                await runtime.start(keep, id=name)
        await refuse_moved(runtime.store)

    with_runtime(MemoryStore(), work)


# -- written before shared scopes had a place of their own ----------------------------------------------


@pytest.mark.parametrize("make", STORES)
@pytest.mark.parametrize(
    ("function", "found"),
    [(look, ({"visits": 7}, ["ana", "bo"])), (clear, (True, None, ["bo"]))],
)
def test_what_lies_under_the_plain_name_is_found_there(make: Made, function: Any, found: Any, tmp_path: Path) -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.store.put("customers", "ana", '{"visits": 7}')
        await runtime.store.put("customers", "bo", "1")
        assert await done(runtime, function, "customers") == found
        assert list(await runtime.store.keys("customers")) == []

    with_runtime(make(tmp_path), work)


def test_it_counts_for_who_writes_only_when_there_is_none_and_never_replaces_what_is_newer() -> None:
    async def work(runtime: Runtime) -> None:
        await runtime.store.put("customers", "ana", '{"visits": 7}')
        with pytest.raises(ExecutionFailed, match="EtagMismatch"):
            await done(runtime, claim, "customers")
        await runtime.store.put("others", "ana", '{"visits": 7}')
        await done(runtime, note, "others")
        assert await done(runtime, look, "others") == ({"visits": 1}, ["ana"])
        assert await done(runtime, clear, "others") == (True, None, [])

    with_runtime(MemoryStore(), work)


# -- whole stores --------------------------------------------------------------------------------------


def test_shared_entries_are_carried_by_their_name(tmp_path: Path) -> None:
    source = MemoryStore()

    async def work(runtime: Runtime) -> None:
        await done(runtime, note, "customers")
        await done(runtime, keep, id="customers")
        await runtime.store.put("older", "ana", '{"visits": 7}')

    async def carry(way: str) -> Store:
        lines: list[bytes] = []
        target = SqliteStore(f"sqlite:///{tmp_path}/{way}.db")
        await target.open()
        if way == "move":
            await move(source, target)
        else:
            await export(source, lines.append, at=1, release="test")
            assert any(line.startswith(b'{"scope":"customers"') for line in lines)
            await load(target, lines)
        await target.close()
        return SqliteStore(f"sqlite:///{tmp_path}/{way}.db")

    async def there(runtime: Runtime) -> None:
        assert await done(runtime, look, "customers") == ({"visits": 1}, ["ana"])
        assert await done(runtime, look, "older") == ({"visits": 7}, ["ana"])
        assert (await runtime.store.get("customers", "ana")) is not None  # the execution's own
        await prune_all(runtime)
        assert await done(runtime, look, "customers") == ({"visits": 1}, ["ana"])

    with_runtime(source, work)
    for way in ("export", "move"):
        with_runtime(asyncio.run(carry(way)), there)
