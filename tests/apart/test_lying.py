"""Servers that do not answer as a function does: what is said of a call then, and above all of one that can't be taken
back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from overwinter import Breaker, Context, InDoubt, InvalidInput, Retry, Runtime, tool, workflow
from overwinter.functions.invocation import posting, sending
from overwinter.state.errors import CircuitOpen, ExecutionStuck, FunctionUnavailable, StepFailed

from .place import on_a_loop


@tool(effect="irreversible", in_doubt="fail")
async def pay(order: str) -> str:
    """Pay it."""
    return order


@tool
async def look(order: str) -> str:
    """Look at it."""
    return order


@workflow
async def pays(ctx: Context) -> str:
    try:
        return await ctx.step(pay, "o")
    except (InDoubt, InvalidInput, StepFailed) as error:
        return f"{type(error).__name__}: {error}"


@workflow
async def looks(ctx: Context) -> str:
    try:
        return await ctx.step(look, "o")
    except (InDoubt, InvalidInput, StepFailed) as error:
        return f"{type(error).__name__}: {error}"


@workflow
async def tries(ctx: Context) -> list[str]:
    told: list[str] = []
    for which in (pay, look):
        try:
            told.append(await ctx.step(which, "o"))
        except (FunctionUnavailable, CircuitOpen, InDoubt) as error:
            told.append(f"{type(error).__name__}: {error}")
    return told


def _answer(status: int, body: Any = b"", **headers: str) -> bytes:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(text)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + text


CUT = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"
"""An answer that ends before it is whole."""


@asynccontextmanager
async def talking(say: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncGenerator[str]:
    """A server that hears a whole request, and says something, once on each connection."""
    open_: set[asyncio.Task[Any]] = set()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            await reader.readexactly(next(int(line[15:]) for line in lines if line.startswith(b"content-length:")))
            await say(writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            open_.discard(task)

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*open_, return_exceptions=True)


@asynccontextmanager
async def liar(*answers: bytes) -> AsyncGenerator[str]:
    """A server that says these one after the other, the last one for ever."""
    left = list(answers)

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()

    async with talking(say) as url:
        yield url


def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "RETRY", Retry(attempts=14, first="1ms", factor=1, when=sending.RETRY.when))
    monkeypatch.setattr(sending, "BREAKER", Breaker(failures=100))


async def _told(monkeypatch: pytest.MonkeyPatch, function: Any, answers: Sequence[bytes]) -> str:
    _at_once(monkeypatch)
    async with liar(*answers) as url, Runtime([function], "memory://") as runtime:
        monkeypatch.setenv("OVERWINTER_ROUTES", f"pay={url} look={url}")
        told: str = await (await runtime.start(function)).result(timeout=20)
        return told


NO_OUTCOME = [
    _answer(200, b"<html>welcome</html>", content_type="text/html"),
    _answer(200),
    _answer(200, []),
    _answer(200, {"status": "odd", "result": "x"}),
    _answer(200, b'{"status": "completed", "result": "\xff"}'),
    _answer(200, {"status": "failed", "error": "boo"}),
    _answer(200, {"status": "failed", "error": {"kind": "x", "message": "x" * 300_000}}),
    _answer(200, b"\x1f\x8b", content_encoding="gzip"),
    _answer(204),
]


@pytest.mark.parametrize("answer", NO_OUTCOME, ids=range(len(NO_OUTCOME)))
def test_what_is_no_outcome_leaves_what_can_not_be_taken_back_in_doubt(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    async def main() -> None:
        assert (await _told(monkeypatch, pays, [answer])).startswith(InDoubt.__name__)
        said = await _told(monkeypatch, looks, [answer])
        assert said.startswith((InvalidInput.__name__, StepFailed.__name__))

    asyncio.run(main())


@pytest.mark.parametrize("status", [400, 401, 403, 409, 413, 422])
@pytest.mark.parametrize("first", [CUT, _answer(503), _answer(202, {"status": "running", "tells": False})])
def test_who_was_sent_it_before_may_have_done_it_whatever_is_said_later(
    monkeypatch: pytest.MonkeyPatch, first: bytes, status: int
) -> None:
    async def main() -> None:
        refused = _answer(status, {"detail": "not like this"})
        assert (await _told(monkeypatch, pays, [first, refused])).startswith(f"{InDoubt.__name__}: pay: HTTP {status}")

    asyncio.run(main())


@pytest.mark.parametrize("status", [302, 400, 401, 403, 409, 413, 422])
def test_what_is_refused_at_once_was_not_done(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    async def main() -> None:
        refused = _answer(status, {"detail": "not like this"})
        assert (await _told(monkeypatch, pays, [refused])).startswith(f"{InvalidInput.__name__}: pay: HTTP {status}")

    asyncio.run(main())


@pytest.mark.parametrize("status", [401, 403])
def test_a_call_that_is_out_outlasts_the_exchange_of_a_token(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    async def main() -> None:
        waits = [_answer(202, {"status": "running", "tells": False}), _answer(status), _answer(status)]
        done = _answer(200, {"status": "completed", "result": "done"})
        for function in (pays, looks):
            assert await _told(monkeypatch, function, [*waits, done]) == "done"
            assert await _told(monkeypatch, function, [CUT, *waits, done]) == "done"

    asyncio.run(main())


UNAVAILABLE = "overwinter.state.errors.FunctionUnavailable"


@pytest.mark.parametrize("kind", [UNAVAILABLE, "overwinter.state.errors.CircuitOpen"])
def test_what_was_out_of_reach_for_the_function_is_its_outcome(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """It has tried for an hour. Nobody here does so once more, nor takes the function for one that is not there."""

    async def main() -> None:
        failed = _answer(200, {"status": "failed", "error": {"kind": kind, "message": "far: nobody is there"}})
        monkeypatch.setattr(sending, "BREAKER", Breaker(failures=1, reset="1h"))
        async with liar(failed) as url, Runtime([tries], "memory://") as runtime:
            monkeypatch.setenv("OVERWINTER_ROUTES", f"look={url} pay={url}")
            for _ in range(3):
                told = await (await runtime.start(tries)).result(timeout=20)
                assert told == [f"{kind.rpartition('.')[2]}: far: nobody is there"] * 2

    asyncio.run(main())


@pytest.mark.parametrize(
    "kind",
    ["builtins.KeyboardInterrupt", "builtins.SystemExit", "asyncio.exceptions.CancelledError", "os.system", "", "."],
)
def test_no_error_that_is_told_is_more_than_one(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    async def main() -> None:
        failed = _answer(200, {"status": "failed", "error": {"kind": kind, "message": "m", "args": [float(2**60)]}})
        assert (await _told(monkeypatch, looks, [failed])).startswith(StepFailed.__name__)

    asyncio.run(main())


@on_a_loop
async def test_a_token_that_is_missing_when_it_is_sent_again_says_nothing_of_the_first_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    _at_once(monkeypatch)
    place = tmp_path / "token"
    place.write_text("t0ken")

    async def say(writer: asyncio.StreamWriter) -> None:
        place.unlink()

    async with talking(say) as url, Runtime([pays], "memory://") as runtime:
        monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps({"pay": {"url": url, "token": f"file:{place}"}}))
        told = await (await runtime.start(pays)).result(timeout=20)
        assert not place.exists() and told.startswith(InDoubt.__name__), told


@on_a_loop
async def test_an_answer_that_comes_byte_by_byte_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "WHOLE", 0.2)

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)

    async with talking(say) as url:
        with pytest.raises(posting.Unreached, match="not done with its answer"):
            await posting.Posts().whole(url, b"", {"content-length": "0"}, 60)


@on_a_loop
async def test_a_result_of_another_type_is_kept_and_said_to_be_of_another_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = _answer(200, {"status": "completed", "result": {"a": 1}})
    async with liar(done) as url, Runtime([looks], "memory://") as runtime:
        monkeypatch.setenv("OVERWINTER_ROUTES", f"look={url}")
        with pytest.raises(ExecutionStuck, match="another process that made this has another type"):
            await (await runtime.start(looks)).result(timeout=20)
