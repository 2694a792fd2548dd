"""What an extension is told, in order, and that it can't harm what it watches."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter import Agent, Context, Extension, Notice, Retry, Runtime, Scripted, call, tool, workflow
from overwinter.cli.main import cli
from overwinter.functions.invocation.loading import functions_of, load
from overwinter.state.errors import InvalidInput
from overwinter.state.memory import MemoryStore

span: contextvars.ContextVar[str] = contextvars.ContextVar("span", default="none")
seen: list[str] = []


class Diary(Extension):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.notices: list[Notice] = []

    def started(self, notice: Notice) -> None:
        if notice.subject == "attempt":
            span.set(f"{notice.execution}/{notice.op}/{notice.attempt}")
        self._note("+", notice)

    def ended(self, notice: Notice) -> None:
        self._note("-", notice)

    def _note(self, sign: str, notice: Notice) -> None:
        parts = (sign, notice.subject, notice.kind, notice.name, notice.attempt or "", notice.status, notice.error)
        self.lines.append(" ".join(str(part) for part in parts if part))
        self.notices.append(notice)


class Broken(Extension):
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def started(self, notice: Notice) -> None:
        raise self.error

    def ended(self, notice: Notice) -> None:
        raise self.error


async def flaky() -> str:
    seen.append(span.get())
    if len(seen) < 2:
        raise OSError("down")
    return "up"


def price(item: str) -> int:
    seen.append(span.get())
    raise ValueError(f"no price for {item}")


@workflow
async def kid(ctx: Context) -> str:
    return "kid"


@workflow(retry=Retry(first="1ms"))
async def flow(ctx: Context) -> str:
    await ctx.step(flaky)
    await ctx.sleep("1ms", name="nap")
    await ctx.child(kid)
    return str(await ctx.step(price, "lamp"))


@tool
def lookup(order: str) -> str:
    return f"{order} is here"


desk = Agent("desk", Scripted({"where": call("lookup", order="o-1"), "is here": "there"}), tools=[lookup])


def told(work: Callable[[Runtime], Any], *extensions: Extension, store: MemoryStore | None = None) -> None:
    async def main() -> None:
        async with Runtime([flow, kid, desk], store or MemoryStore(), extensions=extensions) as runtime:
            await work(runtime)

    asyncio.run(main())


async def run_flow(runtime: Runtime) -> None:
    handle = await runtime.start(flow, id="f")
    with pytest.raises(Exception, match="no price"):
        await handle.result()


def test_a_workflow_is_told_of_from_its_start_to_its_end() -> None:
    seen.clear()
    diary = Diary()
    told(run_flow, diary)
    own = [line for line, notice in zip(diary.lines, diary.notices, strict=True) if notice.execution == "f"]
    assert own == [
        "+ operation step flaky",
        "+ attempt step flaky 1",
        "- attempt step flaky 1 failed OSError: down",
        "+ attempt step flaky 2",
        "- attempt step flaky 2 succeeded",
        "+ execution",
        "- operation step flaky succeeded",
        "- operation sleep nap succeeded",
        "+ operation child kid",
        "- operation child succeeded",
        "+ operation step price",
        "+ attempt step price 1",
        "- attempt step price 1 failed ValueError: no price for lamp",
        "- operation step price failed ValueError: no price for lamp",
        "- execution failed ValueError: no price for lamp",
    ]
    assert {notice.child for notice in diary.notices if notice.kind == "child"} == {"f/2"}
    assert {notice.function for notice in diary.notices} == {"flow", "kid"}
    assert seen == ["f/0/1", "f/0/2", "f/3/1"], "an attempt runs in the context in which it was told of"
    assert all(notice.at > 1_700_000_000_000 for notice in diary.notices)


def test_a_session_is_told_of_by_turns() -> None:
    diary = Diary()

    async def work(runtime: Runtime) -> None:
        assert await (await runtime.send(desk, "c", "where is it?", id="m1")).reply() == "there"

    told(work, diary)
    turns = [(notice.op, notice.status) for notice in diary.notices if notice.subject == "turn"]
    assert turns == [("m1", ""), ("m1", "succeeded")]
    assert "- operation tool lookup succeeded" in diary.lines
    assert [line for line in diary.lines if "operation model" in line].count(
        "- operation model scripted succeeded"
    ) <= 2


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), asyncio.CancelledError(), GeneratorExit()])
def test_an_extension_that_fails_harms_nothing(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    seen.clear()
    diary, store = Diary(), MemoryStore()
    with caplog.at_level(logging.ERROR, "overwinter"):
        told(run_flow, Broken(error), diary, store=store)
    assert len(diary.lines) == 15 + 2, "those of the child beside its own"
    assert any("an extension (Broken) failed" in record.getMessage() for record in caplog.records)


def test_replay_tells_nothing_again() -> None:
    seen.clear()
    store, first, second = MemoryStore(), Diary(), Diary()
    told(run_flow, first, store=store)

    async def again(runtime: Runtime) -> None:
        await runtime.retry("f")
        with pytest.raises(Exception, match="no price"):
            await runtime.result("f")

    told(again, second, store=store)
    assert "- operation step price failed ValueError: no price for lamp" in second.lines
    assert not any("flaky" in line for line in second.lines)


class Late(Extension):
    async def started(self, notice: Notice) -> None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]  # what is refused
        return None


@pytest.mark.parametrize("wrong", [3, Extension, Late()])
def test_what_is_no_extension_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match=r"made from Extension|plain functions"):
        Runtime([flow], "memory://", extensions=[wrong])


WATCHED = """
from pathlib import Path

from overwinter import Context, Extension, Notice, workflow


class Diary(Extension):
    def ended(self, notice: Notice) -> None:
        with Path("diary").open("a") as diary:
            diary.write(f"{notice.subject} {notice.status}\\n")


diary = same = Diary()


def price(item: str) -> int:
    return len(item)


@workflow
async def sale(ctx: Context, item: str) -> int:
    return await ctx.step(price, item)
"""


def test_what_lies_in_the_module_that_is_served_watches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("watched_app.py").write_text(WATCHED, "utf-8")
    found = functions_of(load("watched_app.py"))
    assert list(found) == ["sale"] and len(found.extensions) == 1, "each once, under however many names"
    done = CliRunner().invoke(cli, ["run", "watched_app.py", "sale", "lamp", "--store", "memory://"])
    assert done.exit_code == 0, done.output
    assert Path("diary").read_text() == "attempt succeeded\noperation succeeded\nexecution completed\n"


def test_a_listener_takes_nobodys_place() -> None:
    seen.clear()
    diary, heard = Diary(), list[int]()

    async def work(runtime: Runtime) -> None:
        runtime.extensions.hear(lambda change, _: heard.append(len(change.entries)))
        await run_flow(runtime)

    told(work, diary)
    assert len(diary.lines) == 15 + 2 and sum(heard) > 4


def test_a_listener_that_fails_keeps_nobody_from_going_on(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def bad(change: object, _: object) -> None:
        raise RuntimeError("a defect")

    async def work(runtime: Runtime) -> None:
        runtime.extensions.hear(bad)
        runtime.extensions.hear(lambda change, _: heard.extend(change.entries))
        await run_flow(runtime)

    told(work, Diary())
    assert heard, "those after it are told all the same"
    assert caplog.text.count("one that was told of a commit has failed") >= len(heard) / 4 and "a defect" in caplog.text
