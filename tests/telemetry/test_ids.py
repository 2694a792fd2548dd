"""What callers say of their trace: what is none costs nobody anything, no line of the log either."""

from __future__ import annotations

import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overwinter import Context, Runtime, workflow
from overwinter.telemetry.spans.ids import context_of, tracestate_of
from overwinter.tests.apart.place import on_a_loop

from .receiver import Receiver

PARENT = f"00-{'1' * 32}-{'2' * 16}-01"
FULL = ",".join(f"k{number}=v" for number in range(32))


@workflow
async def ping(ctx: Context, word: str) -> str:
    return word


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("shop=1", "shop=1"),
        ("shop=1, tenant@sys=a b ,,\tz=!", "shop=1,tenant@sys=a b,z=!"),
        (FULL, FULL),
        (f"{FULL},more=1", ""),
        ("a=1,a=2", ""),
        ("a=1,B=2", ""),
        ("1a=1", ""),
        ("a=", ""),
        ("a=b=c", ""),
        ("a=ü", ""),
        (f"{'a' * 257}=1", ""),
        (f"a={'b' * 257}", ""),
        ("", ""),
    ],
)
def test_what_is_kept_of_a_tracestate(said: str, kept: str) -> None:
    assert tracestate_of(said) == kept
    context = context_of({"traceparent": PARENT, "tracestate": said})
    assert context is not None and context.tracestate == kept and context.traceparent == PARENT


@given(st.text(alphabet="ab1@=,_-*/ \tÜ~", max_size=40))
@example(f"{FULL},k0=1")
def test_what_is_kept_is_never_odd_to_opentelemetry(said: str) -> None:
    span = pytest.importorskip("opentelemetry.trace.span")
    logger, lines = logging.getLogger("opentelemetry.trace.span"), list[str]()

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger.addHandler(heard := Heard())
    try:
        assert span.TraceState.from_header([tracestate_of(said)]).to_header() == tracestate_of(said)
    finally:
        logger.removeHandler(heard)
    assert lines == []


@on_a_loop
async def test_callers_can_not_fill_the_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        with caplog.at_level(logging.DEBUG):
            async with Runtime([ping], "memory://") as runtime:
                for number in range(20):
                    trace = {"traceparent": PARENT, "tracestate": f"Odd{number}=sk-very-secret"}
                    await (await runtime.start(ping, "x", id=f"e{number}", trace=trace)).result("20s")
    assert len(receiver.spans) >= 20
    assert not [record for record in caplog.records if "Odd" in record.getMessage() or "secret" in record.getMessage()]
