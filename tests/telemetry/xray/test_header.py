"""X-Ray's trace header and W3C's say the same; what can't be gone on with is no trace, and never an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.functions.events.envelopes import event_of
from overwinter.functions.events.tracing import trace_of
from overwinter.telemetry.xray.header import header_of, traceparent_of

TRACE, SPAN = "65a1b2c30123456789abcdef01234567", "0123456789abcdef"
HEADER = "Root=1-65a1b2c3-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1"
PARENT = f"00-{TRACE}-{SPAN}-01"
HEX = "0123456789abcdef"
IDS = st.tuples(st.text(HEX, min_size=32, max_size=32), st.text(HEX, min_size=16, max_size=16), st.booleans())


@given(IDS.filter(lambda ids: set(ids[0]) != {"0"} and set(ids[1]) != {"0"}))
def test_there_and_back_is_the_same(ids: tuple[str, str, bool]) -> None:
    traceparent = f"00-{ids[0]}-{ids[1]}-0{int(ids[2])}"
    assert traceparent_of(header_of(traceparent)) == traceparent


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (HEADER, PARENT),
        ("Sampled=1; Parent=0123456789ABCDEF ;Root=1-65A1B2C3-0123456789abcdef01234567", PARENT),
        (f"Self=1-65a1b2c4-0123456789abcdef01234567;{HEADER};Lineage=a87bd80c:1|68fd508a:5", PARENT),
        (HEADER.replace("Sampled=1", "Sampled=0"), PARENT[:-2] + "00"),
        (HEADER.replace("Sampled=1", "Sampled=?"), PARENT),
        (HEADER.replace(";Sampled=1", ""), PARENT),
        ("Root=1-65a1b2c3-0123456789abcdef01234567", ""),
        (HEADER.replace("Root=1-", "Root=2-"), ""),
        (HEADER.replace("0123456789abcdef;", "0000000000000000;"), ""),
        ("Root=1-00000000-000000000000000000000000;Parent=0123456789abcdef", ""),
        ("", ""),
        (";;==;Root;Parent=;", ""),
    ],
)
def test_what_is_read(header: str, expected: str) -> None:
    assert traceparent_of(header) == expected
    assert trace_of([(b"x-amzn-trace-id", header.encode())]) == (
        {"traceparent": expected, "from": "aws"} if expected else {}
    )


@given(st.text())
def test_no_header_does_harm(header: str) -> None:
    assert traceparent_of(header) == "" or traceparent_of(header_of(traceparent_of(header))) != ""
    assert header_of(header) == "" or traceparent_of(header_of(header)) != ""


def test_a_request_that_says_both_is_in_the_trace_of_w3c() -> None:
    other = f"00-{TRACE[::-1]}-{SPAN[::-1]}-00"
    headers = [(b"x-amzn-trace-id", HEADER.encode()), (b"traceparent", other.encode())]
    assert trace_of(headers) == {"traceparent": other}


def test_an_event_is_in_the_trace_in_which_lambda_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", HEADER)
    plain = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
    own = f"00-{TRACE[::-1]}-{SPAN[::-1]}-00"
    for event, expected in (
        (plain, PARENT),
        ({**plain, "traceparent": own}, own),
        ({"id": "1", "source": "s", "detail-type": "t", "detail": {}}, PARENT),
    ):
        found = event_of(event)
        assert found is not None and found.traceparent == expected
