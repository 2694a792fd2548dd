"""HTTP requests and answers between Lambda's JSON and an ASGI app: no byte, path, header or cookie is lost."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.functions.aws.gateway import LARGEST, ask, is_request, read_request, write_answer
from overwinter.functions.events.tracing import traceparent
from overwinter.functions.messages.answer import Answer
from overwinter.functions.messages.problem import Refused
from overwinter.tests.aws.lambda_events import HTTP_API, http, sqs


@given(st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1))
def test_a_path_means_the_same_through_a_function_url_and_an_http_api(name: str) -> None:
    path = f"/sessions/support/{quote(name, safe='')}"
    for domain in (http("GET", "/")["requestContext"]["domainName"], HTTP_API):
        request = read_request(http("GET", path, domain=domain))
        assert request.path == f"/sessions/support/{name}"
        assert request.raw_path.isascii()


def test_a_path_that_was_encoded_twice_is_decoded_once() -> None:
    assert read_request(http("GET", "/results/a%252Fb")).path == "/results/a%2Fb"
    assert read_request(http("GET", "/results/a%252Fb", domain=HTTP_API)).path == "/results/a%2Fb"


def test_the_stage_of_an_http_api_is_no_part_of_the_path() -> None:
    assert read_request(http("GET", "/live/counts", domain=HTTP_API, stage="live")).path == "/counts"
    assert read_request(http("GET", "/livelihood", domain=HTTP_API, stage="live")).path == "/livelihood"
    assert read_request(http("GET", "/$default/x")).path == "/$default/x"


@given(st.binary(), st.binary())
def test_bytes_stay_the_bytes_they_were(sent: bytes, answered: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert message["body"] == sent
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"image/png")]})
        await send({"type": "http.response.body", "body": answered[:1], "more_body": True})
        await send({"type": "http.response.body", "body": answered[1:]})

    answer = write_answer(asyncio.run(ask(app, read_request(http("POST", "/", sent)), "")))
    body = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
    assert body == answered


def test_headers_cookies_and_query_arrive_as_they_were_sent() -> None:
    event = http(
        "GET", "/x", None, {"Accept": "a, b", "x-name": "Jos\u00e9"}, query="a=1&a=%20", cookies=["k=1", "l=2"]
    )
    request = read_request(event)
    assert (b"accept", b"a, b") in request.headers
    assert (b"x-name", "José".encode("latin-1")) in request.headers
    assert (b"cookie", b"k=1; l=2") in request.headers
    assert request.query == b"a=1&a=%20"
    scope = request.scope("arn:aws:iam::1:user/x")
    assert (scope["client"], scope["scheme"], scope["overwinter.caller"]) == (
        ("192.0.2.7", 0),
        "https",
        "arn:aws:iam::1:user/x",
    )


def test_repeated_headers_are_joined_and_cookies_stand_apart() -> None:
    headers = [
        ("vary", "a"),
        ("vary", "b"),
        ("set-cookie", "k=1"),
        ("set-cookie", "l=2"),
        ("content-type", "text/plain"),
    ]
    answer = write_answer(Answer(200, "größer".encode(), headers))
    assert answer == {
        "statusCode": 200,
        "headers": {"vary": "a, b", "content-type": "text/plain"},
        "cookies": ["k=1", "l=2"],
        "body": "größer",
        "isBase64Encoded": False,
    }


def test_text_that_is_none_goes_as_bytes() -> None:
    answer = write_answer(Answer(200, b"\xff", [("content-type", "text/plain")]))
    assert (answer["isBase64Encoded"], answer["body"]) == (True, "/w==")
    assert write_answer(Answer(204))["body"] == ""


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"x" * (LARGEST - 500), "text/plain"),
        (b"\xff" * (LARGEST * 3 // 4 - 500), "image/png"),
        (b'"' * (LARGEST // 2 - 500), "application/json"),
    ],
)
def test_the_limit_is_that_of_the_answer_as_it_travels(body: bytes, content_type: str) -> None:
    assert write_answer(Answer(200, body, [("content-type", content_type)]))["statusCode"] == 200
    answer = write_answer(Answer(200, body + body[:1000], [("content-type", content_type)]))
    assert answer["statusCode"] == 500
    assert json.loads(answer["body"])["type"].endswith(":answer-too-large")


def test_a_body_that_is_no_base64_is_refused() -> None:
    event = http("POST", "/", b"x") | {"body": "?"}
    with pytest.raises(Refused):
        read_request(event)


def test_other_events_are_no_requests() -> None:
    assert is_request(http("GET", "/"))
    assert not is_request(sqs("{}"))
    assert not is_request({"httpMethod": "GET", "path": "/", "requestContext": {"stage": "dev"}})
    assert not is_request({})


def test_the_trace_of_x_ray_becomes_a_traceparent() -> None:
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1"
    assert traceparent(header) == "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
    assert traceparent("Root=1-5759e988-bd862e3fe1be46a994272793") == ""
