"""The app against its own OpenAPI document: schemathesis sends what the document allows and what it forbids."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from overwinter.functions.http.app import create_app

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@contextmanager
def running(shop: Any, token: str | None = None) -> Generator[str]:
    """A real uvicorn in a thread; the address it listens on."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    begun = threading.Event()
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        async with shop() as open_shop:
            app = create_app(open_shop.runtime, token=token, longest_wait="2s")
            servers.append(uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off")))
            begun.set()
            await servers[0].serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    begun.wait()
    try:
        yield address
    finally:
        servers[0].should_exit = True
        thread.join()
        listener.close()


def test_a_real_server_answers_events_messages_and_slashes(shop: Any) -> None:
    with running(shop, "a-secret-of-some-length") as address:
        headers = {"authorization": "Bearer a-secret-of-some-length"}
        with httpx.Client(base_url=address, headers=headers) as client:
            for path in ("/sessions/echo/a/b", "/sessions/echo/a%2Fb"):
                answer = client.post(path, json={"content": "\u20ac"})
                assert (answer.json()["id"], answer.json()["result"]) == ("echo/a/b", "\u20ac")
            assert client.get("/executions/echo/a/b").json()["id"] == "echo/a/b"
            event = {"ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-specversion": "1.0"}
            assert client.post("/", headers=event).status_code == 204
            assert client.request("HEAD", "/healthz").status_code == 200
            assert client.get("/readyz/").status_code == 404  # never a redirect
        assert httpx.get(f"{address}/counts").status_code == 401


def test_header_occurring_twice_on_the_wire_is_refused(shop: Any) -> None:
    with running(shop) as address:
        twice = [("ce-id", "1"), ("ce-id", "2"), ("ce-source", "/s"), ("ce-type", "t"), ("ce-specversion", "1.0")]
        answer = httpx.post(address, headers=twice)
        assert (answer.status_code, answer.json()["attribute"]) == (400, "id")


def test_the_document_names_the_functions_with_their_inputs(run: Any) -> None:
    async def main(shop: Any) -> None:
        document = (await shop.client.get("/openapi.json")).json()
        assert document["openapi"].startswith("3.1")
        paths = document["paths"]
        body = paths["/tools/lookup_order"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body["properties"] == {"order_id": {"type": "string"}}
        ticket = paths["/workflows/ticket"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert set(ticket["properties"]) == {"question", "priority"}
        assert {"/agents/echo", "/sessions/echo/{session}", "/bulk/cancel", "/readyz"} <= set(paths)
        assert "security" not in document
        assert "$defs" not in json.dumps(document)

    run(main)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of schemathesis's own dependencies
def test_schemathesis_accepts_the_document_and_finds_no_lie(shop: Any) -> None:
    with running(shop) as address:
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
        schema.validate()
        tried = 0
        for result in schema.get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            if operation.path == "/changes":
                continue  # it never ends: test_changes
            for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
                tried += examine(operation, mode)
        assert tried > 200


def examine(operation: Any, mode: Any) -> int:
    """Call one operation with generated requests; how many were made."""
    calls = 0

    @settings(
        max_examples=5,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def examined(case: Any) -> None:
        nonlocal calls
        calls += 1
        case.headers.pop("Prefer", None)
        case.call_and_validate(checks=CHECKS, timeout=10)

    try:
        examined()
    except Unsatisfiable:
        assert mode is schemathesis.GenerationMode.NEGATIVE, operation.label
    return calls
