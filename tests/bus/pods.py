"""A process as a pod of a Service, for a Broker of Knative: its app on loopback, and its subscriptions rendered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from overwinter import Runtime
from overwinter.cli.rendering.knative import Target, triggers
from overwinter.functions.http.app import create_app
from overwinter.tests.servers.knative import KnativeServer

TOKEN, DELIVERY = "a-token-of-the-api", "a-token-of-deliveries"
SERVICE = "shop"


def applied(broker: KnativeServer, runtime: Runtime, **options: Any) -> None:
    """What ``--render knative`` prints, with the delivery token in its place."""
    target = Target(SERVICE, broker.namespace, broker.broker, **options)
    for trigger in triggers(runtime.bus.own.values(), target).documents:
        subscriber = trigger["spec"]["subscriber"]
        subscriber["uri"] = subscriber["uri"].replace("DELIVERY_TOKEN", DELIVERY)
        broker.apply(trigger)


@asynccontextmanager
async def pod(broker: KnativeServer, runtime: Runtime) -> AsyncGenerator[str]:
    """It gets what the Triggers bring until the block ends. What is under way then is cut."""
    app: Any = create_app(runtime, token=TOKEN, delivery_token=DELIVERY)
    await asyncio.to_thread(applied, broker, runtime)
    async with serving(broker, SERVICE, app) as url:
        yield url


@asynccontextmanager
async def serving(broker: KnativeServer, service: str, app: Any) -> AsyncGenerator[str]:
    """An app as a pod of a Service."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, interface="asgi3", log_level="critical", lifespan="off"))
    server.force_exit = True  # what hangs is not waited for
    task = asyncio.create_task(server.serve(sockets=[listener]))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    await asyncio.to_thread(broker.pod, service, url)
    try:
        yield url
    finally:
        await asyncio.to_thread(broker.gone, service, url)
        for connection in list(server.server_state.connections):
            connection.transport.abort()  # as the end of a process does
        server.should_exit = True
        await task
        listener.close()
