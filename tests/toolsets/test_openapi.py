"""Operations of an OpenAPI document as tools, called at a real server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from overwinter import Agent, Runtime, Scripted, call
from overwinter.functions.http.openapi import document as own_document
from overwinter.functions.toolset import OpenAPI
from overwinter.state.errors import InvalidInput
from overwinter.tests.servers.apps import serving

ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
    },
    "required": ["id"],
}
PART = {"type": "object", "properties": {"of": {"$ref": "#/components/schemas/Order"}, "n": {"type": "integer"}}}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "servers": [{"url": "https://shop.example/v1"}],
    "security": [{"key": []}],
    "paths": {
        "/orders/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"operationId": "getOrder", "summary": "Look up an order.", "description": "All of it."},
            "put": {
                "operationId": "put.order",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
                },
            },
            "delete": {"deprecated": True},
        },
        "/orders": {
            "get": {
                "operationId": "list",
                "security": [],
                "parameters": [
                    {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "ids", "in": "query", "explode": False, "schema": {"type": "array"}},
                    {"name": "by", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                    {"name": "tag", "in": "cookie", "schema": {"type": "string"}},
                ],
            },
            "post": {
                "operationId": "create",
                "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}},
            },
        },
        "/photos": {
            "post": {
                "operationId": "upload",
                "requestBody": {"required": True, "content": {"image/png": {}}},
            }
        },
    },
    "components": {
        "schemas": {"Order": ORDER, "Part": PART},
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "X-Shop-Key"},
            "basic": {"type": "http", "scheme": "basic"},
        },
    },
}


def shop(**options: Any) -> OpenAPI:
    return OpenAPI(DOCUMENT, **options)


def by_name(toolset: OpenAPI) -> dict[str, Any]:
    return {one.name: one for one in toolset.tools()}


def calls(*script: Any, answer: Any = None, **options: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the server was asked, and the tools' entries."""
    seen: list[dict[str, Any]] = []

    async def asked(request: Request) -> Response:
        body = (await request.body()).decode()
        path = request.scope["raw_path"].decode()
        seen.append(
            {
                "what": f"{request.method} {path}",
                "query": str(request.url.query),
                "headers": dict(request.headers),
                "body": body,
            }
        )
        return answer(len(seen)) if answer is not None else JSONResponse({"ok": True})

    methods = ["GET", "PUT", "POST", "DELETE"]

    async def main() -> list[dict[str, Any]]:
        async with serving(Starlette(routes=[Route("/{rest:path}", asked, methods=methods)])) as url:
            agent = Agent("desk", Scripted([*script, "done"]), tools=[shop(url=url, **options)])
            async with Runtime([agent], "memory://") as runtime:
                handle = await runtime.start(agent, "?", id="r-1")
                assert await handle.result() == "done"
                return list(await runtime.history("r-1"))

    entries = asyncio.run(main())
    return seen, [entry for entry in entries if entry["type"] in ("tool", "observed")]


def test_each_operation_is_a_tool_with_an_effect_of_its_method(caplog: pytest.LogCaptureFixture) -> None:
    tools = by_name(shop())
    assert {name: one.effect for name, one in tools.items()} == {
        "getOrder": "pure",
        "put_order": "idempotent",
        "delete_orders_id": "idempotent",
        "list": "pure",
        "create": "irreversible",
    }
    assert "POST /photos is left out: its body is image/png" in caplog.text
    assert tools["getOrder"].description == "Look up an order.\n\nAll of it."
    assert "deprecated" in tools["delete_orders_id"].description
    assert by_name(shop(effects={"create": "idempotent"}))["create"].effect == "idempotent"


def test_schemas_are_whole_and_their_own() -> None:
    schema = by_name(shop())["put_order"].parameters
    assert schema["required"] == ["id", "body"]
    assert schema["properties"]["body"] == {"$ref": "#/$defs/Order"}
    assert schema["$defs"]["Order"]["properties"]["parts"]["items"] == {"$ref": "#/$defs/Part"}
    assert schema["$defs"]["Part"]["properties"]["of"] == {"$ref": "#/$defs/Order"}
    assert not by_name(shop())["put_order"].lost
    with pytest.raises(InvalidInput, match=r"body\.parts\[0\]\.n"):
        by_name(shop())["put_order"].check({"id": "1", "body": {"id": "1", "parts": [{"n": "two"}]}})


def test_what_3_0_says_in_its_own_words() -> None:
    parameter = {
        "name": "n",
        "in": "query",
        "schema": {"type": "integer", "nullable": True, "minimum": 1, "exclusiveMinimum": True},
    }
    old = {
        "openapi": "3.0.3",
        "servers": [{"url": "http://x.example"}],
        "paths": {"/": {"get": {"parameters": [parameter]}}},
    }
    (one,) = OpenAPI(old).tools()
    assert one.parameters["properties"]["n"] == {"type": ["integer", "null"], "exclusiveMinimum": 1}
    one.check({"n": None})
    with pytest.raises(InvalidInput):
        one.check({"n": 1})


def test_arguments_go_where_the_document_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELD", "key-of-the-shop")
    listing = call("list", tag=["a b", "c"], ids=[1, 2], by={"x": "y"}, tag_cookie="t", **{"X-Trace": "7"})
    script = [
        call("getOrder", id="a/../b c"),
        listing,
        call("create", body={"a": "1 2", "b": ["x", "y"]}),
        call("put_order", id="7", body={"id": "7"}),
    ]
    seen, tools = calls(*script, auth={"key": "env:HELD"})
    assert [one["what"] for one in seen] == [
        "GET /orders/a%2F..%2Fb%20c",
        "GET /orders",
        "POST /orders",
        "PUT /orders/7",
    ]
    assert seen[1]["query"] == "tag=a+b&tag=c&ids=1%2C2&by%5Bx%5D=y"
    assert (seen[1]["headers"]["x-trace"], seen[1]["headers"]["cookie"]) == ("7", "tag=t")
    assert [one["headers"].get("x-shop-key") for one in seen] == ["key-of-the-shop", None, *["key-of-the-shop"] * 2]
    assert seen[2]["body"] == "a=1+2&b=x&b=y"
    assert (seen[2]["headers"]["idempotency-key"], json.loads(seen[3]["body"])) == ("r-1/t1.m3.0", {"id": "7"})
    assert [entry["value"] for entry in tools] == [{"ok": True}] * 4


@pytest.mark.parametrize("id", [".", "..", ""])
def test_no_argument_leads_to_another_address(id: str) -> None:
    seen, (refused,) = calls(call("getOrder", id=id))
    assert not seen and "would lead to another address" in refused["error"]["message"]


def test_what_the_service_refuses_is_told_to_the_model_at_once() -> None:
    seen, (told,) = calls(call("getOrder", id="1"), answer=lambda n: Response("no such order", 404))
    assert len(seen) == 1
    assert told["error"]["message"] == "GET /orders/{id} was answered with 404: no such order"


def test_what_passes_is_asked_again_and_what_is_irreversible_is_not() -> None:
    def answer(n: int) -> Response:
        return JSONResponse({"n": n}, 503 if n == 1 else 200)

    seen, (told,) = calls(call("getOrder", id="1"), answer=answer)
    assert (len(seen), told["n"], told["value"]) == (2, 2, {"n": 2})
    seen, (told,) = calls(call("create", body={}), answer=lambda n: Response("oh", 500))
    assert len(seen) == 1 and told["error"]["kind"].endswith(".InDoubt")


def test_answers_of_any_kind() -> None:
    answers = [
        Response(status_code=204),
        Response("text", media_type="text/plain"),
        Response(b"\x89PNG", media_type="image/png"),
        Response(status_code=302, headers={"Location": "http://127.0.0.1:1/"}),
        Response("{", media_type="application/json"),
    ]
    script = [call("getOrder", id=str(n)) for n in range(5)]
    seen, told = calls(*script, answer=lambda n: answers[n - 1])
    assert [entry.get("value") for entry in told[:3]] == [None, "text", "[image/png, 4 bytes, not shown]"]
    assert "answered with 302" in told[3]["error"]["message"] and len(seen) == 5
    assert "is no JSON" in told[4]["error"]["message"]


UNREAD = [
    Response("{", media_type="application/json"),
    Response('{"a": NaN}', media_type="application/json"),
    Response('{"a": 1e999}', media_type="application/json"),
    Response('"\\ud800"', media_type="application/json"),
    Response(b"\xff\xfe", media_type="application/json"),
    Response("[" * 50_000 + "]" * 50_000, media_type="application/json"),
    Response("text", media_type="text/plain", headers={"content-encoding": "gzip"}),
    Response(b"x" * 9_000_000, media_type="text/plain"),
    Response(status_code=303, headers={"location": "/orders/1"}),
]


@pytest.mark.parametrize("answer", UNREAD, ids=range(len(UNREAD)))
def test_what_is_irreversible_and_has_an_answer_that_can_not_be_read_is_in_doubt(answer: Response) -> None:
    """It was done, most likely; a model that is told of a failure would do it again."""
    seen, told = calls(call("create", body={}), call("create", body={}), answer=lambda n: answer)
    assert len(seen) == 1 and told[0]["error"]["kind"].endswith(".InDoubt")
    seen, told = calls(call("getOrder", id="1"), answer=lambda n: answer)
    assert len(seen) == 1 and told[0]["error"]["kind"].endswith(".ToolFailed")


def test_a_text_in_an_encoding_that_nobody_knows_is_read_as_far_as_it_goes() -> None:
    odd = Response(b"hi", headers={"content-type": "text/plain; charset=nonsense"})
    _, (told,) = calls(call("create", body={}), answer=lambda n: odd)
    assert told["value"] == "hi"


def test_an_error_with_a_large_body_is_that_error() -> None:
    _, (told,) = calls(call("create", body={}), answer=lambda n: Response(b"no" * 5_000_000, 422))
    assert told["error"]["kind"].endswith(".ToolFailed") and "answered with 422: nono" in told["error"]["message"]


def test_operations_that_live_at_another_server_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """Else what is meant for that one, and the token with it, would go to the first of the document."""
    there = [{"url": "https://other.example"}]
    paths: dict[str, Any] = {
        "/a": {"get": {"operationId": "a"}, "post": {"operationId": "b", "servers": there}},
        "/c": {"servers": there, "get": {"operationId": "c"}},
        "/d": {"$ref": "#/components/pathItems/d"},
        "/e": {"servers": [], "get": {"operationId": "e"}},
    }
    components = DOCUMENT["components"] | {"pathItems": {"d": {"servers": there, "get": {"operationId": "d"}}}}
    toolset = OpenAPI(DOCUMENT | {"paths": paths, "components": components})
    assert list(by_name(toolset)) == ["a", "e"]
    assert caplog.text.count("it names servers of its own") == 3


def test_headers_of_http_and_of_who_signs_are_not_the_models_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELD", "key-of-the-shop")
    names = ["Host", "hOST", "Cookie", "Content-Length", "Transfer-Encoding", "Connection", "Idempotency-Key"]
    ours = [{"name": name, "in": "header", "required": True, "schema": {"type": "string"}} for name in names]
    signed = [{"name": "x-shop-key", "in": "header", "schema": {"type": "string"}}]
    paths = {"/a": {"get": {"operationId": "a", "parameters": ours + signed}}}
    monkeypatch.setitem(DOCUMENT, "paths", paths)
    assert list(by_name(shop())["a"].parameters["properties"]) == ["x-shop-key"]
    (seen,), _ = calls(call("a", **{"x-shop-key": "made up"}), auth={"key": "env:HELD"})
    assert seen["headers"]["x-shop-key"] == "key-of-the-shop"


@pytest.mark.parametrize("text", ["[" * 5000, "a: 2020-13-45"], ids=["deep", "date"])
def test_a_file_that_can_not_be_read_is_told(tmp_path: Path, text: str) -> None:
    for ending in ("yaml", "json"):
        path = tmp_path / f"shop.{ending}"
        path.write_text(text)
        with pytest.raises(InvalidInput, match=r"is no (YAML|JSON)"):
            OpenAPI(path)


@pytest.mark.parametrize(
    ("given", "options", "complaint"),
    [
        ({"swagger": "2.0"}, {}, "no OpenAPI document of version 3"),
        ("/nowhere/at-all.json", {}, "can't be read"),
        (DOCUMENT | {"servers": []}, {}, "say where it is"),
        (DOCUMENT, {"auth": {"key": "s3cret"}}, "not the secret itself"),
        (DOCUMENT, {"auth": {"other": "env:X"}}, "no security scheme 'other'"),
        (DOCUMENT, {"token": "s3cret"}, "not the secret itself"),
        (DOCUMENT, {"effects": {"nothing": "pure"}}, "no operation 'nothing'"),
        (DOCUMENT, {"effects": {"create": "sure"}}, "effect 'sure' is unknown"),
    ],
)
def test_what_is_wrong_is_told_when_it_is_made(given: Any, options: Any, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        OpenAPI(given, **options)


def test_a_reference_out_of_the_document_is_not_followed(caplog: pytest.LogCaptureFixture) -> None:
    body = {"content": {"application/json": {"schema": {"$ref": "file:///etc/passwd"}}}}
    paths = {"/a": {"post": {"requestBody": body}}, "/b": {"get": {}}}
    assert [one.name for one in OpenAPI(DOCUMENT | {"paths": paths}).tools()] == ["get_b"]
    assert "which is not in the document" in caplog.text


def test_a_file_of_yaml(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text("openapi: 3.1.0\nservers: [{url: 'http://x.example'}]\npaths: {/a: {get: {operationId: a}}}\n")
    assert [one.name for one in OpenAPI(path).tools()] == ["a"]


def test_our_own_document_makes_tools() -> None:
    """What this runtime says of itself is an OpenAPI document too."""
    agent = Agent("desk", "scripted:echo")

    async def made() -> Any:
        async with Runtime([agent], "memory://") as runtime:
            return own_document(runtime.functions, version="1", secured=False)

    tools = OpenAPI(asyncio.run(made()), url="http://127.0.0.1:8484").tools()
    assert len(tools) > 10 and not [one.lost for one in tools if one.lost]
