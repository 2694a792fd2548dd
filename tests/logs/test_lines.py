"""Lines of the log: whole JSON objects, with the ids of what runs, at the levels asked for, without secrets."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Context, Retry, Runtime, workflow
from overwinter.cli.logs import call_ids
from overwinter.cli.view.text import clean_lines
from overwinter.security.redaction import redact_logs, remember
from overwinter.state.errors import InvalidInput
from overwinter.telemetry.logs.formats import Human, JsonLines
from overwinter.telemetry.logs.ids import Identified
from overwinter.telemetry.logs.levels import read_levels, set_levels
from overwinter.telemetry.spans.span import Span
from overwinter.telemetry.spans.tracing import Tracing

SECRET = "shelf-key-7f3a9b2c"
remember(SECRET)
own = logging.getLogger("shop.stock")
attempts: list[int] = []


class Heard:
    """A logger's handler, and what it has written."""

    def __init__(self, form: logging.Formatter) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(form)
        self.handler.addFilter(Identified([call_ids]))
        root = logging.getLogger()
        root.addHandler(self.handler)
        redact_logs(root)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def heard() -> Iterator[Heard]:
    one = Heard(JsonLines())
    yield one
    logging.getLogger().removeHandler(one.handler)


async def counted() -> str:
    attempts.append(1)
    own.warning("looked at %s", "shelf 7", extra={"shelf": 7, "password": "unheard of"})
    if len(attempts) < 2:
        raise OSError(f"the key {SECRET} was refused")
    return "seven"


def in_a_thread() -> str:
    own.warning("from a thread")
    return "done"


@workflow
async def stock(ctx: Context, given: str) -> str:
    await ctx.step(counted, retry=Retry(2, first="1ms"))
    ctx.log.warning("half way")
    return await ctx.step(in_a_thread)


async def worked() -> None:
    attempts.clear()
    async with Runtime([stock], "memory://") as runtime:
        await (await runtime.start(stock, "x", id="stock-1")).result()


def test_what_a_step_says_has_its_execution(heard: Heard) -> None:
    asyncio.run(worked())
    mine = [line for line in heard.lines() if line["logger"] == "shop.stock"]
    assert [(line["message"], line["execution"], line["operation"], line["attempt"]) for line in mine] == [
        ("looked at shelf 7", "stock-1", "0", 1),
        ("looked at shelf 7", "stock-1", "0", 2),
        ("from a thread", "stock-1", "1", 1),
    ]
    assert mine[0]["level"] == "warning" and mine[0]["time"].endswith("Z")
    assert mine[0]["extra"] == {"shelf": 7, "password": "***"}
    (half,) = (line for line in heard.lines() if line["logger"] == "overwinter.workflow.stock")
    assert half["execution"] == "stock-1" and half["message"].endswith("half way")
    assert SECRET not in heard.stream.getvalue()


class Spans:
    """Spans that have gone out."""

    def __init__(self) -> None:
        self.seen: list[Span] = []

    def export(self, spans: Sequence[Span]) -> bool:
        self.seen += spans
        return True

    def close(self) -> None: ...


def test_where_traces_are_on_a_line_names_the_span_of_its_call(heard: Heard) -> None:
    spans = Spans()

    async def main() -> None:
        attempts.clear()
        async with Runtime([stock], "memory://", telemetry=Tracing(spans)) as runtime:
            await (await runtime.start(stock, "x", id="stock-2")).result()

    asyncio.run(main())
    mine = [line for line in heard.lines() if line["logger"] == "shop.stock"]
    at = {span.attributes.get("overwinter.operation"): (span.trace_id, span.span_id) for span in spans.seen}
    assert [(line["trace_id"], line["span_id"]) for line in mine] == [at["0"], at["0"], at["1"]]


def test_outside_of_all_executions_there_are_no_ids(heard: Heard) -> None:
    own.error("the roof leaks")
    (line,) = heard.lines()
    assert set(line) == {"time", "level", "logger", "message"}


def test_other_sources_of_ids_are_asked_too_and_what_a_record_has_stays(heard: Heard) -> None:
    heard.handler.addFilter(Identified([lambda: {"trace_id": "a" * 32, "span_id": "b" * 16}]))
    own.warning("traced", extra={"execution": "mine", "span_id": "c" * 16})
    (line,) = heard.lines()
    assert (line["execution"], line["trace_id"], line["span_id"]) == ("mine", "a" * 32, "c" * 16)


def test_exceptions_and_extras_leave_without_secrets(heard: Heard) -> None:
    try:
        raise ValueError(f"no entry with {SECRET}")
    except ValueError:
        own.exception("refused", extra={"header": {"authorization": f"Bearer {SECRET}"}}, stack_info=True)
    (line,) = heard.lines()
    assert line["exception"].startswith("Traceback") and "ValueError: no entry with ***" in line["exception"]
    assert "test_lines.py" in line["stack"]
    assert SECRET not in heard.stream.getvalue()


def test_no_message_and_no_exception_looks_like_another_line_for_people() -> None:
    heard = Heard(Human(clean_lines))
    try:
        own.warning("no shelf\r\nERROR overwinter: all is lost\x1b[2J", extra={"execution": "a\nERROR b"})
        try:
            raise ValueError("no\nERROR overwinter: nothing is left")
        except ValueError:
            own.exception("refused\u2028ERROR x")
    finally:
        logging.getLogger().removeHandler(heard.handler)
    lines = heard.stream.getvalue().splitlines()
    assert [line for line in lines if not line.startswith("  ")] == [
        "WARNING shop.stock: no shelf",
        "ERROR shop.stock: refused",
    ]
    assert "\x1b" not in heard.stream.getvalue()


@pytest.mark.parametrize(
    ("msg", "args", "told"),
    [
        ("%d shelves", (SECRET,), "%d shelves ('***',)"),
        ("shelves", (SECRET,), "shelves ('***',)"),
        ("%(a)s", {"b": 1}, "%(a)s {'b': 1}"),
    ],
)
def test_a_message_that_its_arguments_do_not_fit_is_told_all_the_same(msg: str, args: Any, told: str) -> None:
    record = logging.makeLogRecord({"msg": msg, "args": args, "name": "x", "levelname": "ERROR"})
    assert json.loads(JsonLines().format(record))["message"] == told
    assert Human(clean_lines).format(record) == f"ERROR x: {told}"


class Unshown:
    def __repr__(self) -> str:
        raise RuntimeError("it can't be shown")


def test_what_json_has_no_word_for_is_text(heard: Heard) -> None:
    own.warning("odd", extra={"share": float("nan"), "more": [float("inf")], "it": Unshown()})
    (line,) = heard.lines()
    assert line["extra"]["share"] == "NaN" and line["extra"]["more"] == ["Infinity"]
    assert "Unshown" in line["extra"]["it"]


def test_an_exception_is_redacted_though_no_filter_saw_it() -> None:
    record = logging.makeLogRecord({"msg": "%s", "args": (SECRET,), "name": "x", "levelname": "ERROR"})
    record.exc_text = f"Traceback\nOSError: {SECRET}"
    for form in (JsonLines(), Human(clean_lines)):
        assert SECRET not in form.format(record) and "***" in form.format(record)


@given(st.text(), st.dictionaries(st.text(min_size=1), st.recursive(st.text() | st.floats() | st.binary(), st.lists)))
def test_every_line_is_one_json_object(message: str, extra: dict[str, Any]) -> None:
    record = logging.makeLogRecord(
        {"msg": message, "levelname": "INFO"} | {f"x{name}": one for name, one in extra.items()}
    )
    text = JsonLines().format(record)
    assert "\n" not in text and text.isascii()
    assert json.loads(text)["level"] == "info"


def test_what_json_has_no_form_for_is_shown_all_the_same() -> None:
    circle: list[Any] = []
    circle.append(circle)
    record = logging.makeLogRecord({"msg": "odd", "levelname": "INFO", "circle": circle, "thing": object()})
    assert json.loads(JsonLines().format(record))["extra"]["circle"] == "[[...]]"


def test_a_line_for_people_names_the_execution_once() -> None:
    told = {"name": "overwinter", "levelname": "WARNING", "execution": "t-7", "operation": "3", "attempt": 2}
    form = Human(clean_lines)
    line = form.format(logging.makeLogRecord(told | {"msg": "the disk is \x1b[31mfull"}))
    assert line == "WARNING overwinter: the disk is \\x1b[31mfull [t-7 operation 3 attempt 2]"
    assert form.format(logging.makeLogRecord(told | {"msg": "execution t-7: full"})) == (
        "WARNING overwinter: execution t-7: full"
    )


def test_levels_are_for_rooms() -> None:
    assert read_levels("") == {} and read_levels("info") == {"": logging.INFO}
    assert read_levels(" error , overwinter.http = DEBUG,") == {"": logging.ERROR, "overwinter.http": logging.DEBUG}


@pytest.mark.parametrize("said", ["loud", "overwinter.http=loud", "=info", "info,debug", "a=info,a=debug"])
def test_a_level_that_there_is_not_is_refused_by_name(said: str) -> None:
    with pytest.raises(InvalidInput, match=r"no level of the log; write one of debug|is said twice"):
        read_levels(said)


def test_libraries_that_talk_stay_quiet_unless_they_are_named() -> None:
    names = ("", "httpx", "overwinter.http", "httpcore")
    before = {name: logging.getLogger(name).level for name in names}
    try:
        set_levels(read_levels("info,overwinter.http=debug,httpcore=info"))
        found = {name: logging.getLogger(name).level for name in names}
        assert found == {"": logging.INFO, "httpx": logging.WARNING, "overwinter.http": logging.DEBUG,
                         "httpcore": logging.INFO}  # fmt: skip
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


PROGRAM = """
import logging
from overwinter.cli.logs import log_to_stderr

log_to_stderr()
logging.getLogger("overwinter.http").debug("fine")
logging.getLogger("overwinter").debug("too fine")
logging.getLogger("overwinter").info("a thing with %s", "ü")
"""


def test_the_environment_chooses_form_and_levels() -> None:
    environment = os.environ | {
        "OVERWINTER_LOG_FORMAT": "json",
        "OVERWINTER_LOG_LEVEL": "info,overwinter.http=debug",
    }
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, env=environment)
    assert [(line["level"], line["message"]) for line in map(json.loads, ran.stderr.decode().splitlines())] == [
        ("debug", "fine"),
        ("info", "a thing with ü"),
    ]
