"""``overwinter run FILE FUNCTION [INPUT]``: one function to its end in this process, on the store. Killed and run
again with the same ``--id``, it goes on where it stopped. Progress goes to stderr, the result to stdout.

``--json``: ``{"id", "function", "status", "created", "value" | "error", "totals"}``; a tool has no execution:
``{"id": null, "function", "status", "value"}``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ...state.errors import ExecutionError, OperationError, TimedOut, UnknownFunction
from ...state.records import Head
from .. import reach
from ..again import gone
from ..environment import env_file_option, tell_environment
from ..exits import INTERRUPTED, Exit
from ..follow import follow
from ..inputs import attach_option, fitting, typed, with_files
from ..options import by_default, duration_option, file_argument, json_option, store_option, text_option

if TYPE_CHECKING:
    from ...functions.runtime import Runtime
    from ..view.timeline import Timeline

INPUT = "INPUT"


async def _nothing(runtime: Runtime, id: str) -> dict[str, Any]:
    return {}


def _error(error: BaseException) -> dict[str, Any]:
    from ...orchestrator.errors.groups import lone, text

    error = lone(error)
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return {"error": {"kind": kind, "message": text(error)}}


class Told(NamedTuple):
    """The key of a result, the members that tell of an error, and what else there is to tell of an execution."""

    value: str = "value"
    error: Callable[[BaseException], dict[str, Any]] = _error
    more: Callable[[Runtime, str], Coroutine[Any, Any, dict[str, Any]]] = _nothing


class Order(NamedTuple):
    """What was asked for on the command line. ``given`` False: no INPUT, which matters when going on. ``input`` is the
    text that was typed, until it is known what the function takes. ``again`` and ``options``: the command that it was
    asked for by, when that was another one. ``told``: how ``--json`` tells of its end."""

    file: str
    function: str
    input: Any
    given: bool
    id: str | None
    session: str | None
    timeout: str | None
    as_json: bool
    files: tuple[Path, ...] = ()
    again: tuple[str, ...] = ()
    options: Mapping[str, str | None] = {}
    told: Told = Told()

    @property
    def words(self) -> tuple[str, ...]:
        """The command that goes on with it."""
        return self.again or ("run", self.file, self.function)


JSON = "--json: {id, function, status, created, totals, value or error: {kind, message}}"


@click.command(epilog=JSON)
@file_argument
@click.argument("function")
@click.argument("input", metavar="[INPUT|-]", required=False)
@env_file_option(looks=True)
@text_option("--id", help="Id of the execution; the same id goes on after a kill.")
@text_option("--session", metavar="KEY", help="Send INPUT as a message to this session of an agent.")
@attach_option
@duration_option("--timeout", default=None, help="Stop waiting after this long (exit code 5).")
@store_option
@json_option
def run_command(
    file: str,
    function: str,
    input: str | None,
    id: str | None,
    session: str | None,
    files: tuple[Path, ...],
    timeout: str | None,
    store: str,
    as_json: bool,
) -> None:
    """Run a workflow, an agent or a tool of FILE to its end, in this process.

    INPUT is JSON, or plain text when it is none or when FUNCTION takes text; "-" reads it from standard input.
    """
    if id is not None and session is not None:
        raise click.UsageError("--id names a run, --session a conversation; give one of them")
    text = None if input is None else typed(input, INPUT)
    if not as_json:
        tell_environment()
    given = input is not None or bool(files)
    order = Order(file, function, text, given, id, session, timeout, as_json, files)
    from ...orchestrator.protocol.failure_log import told_elsewhere

    with told_elsewhere():
        reach.run(_run(order, store))


async def _run(order: Order, dsn: str) -> None:
    from ...functions.invocation.loading import functions_of, load, sound

    functions = sound(functions_of(load(Path(order.file))))
    if order.function not in functions:
        names = ", ".join(sorted(functions))
        raise UnknownFunction(f"{order.file} holds no function {order.function!r}; it holds {names}")
    await run_one(order, functions, dsn)


async def run_one(order: Order, functions: Mapping[str, Any], dsn: str) -> None:
    """Run one of these functions as it was asked for."""
    from ...functions.http.schemas import input_schema
    from ...functions.invocation.loading import kind_of
    from ...functions.runtime import Runtime
    from ...orchestrator.engine.settings import Settings
    from ...state.quantities import seconds
    from ..ending import stoppable

    kind = kind_of(functions[order.function])
    if order.input is not None:
        order = order._replace(input=fitting(order.input, input_schema(functions[order.function]), INPUT))
    order = order._replace(input=with_files(order.input, order.files, kind))
    settings = Settings()
    stopped = f"stopped; {order.function} did not end"
    async with Runtime(functions, dsn, settings) as runtime, stoppable(runtime, seconds(settings.grace), stopped):
        await _by_kind(runtime, order, kind)


async def _by_kind(runtime: Runtime, order: Order, kind: str | None) -> None:
    if kind == "tool":
        value = await runtime.invoke(order.function, order.input)
        _result(order, {"id": None, "function": order.function, "status": "completed"}, value)
    elif order.session is not None:
        await _message(runtime, order, order.session)
    else:
        await _execution(runtime, order)


async def _execution(runtime: Runtime, order: Order) -> None:
    head = None if order.id is None else await runtime.find(order.id)
    created = False
    if head is not None and not order.given:
        id = head.id
    else:
        handle = await runtime.start(order.function, order.input, id=order.id, by=by_default())
        id, created = handle.id, handle.created
    if not created:
        _tell(order, f"{id} was started before; this goes on with it")
    with _resumable(order, id):
        head, timeline = await _progress(runtime, order, id)
    about: dict[str, Any] = {"id": id, "function": order.function, "status": head.status, "created": created}
    about["totals"] = timeline.totals.json()
    try:
        value = await runtime.result(id, 60)
    except ExecutionError as error:
        if order.as_json:
            _emit({**about, **order.told.error(error.cause or error), **await order.told.more(runtime, id)})
        else:
            await order.told.more(runtime, id)
        raise
    _result(order, {**about, **await order.told.more(runtime, id)}, value)


async def _message(runtime: Runtime, order: Order, session: str) -> None:
    sent = await runtime.send(order.function, session, order.input, by=by_default())
    about: dict[str, Any] = {"id": sent.execution, "function": order.function, "message": sent.id}
    with _resumable(order, sent.execution):
        try:
            value = await sent.reply(order.timeout)
        except TimeoutError:
            raise _late(order, sent.execution) from None
        except OperationError as error:
            if order.as_json:
                _emit({**about, "status": "failed", **_error(error)})
            raise
    _result(order, {**about, "status": "completed"}, value)


async def _progress(runtime: Runtime, order: Order, id: str) -> tuple[Head, Timeline]:
    """Show what happens until it ends. Raises TimedOut."""
    from ...state.quantities import seconds
    from ..view.live import Display
    from ..view.terminal import console

    with Display(console(stderr=True), quiet=order.as_json) as display:
        try:
            async with asyncio.timeout(None if order.timeout is None else seconds(order.timeout)):
                async for news in follow(runtime, id):
                    display.take(news.entries, news.head)
                    if news.ended:
                        return news.head, display.timeline
        except TimeoutError:
            raise _late(order, id) from None
    raise AssertionError("follow ends with the last news")


@contextlib.contextmanager
def _resumable(order: Order, id: str) -> Generator[None]:
    """A stop by SIGTERM or Ctrl-C says how to go on."""
    try:
        yield
    except asyncio.CancelledError:
        if gone():
            raise Exit(f"stopped; {id} was in memory and is gone", code=INTERRUPTED) from None
        again = _go_on(order, id)
        raise Exit(f"stopped; {id} is kept as far as it came", code=INTERRUPTED, advice=f"Go on: {again}") from None


def _late(order: Order, id: str) -> TimedOut:
    if gone():
        return TimedOut(f"{id} did not end within {order.timeout}; it was in memory and is gone")
    what = "goes on" if order.session is None else "tells what it waits for"
    return TimedOut(f"{id} is still going on after {order.timeout}; {_go_on(order, id)} {what}")


def _go_on(order: Order, id: str) -> str:
    from ..view.command import command

    if order.session is not None:
        return command("show", id)
    verb, *words = order.words
    return command(verb, *words, **order.options, id=id)


def _tell(order: Order, sentence: str) -> None:
    from ..view.terminal import say

    if not order.as_json:
        say(sentence, style="dim")


def _emit(shape: dict[str, Any]) -> None:
    from ..view.terminal import emit

    emit(shape)


def _result(order: Order, about: dict[str, Any], value: Any) -> None:
    from ...state.codec import plain
    from ..view.text import clean_lines, json_text

    simple = plain(value)
    if order.as_json:
        _emit({**about, order.told.value: simple})
        return
    if order.session is None:
        _tell(order, f"{about['id'] or order.function} {about['status']}")
    click.echo(clean_lines(simple) if isinstance(simple, str) else json_text(simple, indent=2))
