"""Nobody who has connected is dropped when what answers on a port changes."""

from __future__ import annotations

import asyncio
import socket

from overwinter.cli.standin import stand_in

REQUEST = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
PATIENCE = 20.0


def test_whoever_connects_while_the_standing_in_ends_is_answered_by_it_or_by_the_next() -> None:
    async def ask(client: socket.socket) -> bytes:
        with client:
            return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 100), PATIENCE)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            clients: list[asyncio.Task[bytes]] = []
            for turns in range(40):
                async with stand_in(listening, "not now"):
                    client = socket.create_connection(listening.getsockname())
                    client.setblocking(False)
                    client.send(REQUEST)
                    clients.append(asyncio.create_task(ask(client)))
                    for _ in range(turns % 5):
                        await asyncio.sleep(0)
            async with stand_in(listening, "not now"):
                answers = await asyncio.gather(*clients)
            assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in answers), answers

    asyncio.run(main())
