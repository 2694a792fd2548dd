"""Functions that live in AWS Lambda: invoked by their names, or asked by signed URLs; the real handler answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter import Agent, Breaker, Context, InvalidInput, Retry, Runtime, tool, workflow
from overwinter.cli.main import cli
from overwinter.functions.aws.access import access
from overwinter.functions.aws.handler import Handler
from overwinter.functions.events import telling
from overwinter.functions.invocation import sending
from overwinter.functions.invocation.lambdas import LARGEST
from overwinter.functions.invocation.reaching import Ways
from overwinter.functions.invocation.routes import Route
from overwinter.functions.model import ModelFunction
from overwinter.functions.models.port import Delta, Message, Request
from overwinter.functions.models.remote import FunctionModel
from overwinter.orchestrator.usercode.served import by_name
from overwinter.state.errors import ExecutionFailed
from overwinter.tests.servers.lambdas import Lambdas
from overwinter.tests.servers.moto import credentials

from .place import on_a_loop, until

CALLS: list[str] = []
GO = threading.Event()


class OutOfStock(Exception):
    """Of the shop's own."""


@tool(retry=Retry(attempts=1))
def lookup(order: str) -> str:
    """Find an order."""
    CALLS.append(order)
    if order == "gone":
        raise OutOfStock(order)
    return f"{order} ü\u2028"


@tool(effect="irreversible", in_doubt="fail")
def slow(order: str) -> str:
    """Takes its time."""
    CALLS.append(order)
    assert GO.wait(20)
    return f"{order} at last"


@tool
def large(order: str) -> str:
    """More than Lambda carries."""
    CALLS.append(order)
    return "x" * 7 * 1024 * 1024


@workflow
async def billing(ctx: Context, order: str) -> dict[str, Any]:
    return {"bill": order, "by": ctx.caller.get("caller")}


@workflow
async def asks(ctx: Context, order: str) -> str:
    return await ctx.step(lookup, order)


@workflow
async def waits(ctx: Context) -> str:
    return await ctx.step(slow, "o")


def environment(folder: Path, name: str, functions: list[Any]) -> Callable[[], Handler]:
    named = by_name(functions)
    return lambda: Handler(named, access("token"), store=f"sqlite:///{folder}/{name}.db")


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambdas]:
    CALLS.clear()
    GO.clear()
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)
    for name in ("OVERWINTER_TOKEN", "OVERWINTER_AUTH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setattr(sending, "RETRY", Retry(attempts=3, first="1ms", factor=1, when=sending.RETRY.when))
    monkeypatch.setattr(sending, "BREAKER", Breaker(failures=50))
    for room in (sending, telling):  # a client keeps the address that it was made with
        monkeypatch.setattr(room, "_ways", Ways())
    shop = [lookup, slow, large, billing, ModelFunction("fast", "scripted:echo")]
    functions = {"shop": environment(tmp_path, "shop", shop), "desk": environment(tmp_path, "desk", [waits])}
    with Lambdas(functions) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        yield server
        GO.set()


def lead(monkeypatch: pytest.MonkeyPatch, **table: Any) -> None:
    monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps(table))


@pytest.mark.parametrize("target", ["shop", "shop:live", "arn:aws:lambda:eu-west-1:111122223333:function:shop:7"])
@on_a_loop
async def test_a_call_is_an_invocation(aws: Lambdas, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    lead(monkeypatch, lookup=f"lambda://{target}")
    async with Runtime([asks], "memory://") as here:
        assert await (await here.start(asks, "o-1", id="x")).result(timeout=20) == "o-1 ü\u2028"
        assert [entry["type"] async for entry in here.entries("x")] == ["start", "begun", "step", "completed"]
    assert (aws.invoked, CALLS) == ([(target, "RequestResponse")], ["o-1"])


@on_a_loop
async def test_errors_come_back_as_their_class(aws: Lambdas, monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def tries(ctx: Context) -> str:
        try:
            return str(await ctx.step(lookup, "gone"))
        except OutOfStock as error:
            return f"caught {error}"

    lead(monkeypatch, lookup="lambda://shop")
    async with Runtime([tries], "memory://") as here:
        assert await (await here.start(tries)).result(timeout=20) == "caught gone"


@on_a_loop
async def test_a_workflow_there_is_called_by_its_name(aws: Lambdas, monkeypatch: pytest.MonkeyPatch) -> None:
    @workflow
    async def buys(ctx: Context, order: str) -> Any:
        return await ctx.call("billing", order)

    lead(monkeypatch, **{"*": "lambda://shop", "buys": "here"})
    async with Runtime([buys], "memory://") as here:
        assert await (await here.start(buys, "o")).result(timeout=20) == {"bill": "o", "by": "buys"}


@on_a_loop
async def test_what_lasts_is_rested_for_and_both_sides_are_functions(
    aws: Lambdas, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An invocation lasts as long as its work: nobody waits for its answer, and the word that it is done is an
    invocation too, which nobody waits for at all."""
    monkeypatch.setattr(sending, "HELD", 0)
    monkeypatch.setattr(sending, "LATE", 0.5)
    monkeypatch.setattr(sending, "BREAKER", Breaker(failures=1))  # that it lasts is no failure
    monkeypatch.setattr(Ways, "tell", _released(Ways.tell))
    lead(monkeypatch, slow="lambda://shop", waits="lambda://desk")
    async with Runtime([waits], f"sqlite:///{tmp_path}/desk.db") as here:
        handle = await here.start(waits, id="x")
        async with asyncio.timeout(20):
            while (await here.show("x")).awaits != "answer of slow":  # noqa: ASYNC110  # there is no event for it
                await asyncio.sleep(0.01)
        GO.set()
        assert await handle.result(timeout=20) == "o at last"
    await until(lambda: ("desk", "Event") in aws.invoked)
    assert CALLS == ["o"]


def _released(tell: Any) -> Any:
    async def told(*args: Any) -> Any:
        answer = await tell(*args)
        assert answer.status == 202
        return answer

    return told


@pytest.mark.parametrize(
    "fault",
    [
        (429, "TooManyRequestsException", "Rate Exceeded."),
        (409, "ResourceConflictException", "It is pending."),
        (502, "EC2ThrottledException", "no"),
        (403, "ExpiredTokenException", "The security token included in the request is expired"),
        (500, "ServiceException", "no"),
        {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: 1 Error: Runtime exited"},
        {"errorMessage": "2026-11-22T08:30:00Z 1 Task timed out after 3.00 seconds"},
    ],
    ids=["throttled", "changed", "its machines", "credentials", "Lambda", "it has died", "its time was up"],
)
@on_a_loop
async def test_what_may_pass_is_tried_again(aws: Lambdas, monkeypatch: pytest.MonkeyPatch, fault: Any) -> None:
    lead(monkeypatch, lookup="lambda://shop")
    aws.faults.append(fault)
    async with Runtime([asks], "memory://") as here:
        assert (await (await here.start(asks, "o")).result(timeout=20)).startswith("o ")
    assert len(aws.invoked) == 2


@pytest.mark.parametrize(
    ("fault", "times", "why"),
    [
        ((404, "ResourceNotFoundException", "Function not found"), 3, "HTTP 404: Lambda says ResourceNotFound"),
        (
            (403, "AccessDeniedException", "not authorized to perform: lambda:InvokeFunction"),
            1,
            "lambda:InvokeFunction",
        ),
        ((413, "RequestTooLargeException", "too large"), 1, "RequestTooLarge"),
        ({"errorType": "MemoryError", "errorMessage": "all of it"}, 3, "has failed: MemoryError: all of it"),
    ],
)
@on_a_loop
async def test_what_stays_is_said(
    aws: Lambdas, monkeypatch: pytest.MonkeyPatch, fault: Any, times: int, why: str
) -> None:
    lead(monkeypatch, lookup="lambda://shop")
    aws.faults += [fault] * 3
    async with Runtime([asks], "memory://") as here:
        with pytest.raises(ExecutionFailed) as failed:
            await (await here.start(asks, "o")).result(timeout=20)
        assert why in str(failed.value.__cause__)
    assert len(aws.invoked) == times and not CALLS


@on_a_loop
async def test_credentials_that_were_exchanged_in_their_file_are_found(
    aws: Lambdas, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A session of AWS's library reads them once."""
    aws.functions = {"shop": _signed_by_iam(aws.functions["shop"])}
    file, known = tmp_path / "credentials", {name: value for name, value in credentials().items() if "EC2" not in name}
    for name in known:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    file.write_text("[default]\n" + "".join(f"{name.lower()} = old\n" for name in known))
    ways, place = Ways(), Route("lookup", aws.url, sign="aws", region="eu-central-1")
    aws.faults.append((403, "ExpiredTokenException:http://internal.amazon.com/", "expired"))
    with pytest.raises(Exception, match="wants newer credentials"):
        await ways.ask(place, "/functions", b"", {}, method="GET")
    file.write_text("[default]\n" + "".join(f"{name.lower()} = {value}\n" for name, value in known.items()))
    assert (await ways.ask(place, "/functions", b"", {}, method="GET")).status == 200


@pytest.mark.parametrize("answer", [{"hello": "world"}, {"statusCode": True, "body": "{}"}, {"statusCode": -1}])
@on_a_loop
async def test_a_function_that_is_none_of_ours_is_said(
    monkeypatch: pytest.MonkeyPatch, aws: Lambdas, answer: dict[str, Any]
) -> None:
    monkeypatch.setattr(aws, "run", lambda name, event: answer)
    place = Route("lookup", "lambda://shop")
    with pytest.raises(Exception, match="its handler is none of overwinter"):
        await Ways().ask(place, "/calls/lookup", b"{}", {})


@on_a_loop
async def test_what_is_too_large_is_said_before_and_after(aws: Lambdas, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="6 MB; keep what is large elsewhere"):
        await Ways().ask(Route("lookup", "lambda://shop"), "/calls/lookup", b"x" * LARGEST, {})
    assert not aws.invoked

    @workflow
    async def takes(ctx: Context) -> str:
        return str(await ctx.step(large, "o"))

    lead(monkeypatch, large="lambda://shop")
    async with Runtime([takes], "memory://") as here:
        with pytest.raises(ExecutionFailed) as failed:
            await (await here.start(takes)).result(timeout=20)
    assert "Lambda carries 6 MB" in str(failed.value.__cause__) and CALLS == ["o"]
    assert len(aws.invoked) == 1  # it is as large the next time


@on_a_loop
async def test_without_a_region_or_credentials_it_is_said(monkeypatch: pytest.MonkeyPatch, aws: Lambdas) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    place = Route("lookup", "lambda://shop")
    with pytest.raises(InvalidInput, match="Set AWS_REGION"):
        await Ways().ask(place, "/functions", b"", {}, method="GET")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    for other in (place._replace(region="eu-central-1"), Route("lookup", aws.url, sign="aws", region="eu-central-1")):
        with pytest.raises(Exception, match="credentials"):
            await Ways().ask(other, "/functions", b"", {}, method="GET")


@pytest.mark.parametrize("kind", ["invoked", "signed"])
@on_a_loop
async def test_a_model_function_answers_from_there(aws: Lambdas, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Streams of a function that is invoked come whole: Lambda carries none."""
    if kind == "signed":
        aws.functions = {"shop": _signed_by_iam(aws.functions["shop"])}
    lead(monkeypatch, fast={"url": "lambda://shop"} if kind == "invoked" else {"url": aws.url, "sign": "aws"})
    heard: list[Delta] = []
    answer = await FunctionModel("fast").stream(Request("fast", (Message("user", "hello"),)), heard.append)
    assert answer.text == "".join(piece.text for piece in heard) == "hello"
    desk = Agent("desk", "function:fast")
    async with Runtime([desk], "memory://") as here:
        assert await (await here.start(desk, "hello")).result(timeout=20) == "hello"


@on_a_loop
async def test_a_signed_request_is_let_in_and_no_other(aws: Lambdas, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.functions = {"shop": _signed_by_iam(aws.functions["shop"])}
    lead(monkeypatch, lookup={"url": aws.url, "sign": "aws", "region": "eu-west-3"})
    async with Runtime([asks], "memory://") as here:
        assert (await (await here.start(asks, "a/b %")).result(timeout=20)).startswith("a/b % ")
        assert aws.signed == [("execute-api", "eu-west-3")]
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        monkeypatch.setattr(sending, "_ways", Ways())
        with pytest.raises(ExecutionFailed) as failed:
            await (await here.start(asks, "o")).result(timeout=20)
        assert "HTTP 403; it does not take the token of its route, or who signs" in str(failed.value.__cause__)
    assert len(aws.signed) == 1


def _signed_by_iam(make: Callable[[], Handler]) -> Callable[[], Handler]:
    def made() -> Handler:
        handler = make()
        handler._door = access("iam")
        return handler

    return made


@on_a_loop
async def test_a_path_with_signs_in_it_is_signed_as_it_travels(aws: Lambdas, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Route("x", aws.url, sign="aws", region="eu-central-1")
    told = await Ways().ask(place, "/results/a%2Fb%20%C3%BC%25", b"", {}, method="GET")
    assert aws.signed and told.status in (401, 403, 404)


def test_routes_on_aws_are_listed_and_tried(aws: Lambdas) -> None:
    table = {
        "lookup": {"url": "lambda://shop", "region": "eu-central-1"},
        "fast": {"url": aws.url, "sign": "aws"},
        "absent": "lambda://shop",
        "nobody": "lambda://nobody",
    }
    aws.functions = {"shop": _signed_by_iam(aws.functions["shop"])}
    env = {"OVERWINTER_ROUTES": json.dumps(table)}
    done = CliRunner().invoke(cli, ["route", "list", "--json"], env=env)
    assert [(row["url"], row.get("sign"), row.get("region")) for row in json.loads(done.output)] == [
        ("lambda://shop", None, "eu-central-1"),
        (aws.url, "aws", "eu-central-1"),
        ("lambda://shop", None, None),
        ("lambda://nobody", None, None),
    ]
    done = CliRunner().invoke(cli, ["route", "check", "--json"], env=env)
    assert done.exit_code == 1
    found = {row["name"]: row["found"] for row in json.loads(done.output)}
    assert found.pop("nobody").startswith("HTTP 404: Lambda says ResourceNotFoundException")
    assert found == {"lookup": "tool", "fast": "model", "absent": "does not serve it"}
    done = CliRunner().invoke(cli, ["route", "list"], env=env)
    assert "SIGN" in done.output and "REGION" in done.output


def test_only_who_invokes_needs_no_token(aws: Lambdas) -> None:
    """A URL can't bring the mark of an invocation: what is in a request stands below ``headers`` and ``body``."""
    handler = aws.functions["shop"]()
    event: dict[str, Any] = {
        "rawPath": "/functions",
        "headers": {"overwinter": "request"},
        "requestContext": {"domainName": "a.lambda-url.eu-central-1.on.aws", "http": {"method": "GET"}},
        "body": '{"overwinter": "request"}',
    }
    try:
        assert aws_answer(handler, event)["statusCode"] == 403
        assert aws_answer(handler, {**event, "overwinter": "request"})["statusCode"] == 200
    finally:
        handler.close()


def aws_answer(handler: Handler, event: dict[str, Any]) -> dict[str, Any]:
    from overwinter.tests.servers.lambdas import Context as Invocation

    answer: dict[str, Any] = handler(event, Invocation())
    return answer
