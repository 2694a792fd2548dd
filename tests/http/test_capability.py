"""A token for one way in, as somebody who found it in a log would try it: it delivers to the one function, and opens
nothing else, in whatever way it is turned.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from overwinter.cli.main import cli
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import write_batch, write_binary
from overwinter.functions.http.capability import capability, fits
from overwinter.security.redaction import redacted
from overwinter.state.errors import InvalidInput

Run = Callable[..., None]
TOKEN, DELIVERY = "a-secret-of-some-length", "another-secret-of-some-length"
ECHO = capability(DELIVERY, "/events/echo")
SWEEP = capability(DELIVERY, "/sweep")


def event(type: str = "any.type", data: Any = "hi", subject: str | None = None) -> CloudEvent:
    return CloudEvent(id="1", source="/test", type=type, data=data, subject=subject)


async def deliver(shop: Any, one: CloudEvent, path: str = "/events/echo", token: str = ECHO) -> int:
    message = write_binary(one)
    answer = await shop.client.post(f"{path}?access_token={token}", content=message.body, headers=message.headers)
    return int(answer.status_code)


def tokens(run: Run, main: Any) -> None:
    run(main, token=TOKEN, delivery_token=DELIVERY)


def test_it_delivers_to_its_function(run: Run) -> None:
    async def main(shop: Any) -> None:
        assert await deliver(shop, event()) == 202
        assert await deliver(shop, event("io.overwinter.call.echo", "hi", "c-1")) == 202
        assert await deliver(shop, event(), "/events/%65cho") == 202, "the same way in, written otherwise"
        assert await deliver(shop, event("dev.knative.sources.ping", None), "/sweep", SWEEP) == 204
        message = write_binary(event())
        header = {**dict(message.headers), "authorization": f"Bearer {ECHO}"}
        assert (await shop.client.post("/events/echo", content=message.body, headers=header)).status_code == 202

    tokens(run, main)


@pytest.mark.parametrize(
    "type",
    [
        "io.overwinter.call.slow",
        "io.overwinter.call.ticket",
        "io.overwinter.call.lookup_order",
        "io.overwinter.call.",
        "io.overwinter.decide",
        "io.overwinter.cancel",
        "io.overwinter.callback",
        "io.overwinter.heartbeat",
        "io.overwinter.sweep",
        "io.overwinter.anything",
    ],
)
def test_what_is_not_for_its_function_is_refused(run: Run, type: str) -> None:
    async def main(shop: Any) -> None:
        one = event(type, {"approved": True, "token": "t"}, "echo/c-1")
        assert await deliver(shop, one) == 403
        message = write_batch([event(), one])
        answer = await shop.client.post(
            f"/events/echo?access_token={ECHO}", content=message.body, headers=message.headers
        )
        assert answer.status_code == 403, "in a batch too, and nothing of it is taken"
        everything = await shop.client.get("/executions", headers={"authorization": f"Bearer {TOKEN}"})
        assert everything.json()["executions"] == []

    tokens(run, main)


def test_a_ping_to_its_function_is_a_call_of_it(run: Run) -> None:
    async def main(shop: Any) -> None:
        assert await deliver(shop, event("dev.knative.sources.ping", "hello")) in (200, 202, 204)
        assert [head.function for head in await shop.runtime.list()] == ["echo"]

    tokens(run, main)


def test_another_workflows_execution_gets_no_signal(run: Run) -> None:
    async def main(shop: Any) -> None:
        await shop.runtime.start("ticket", {"question": "?"}, id="t-1")
        before = [entry async for entry in shop.runtime.entries("t-1")]
        await deliver(shop, event("customer.reply", "hi", "t-1"))
        after = [entry async for entry in shop.runtime.entries("t-1")]
        assert not [entry for entry in after[len(before) :] if entry["type"] == "event"]

    tokens(run, main)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("POST", "/sweep"),
        ("POST", "/events/slow"),
        ("POST", "/events/lookup_order"),
        ("POST", "/events/echo/"),
        ("POST", "/events/echo/../slow"),
        ("POST", "/events/echo%2f..%2fslow"),
        ("POST", "/events//echo"),
        ("POST", "/events/"),
        ("POST", "/Events/echo"),
        ("POST", "/events/ECHO"),
        ("POST", "/events/echo%00"),
        ("POST", "/events/echo%20"),
        ("GET", "/events/echo"),
        ("PUT", "/events/echo"),
        ("GET", "/executions"),
        ("GET", "/history/echo/c-1"),
        ("POST", "/sessions/echo/c-1"),
        ("POST", "/decide/echo/c-1"),
        ("POST", "/agents/echo"),
        ("POST", "/tools/lookup_order"),
        ("POST", "/signal/echo/c-1"),
        ("GET", "/openapi.json"),
        ("GET", "/stats"),
    ],
)
def test_it_opens_no_other_door(run: Run, method: str, path: str) -> None:
    async def main(shop: Any) -> None:
        message = write_binary(event())
        for given_ in ({"authorization": f"Bearer {ECHO}"}, {}):
            query = "" if given_ else f"?access_token={ECHO}"
            headers = {**dict(message.headers), **given_}
            answer = await shop.client.request(method, path + query, content=message.body, headers=headers)
            assert answer.status_code in (401, 307, 308), (path, answer.status_code)
            assert ECHO not in answer.text
        assert (await shop.runtime.store.executions(EVERYTHING, None, 10)).heads == []

    from overwinter.state.records import EVERYTHING

    tokens(run, main)


def forgeries() -> list[str]:
    other = capability("another-secret-of-some-lengtH", "/events/echo")
    return [
        ECHO[:-1],
        ECHO + "A",
        ECHO.upper(),
        ECHO.removeprefix("owd_"),
        ECHO[:-1] + ("A" if ECHO[-1] != "A" else "B"),
        "owd_",
        "",
        "\u00e9" * 47,
        capability(DELIVERY, "/events/slow"),
        capability(TOKEN, "/events/echo"),
        capability(ECHO, "/events/echo"),
        SWEEP,
        other,
    ]


@pytest.mark.parametrize("token", forgeries())
def test_no_other_token_opens_it(run: Run, token: str) -> None:
    async def main(shop: Any) -> None:
        assert await deliver(shop, event(), token=token) == 401

    tokens(run, main)


def test_a_new_delivery_token_ends_it(run: Run) -> None:
    async def main(shop: Any) -> None:
        assert await deliver(shop, event()) == 401
        assert await deliver(shop, event(), token=capability(DELIVERY + "-2", "/events/echo")) == 202

    run(main, token=TOKEN, delivery_token=DELIVERY + "-2")


def test_without_a_delivery_token_there_are_none(run: Run) -> None:
    async def main(shop: Any) -> None:
        for token in (ECHO, capability("", "/events/echo")):
            assert await deliver(shop, event(), token=token) == 401

    run(main, token=TOKEN)


@given(st.text(), st.text(), st.binary())
def test_each_path_has_its_own(one: str, other: str, given_: bytes) -> None:
    for name in (one, other):
        if not name or "/" in name:
            with pytest.raises(InvalidInput):
                capability(DELIVERY, f"/events/{name}")
            return
    token = capability(DELIVERY, f"/events/{one}").encode()
    assert fits(token, DELIVERY.encode(), f"/events/{other}") == (one == other)
    assert not fits(given_, DELIVERY.encode(), f"/events/{one}")
    assert not fits(token, DELIVERY.encode(), f"/sweep{one}") and not fits(b"", DELIVERY.encode(), "/executions")


def test_it_is_in_no_log(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def main(shop: Any) -> None:
        await deliver(shop, event("customer.reply", "hi", "nobody"))
        logging.getLogger("overwinter").warning("delivered to /events/echo?access_token=%s as %s", ECHO, ECHO)

    tokens(run, main)
    assert ECHO not in "\n".join(line for line in caplog.text.splitlines() if "httpx" not in line)
    assert ECHO not in redacted(f"somebody sent {ECHO}, {ECHO}")


def test_the_command_prints_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_DELIVERY_TOKEN", DELIVERY)
    assert CliRunner().invoke(cli, ["grant", "echo"]).stdout == f"{ECHO}\n"
    assert CliRunner().invoke(cli, ["grant", "--sweep"]).stdout == f"{SWEEP}\n"
    assert CliRunner().invoke(cli, ["grant", "a/b"]).exit_code == CliRunner().invoke(cli, ["grant"]).exit_code == 2
    monkeypatch.delenv("OVERWINTER_DELIVERY_TOKEN")
    assert CliRunner().invoke(cli, ["grant", "echo"]).exit_code == 2
    assert "OVERWINTER_DELIVERY_TOKEN" not in os.environ


def test_the_path_is_as_a_url_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_DELIVERY_TOKEN", DELIVERY)
    printed = json.loads(CliRunner().invoke(cli, ["grant", "a b?c#ü%41", "--json"]).stdout)
    assert printed["path"] == "/events/a%20b%3Fc%23%C3%BC%2541"
    read = httpx.URL(f"http://host{printed['path']}")
    assert not read.query and not read.fragment
    assert fits(printed["token"].encode(), DELIVERY.encode(), read.path), "as the server reads it"
    plain = json.loads(CliRunner().invoke(cli, ["grant", "echo", "--json"]).stdout)
    assert plain == {"path": "/events/echo", "token": ECHO}


def test_a_granted_path_that_needs_quotes_passes_the_guard(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_DELIVERY_TOKEN", DELIVERY)
    printed = json.loads(CliRunner().invoke(cli, ["grant", "a b?c#ü", "--json"]).stdout)

    async def main(shop: Any) -> None:
        assert await deliver(shop, event(), printed["path"], printed["token"]) == 404, "let in, and there is none"
        assert await deliver(shop, event(), printed["path"], ECHO) == 401

    tokens(run, main)


def test_a_short_token_is_called_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_DELIVERY_TOKEN", "short")
    told = CliRunner().invoke(cli, ["grant", "f"])
    assert told.exit_code == 2 and "too short" in told.output and "is not set" not in told.output
    monkeypatch.setenv("OVERWINTER_DELIVERY_TOKEN", "")
    assert "is not set" in CliRunner().invoke(cli, ["grant", "f"]).output
