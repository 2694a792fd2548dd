"""A served file behind a Broker, killed in the middle of its deliveries: each event has its effect, and has it once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from overwinter.cli.rendering.knative import Target, triggers
from overwinter.functions.bus.subscription import subscriptions_of
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import write_structured
from overwinter.functions.invocation.loading import functions_of, load
from overwinter.orchestrator.control import Control
from overwinter.state import open_store
from overwinter.tests.servers.knative import KnativeServer
from overwinter.tests.servers.ports import free_port

from .pods import DELIVERY, TOKEN

SHOP = """
from overwinter import Context, subscribe, workflow


@subscribe(type="order.paid", name="the shipping")
@workflow
async def ship(ctx: Context, order: dict) -> str:
    await ctx.publish("order.shipped", order)
    return "shipped"


@subscribe(type="order.shipped")
@workflow
async def tell(ctx: Context, order: dict) -> str:
    return f"told {order['id']}"
"""
EACH, KILLS = 8, 3


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    return tmp_path / "shop.py"


def started(file: Path, broker: KnativeServer, port: int) -> subprocess.Popen[bytes]:
    """``overwinter serve``, when it answers."""
    env = {
        **os.environ, "OVERWINTER_TOKEN": TOKEN, "OVERWINTER_DELIVERY_TOKEN": DELIVERY, "OVERWINTER_BROKER": broker.url,
        "OVERWINTER_STATE": f"sqlite:///{file.parent}/shop.db",
    }  # fmt: skip
    command = [sys.executable, "-m", "overwinter.cli.main", "serve", str(file), "--port", str(port), "--quiet"]
    process = subprocess.Popen(command, env=env, cwd=file.parent)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return process
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError("it does not serve")


def publish(broker: KnativeServer, number: int) -> None:
    event = CloudEvent(id=f"e-{number}", source="/shop", type="order.paid", data={"id": number})
    message = write_structured(event)
    assert httpx.post(broker.url, content=message.body, headers=dict(message.headers)).status_code == 202


async def ended(file: Path) -> Counter[tuple[str, str]]:
    store = open_store(f"sqlite:///{file.parent}/shop.db")
    await store.open()
    try:
        heads = await Control(store).list(limit=200)
        return Counter((head.function, head.status) for head in heads)
    finally:
        await store.close()


def test_each_event_has_its_effect_once_however_often_the_process_is_killed(file: Path) -> None:
    with KnativeServer() as broker:
        found = subscriptions_of(functions_of(load(file)))
        for trigger in triggers(found.values(), Target("shop", broker.namespace, broker.broker)).documents:
            subscriber = trigger["spec"]["subscriber"]
            subscriber["uri"] = subscriber["uri"].replace("DELIVERY_TOKEN", DELIVERY)
            broker.apply(trigger)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        for kill in range(KILLS):
            process = started(file, broker, port)
            broker.pod("shop", url)
            for number in range(EACH):
                publish(broker, kill * EACH + number)
            process.kill()
            broker.gone("shop", url)
            process.wait()
        process = started(file, broker, port)
        broker.pod("shop", url)
        wanted = {("ship", "completed"): KILLS * EACH, ("tell", "completed"): KILLS * EACH}
        until = time.monotonic() + 60
        while (seen := asyncio.run(ended(file))) != wanted and time.monotonic() < until:
            time.sleep(0.1)
        broker.gone("shop", url)
        process.terminate()
        assert process.wait(30) == 0
        assert seen == wanted, broker.lost
        assert broker.replies == []
