"""Whatever fails, and wherever its error is told, no known secret is in it: answers and their nested parts, the whole
file of the store, the log, what a model reads. One process in which everything fails with the key in its text."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from pydantic import BaseModel, field_validator

from overwinter import Agent, Retry, tool, workflow
from overwinter.functions.http.app import create_app
from overwinter.functions.model import Scripted, call
from overwinter.functions.runtime import Runtime
from overwinter.state.errors import OverwinterError, StoreUnavailable

SECRET = 'tulips "and"\nroses'
PIN = 1234567890
PARTS = ("tulips", "roses", str(PIN))


class Spoilt(OverwinterError):
    """One of ours, which is told as it is."""


class Told(BaseModel):
    """An input whose validator repeats the key that it looks things up with."""

    amount: int

    @field_validator("amount")
    @classmethod
    def known(cls, amount: int) -> int:
        if amount == 3:
            raise ValueError(f"bad key {SECRET}")
        return amount


def shout() -> str:
    error = RuntimeError("x" * 400 + f" bad key {SECRET}")
    error.pin = PIN  # type: ignore[attr-defined]  # as some clients keep what they were given
    error.add_note(f"bad key {SECRET}")
    raise error


SOON = Retry(first="1ms", in_process="10ms")  # as usual, two short pauses and two that are recorded, in milliseconds


@tool(retry=SOON)
def leak() -> str:
    """Raise an error that repeats the key it was called with."""
    return shout()


@tool
def pay(told: Told) -> str:
    """Take what is told."""
    return f"{told.amount} paid"


@workflow
async def stepping(ctx: Any) -> str:
    return str(await ctx.step(shout, name="shout", retry=SOON))


@workflow
async def raising(ctx: Any) -> str:
    return shout()


@workflow
async def spoiling(ctx: Any) -> str:
    raise Spoilt(f"bad key {SECRET}")


@workflow
async def waiting(ctx: Any, told: Told) -> str:
    first = await ctx.wait_for("told", type=Told)
    return f"{first.amount} {told.amount}"


SAID: list[Any] = [[call("pay", told={"amount": 3}), call("leak")], '{"amount": 3}', '{"amount": 1}']
asker = Agent("asker", Scripted(SAID), tools=[pay, leak], output=Told)
EVENT = {"specversion": "1.0", "source": "/t"}


class Broken(Agent[Any]):
    """Its loop breaks with one of ours, and with something else."""

    def find(self, tool: str) -> Any:
        raise Spoilt(f"bad key {SECRET}") if tool == "pay" else RuntimeError(f"bad key {SECRET}")


stuck = Broken("stuck", Scripted([[call("pay", told={"amount": 1})]]), tools=[pay])
defect = Broken("defect", Scripted([[call("leak")]]), tools=[leak])
FUNCTIONS = [leak, pay, stepping, raising, spoiling, waiting, asker, stuck, defect]


@asynccontextmanager
async def api(runtime: Runtime) -> AsyncGenerator[httpx.AsyncClient]:
    app = cast("Any", create_app(runtime, token=None))  # httpx types ASGI with plain dicts
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        yield client


async def everything(runtime: Runtime, client: httpx.AsyncClient) -> list[httpx.Response]:
    patient = {"prefer": "wait=20"}
    batch = {"content-type": "application/cloudevents-batch+json"}
    told: list[httpx.Response] = []
    for name in ("stepping", "raising", "spoiling"):
        told.append(await client.post(f"/workflows/{name}?id={name}", headers=patient))
    for name in ("asker", "stuck", "defect"):
        told.append(await client.post(f"/agents/{name}?id={name}", json="go", headers=patient))
    told.append(await client.post("/tools/leak", json={}))
    told.append(await client.post("/tools/pay", json={"told": {"amount": 3}}))
    told.append(await client.post("/workflows/waiting?id=no", json={"amount": 3}))
    told.append(await client.post("/workflows/waiting?id=w", json={"amount": 1}))
    told.append(await client.post("/signal/w", json={"name": "told", "data": {"amount": 3}}))
    for type, data in (("call.leak", {}), ("call.pay", {"told": {"amount": 3}}), ("call.waiting", {"amount": 3})):
        events = [EVENT | {"id": id, "type": f"io.overwinter.{type}", "data": data} for id in ("1", "2")]
        told.append(await client.post("/", content=json.dumps(events), headers=batch))
    runtime.engine.health.add_check("said", lambda: f"bad key {SECRET}")

    def gone() -> str:
        raise StoreUnavailable(f"/data/me/shop.db: bad key {SECRET}")

    runtime.engine.health.add_check("raised", gone)
    for path in ("/readyz", "/stats", "/executions", "/functions"):
        told.append(await client.get(path))
    for name in ("stepping", "raising", "spoiling", "asker", "stuck", "defect", "w"):
        told += [await client.get(f"/{what}/{name}") for what in ("results", "history", "executions")]
    return told


def places(folder: Path, caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    """All texts in which errors are told, by where they stand."""

    async def main() -> list[httpx.Response]:
        async with Runtime(FUNCTIONS, f"sqlite:///{folder}/shop.db") as runtime, api(runtime) as client:
            return await everything(runtime, client)

    folder.mkdir()
    caplog.clear()
    told = {
        f"{number} {one.request.method} {one.request.url.path}": one.text
        for number, one in enumerate(asyncio.run(main()))
    }
    stored = b"".join(path.read_bytes() for path in folder.iterdir()).decode("latin-1")
    return told | {"the store": stored, "the log": caplog.text}


def leaking(texts: dict[str, str]) -> list[str]:
    return sorted(place for place, text in texts.items() if any(part in text for part in PARTS))


def test_no_error_tells_a_known_secret_wherever_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Before the key is known its words come through in all these places, so that what is looked for can be found."""
    before = leaking(places(tmp_path / "before", caplog))
    assert len(before) > 25 and {"the store", "the log"} <= set(before)
    monkeypatch.setenv("SHOP_API_KEY", SECRET)
    monkeypatch.setenv("SHOP_PIN_KEY", str(PIN))
    texts = places(tmp_path / "after", caplog)
    assert leaking(texts) == []
    assert [place for place in before if "***" not in texts[place]] == []
    assert not any("/data/me" in text for place, text in texts.items() if place.endswith("/readyz"))


def test_what_other_libraries_log_is_redacted_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from overwinter.security.redaction import redact_logs

    monkeypatch.setenv("SHOP_API_KEY", SECRET)
    log, handler = logging.getLogger("somebody.elses"), logging.StreamHandler()
    monkeypatch.setattr(log, "propagate", False)
    log.addHandler(handler)
    try:
        redact_logs(log)
        redact_logs(log)
        log.warning("bad key %s", SECRET, stack_info=True)
        try:
            shout()
        except RuntimeError:
            log.exception("it failed")
    finally:
        log.removeHandler(handler)
    assert len(handler.filters) == 1
    written = capsys.readouterr().err
    assert "***" in written and not any(part in written for part in PARTS[:2])
