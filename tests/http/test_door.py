"""The door under attack: raw bytes against a real server. What nobody authenticated for is bounded in size, number and
time, and those who behave are served all the while."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from overwinter.functions.http.limits import Limits
from overwinter.state.errors import InvalidInput

from .wire import HEALTH, TOKEN, Place, at_the_door, get, post

QUICK = Limits(connections=40, head_time="200ms", body_time="200ms", answer_time="300ms", idle_time="200ms")


# -- the head ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 100_000,
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1_000_000,
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X" * 100_000,
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X: 1\r\n" * 101,
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X: aaaa\r\n" * 100_000,
    ],
    ids=["target", "value", "name", "fields", "lines"],
)
@pytest.mark.parametrize("before", [b"", HEALTH, post("/", b"x")], ids=["first", "second", "behind a body"])
def test_a_head_is_refused_when_it_is_too_large(shop: Any, head: bytes, before: bytes) -> None:
    async def main(place: Place) -> None:
        wire = await place.connect()
        if before:
            await wire.asks(before)
        answer = await wire.asks(head)
        assert (answer.status, answer.headers["connection"]) == (431, "close")
        assert "send less" in answer.detail
        assert await wire.closed() == b""
        both = await place.connect()
        await both.send(before + head)
        assert (await both.closed()).count(b"HTTP/1.1 ") == 1  # an answer never takes the place of another
        assert (await place.asks(HEALTH)).status == 200

    at_the_door(shop, main)


def test_a_head_within_the_limits_is_taken_however_it_is_cut(shop: Any) -> None:
    async def main(place: Place) -> None:
        fields = [f"X-{n}: {'a' * 320}" for n in range(98)]
        request = get("/healthz", *fields)
        assert 30_000 < len(request) < 32 * 1024
        wire = await place.connect()
        for size in (len(request), 4096, 4095, 1000):
            pieces = [request[at : at + size] for at in range(0, len(request), size)]
            assert (await wire.asks(*pieces)).status == 200

    at_the_door(shop, main)


def test_half_a_head_is_waited_for_only_so_long(shop: Any) -> None:
    async def main(place: Place) -> None:
        half, silent, later = [await place.connect() for _ in range(3)]
        assert (await later.asks(HEALTH)).status == 200
        await half.send(b"GET /healthz HTTP/1.1\r\n")
        await later.send(b"GET /healthz HT")
        for wire in (half, later):
            assert (await wire.answer()).status == 408
            assert await wire.closed() == b""
        assert await silent.closed() == b""
        await place.until(lambda: place.door.numbers()["connections"] == 0)
        assert place.door.counts["late"] == 2

    at_the_door(shop, main, QUICK)


def test_bytes_that_trickle_in_win_no_time(shop: Any) -> None:
    async def main(place: Place) -> None:
        wire = await place.connect()

        async def trickle() -> None:
            await wire.send(b"GET /healthz HTTP/1.1\r\n")
            while not wire.writer.is_closing():
                await wire.send(b"X: 1\r\n")
                await asyncio.sleep(0.03)

        trickling = asyncio.create_task(trickle())
        assert (await wire.answer()).status in (408, 431)
        await wire.closed()
        trickling.cancel()
        idle = await place.connect()
        await idle.asks(HEALTH)
        for _ in range(1000):  # empty lines between requests are no beginning of one
            await idle.send(b"\r\n")
            if idle.reader.at_eof():
                break
            await asyncio.sleep(0.02)
        assert await idle.closed() == b""

    at_the_door(shop, main, QUICK)


# -- the body ------------------------------------------------------------------------------------------------


def test_half_a_body_is_waited_for_only_so_long(shop: Any) -> None:
    async def main(place: Place) -> None:
        half = await place.connect()
        answer = await half.asks(post("/tools/refund", b"{}")[:-1])
        assert answer.status == 408 and "body" in answer.detail
        assert await half.closed() == b""
        await place.until(lambda: not place.runtime.engine.active and place.door.numbers()["connections"] == 0)

    at_the_door(shop, main, QUICK)


def test_nobody_reads_the_body_of_a_stranger(shop: Any) -> None:
    async def main(place: Place) -> None:
        wire = await place.connect()
        head = post("/sessions/echo/c", b"")[:-4].replace(b"Content-Length: 0", b"Content-Length: 60000000")
        assert (await wire.asks(head + b"\r\n\r\n")).status == 401
        await wire.send(*[b"x" * 65536] * 900)  # more than it would take of anybody
        await wire.closed()
        polite = await place.connect()  # what it has begun within the limits it may end, and go on
        body = b"x" * 100_000
        request = post("/sessions/echo/c", body)
        assert (await polite.asks(request[:-90_000])).status == 401
        assert (await polite.asks(request[-90_000:], HEALTH)).status == 200
        slow = await place.connect()
        assert (await slow.asks(request[:-1])).status == 401
        await slow.closed()

    at_the_door(shop, main, QUICK, token=TOKEN)


def test_a_body_that_is_all_framing_is_refused(shop: Any) -> None:
    chunked = b"POST /tools/refund HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def main(place: Place) -> None:
        for endless in (b"1;" + b"x" * 1_000_000, b"2\r\n{}\r\n0\r\n" + b"X: 1\r\n" * 100_000):
            wire = await place.connect()
            answer = await wire.asks(chunked + endless)
            assert answer.status == 400 and "framing" in answer.detail
            await wire.closed()
        small = b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"content": "' + b"a" * 5000 + b'"}') + b"0\r\n\r\n"
        head = chunked.replace(b"/tools/refund", b"/sessions/echo/c").replace(
            b"\r\n\r\n", b"\r\nContent-Type: application/json\r\n\r\n"
        )
        assert (await place.asks(head + small)).status == 200

    at_the_door(shop, main)


def test_bodies_that_are_read_at_once_have_a_bound_together(shop: Any) -> None:
    limits = Limits(connections=40, body="100KB", held="250KB")

    async def main(place: Place) -> None:
        request = post("/sessions/echo/c", json.dumps({"content": "a" * 90_000}).encode())
        wires = [await place.connect() for _ in range(3)]
        for wire in wires[:2]:
            await wire.send(request[:-1])
        await place.until(lambda: place.door.numbers()["body"] == 2)
        third = b""
        for _ in range(100):
            third = (await wires[2].asks(request)).body
            if b"hold" in third:
                break
        assert b"hold 256000 bytes" in third
        for wire in wires[:2]:
            assert (await wire.asks(request[-1:])).status == 200
        assert (await wires[2].asks(request)).status == 200

    at_the_door(shop, main, limits)


def test_a_compressed_body_is_named(shop: Any) -> None:
    async def main(place: Place) -> None:
        answer = await place.asks(post("/sessions/echo/c", b"\x1f\x8b", "Content-Encoding: gzip"))
        assert (answer.status, answer.headers["accept-encoding"]) == (415, "identity")

    at_the_door(shop, main)


def test_a_client_that_asks_first_is_told(shop: Any) -> None:
    async def main(place: Place) -> None:
        asking = post(
            "/sessions/echo/c", b'{"content": "hi"}', "Expect: 100-continue", f"Authorization: Bearer {TOKEN}"
        )
        head, body = asking[:-17], asking[-17:]
        wire = await place.connect()
        assert (await wire.asks(head)).status == 100
        assert json.loads((await wire.asks(body)).body)["result"] == "hi"
        stranger = head.replace(TOKEN.encode(), b"wrong")
        assert (await place.asks(stranger)).status == 401

    at_the_door(shop, main, token=TOKEN)


# -- how many ------------------------------------------------------------------------------------------------


def test_who_behaves_gets_in_past_any_number_of_half_sent_heads(shop: Any) -> None:
    async def main(place: Place) -> None:
        wires = [await place.connect() for _ in range(150)]
        for number, wire in enumerate(wires):
            await wire.send(b"GET /healthz HTTP/1.1\r\n" if number % 2 else post("/tools/refund", b"{}")[:-1])
        for _ in range(5):
            assert (await place.asks(HEALTH)).status == 200
            assert (await place.asks(get("/counts"))).status == 200
        numbers = place.door.numbers()
        assert int(str(numbers["connections"])) >= 39 and place.door.counts["gave_way"] >= 100
        assert place.door.counts["turned_away"] == 0

    at_the_door(shop, main, Limits(connections=40))


def waiters(place: Place) -> int:
    return len(place.runtime.engine.waiters)


def test_probes_find_room_when_all_requests_wait(shop: Any) -> None:
    async def main(place: Place) -> None:
        await place.asks(post("/workflows/ticket?id=t", b'{"question": "wait"}'))
        waiting = [await place.connect() for _ in range(35)]
        for wire in waiting:
            await wire.send(get("/results/t", "Prefer: wait=60"))
        await place.until(lambda: place.door.numbers()["connections"] == 35 and waiters(place) >= 35)
        assert (await place.asks(HEALTH)).status == 200
        assert (await place.asks(get("/readyz"))).status == 200
        full = await place.asks(get("/counts"))
        assert (full.status, full.headers["retry-after"]) == (503, "1")
        for wire in waiting:
            wire.leave()
        await place.until(lambda: waiters(place) == 0)  # nobody waits for those who left
        assert (await place.asks(get("/counts"))).status == 200

    at_the_door(shop, main, Limits(connections=40))


def test_when_everybody_is_worked_for_the_next_is_turned_away(shop: Any) -> None:
    async def main(place: Place) -> None:
        await place.asks(post("/workflows/ticket?id=t", b'{"question": "wait"}'))
        for _ in range(12):
            await (await place.connect()).send(get("/results/t", "Prefer: wait=60"))
        await place.until(lambda: place.door.counts["turned_away"] > 0)
        assert place.door.numbers()["connections"] == 10

    at_the_door(shop, main, Limits(connections=10), max_requests=100)


def test_requests_in_a_pipeline_are_answered_in_order_and_few(shop: Any) -> None:
    async def main(place: Place) -> None:
        wire = await place.connect()
        await wire.send(*[get(f"/executions/{n}") for n in range(10)])
        assert [f"'{n}'" in (await wire.answer()).detail for n in range(10)] == [True] * 10
        await wire.send(b"".join(get(f"/executions/{n}") for n in range(5000)))
        answered = (await wire.closed()).count(b"HTTP/1.1 404 ")
        assert 0 < answered < 500
        bad = await place.connect()  # what was asked before is answered, the answer to nonsense does not take its place
        await bad.send(get("/executions/a") + get("/executions/b") + b"nonsense\r\n\r\n")
        said = await bad.closed()
        assert said.count(b"HTTP/1.1 404 ") == 2 and b"HTTP/1.1 400 " not in said

    at_the_door(shop, main)


# -- those who don't read ------------------------------------------------------------------------------------


async def unread(place: Place) -> None:
    """A client that asks for much and takes nothing of it."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, place.address)
    wire = await place.connect(sock=narrow)
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
    await wire.send(get("/results/t") * 6)


def test_answers_that_nobody_fetches_are_dropped(shop: Any) -> None:
    async def main(place: Place) -> None:
        await place.asks(post("/workflows/ticket?id=t", json.dumps({"question": "a" * 3_900_000}).encode()))
        assert len((await place.asks(get("/results/t", "Prefer: wait=20"))).body) > 3_900_000
        for _ in range(3):
            await unread(place)
        await place.until(lambda: place.door.counts["late"] >= 3)
        await place.until(lambda: place.door.numbers()["connections"] == 0)

    at_the_door(shop, main, Limits(answer_time="300ms"))


def test_answers_that_nobody_fetches_have_a_bound_together(shop: Any) -> None:
    async def main(place: Place) -> None:
        await place.asks(post("/workflows/ticket?id=t", json.dumps({"question": "a" * 3_900_000}).encode()))
        await place.asks(get("/results/t", "Prefer: wait=20"))
        for _ in range(8):
            await unread(place)
        await place.until(lambda: place.door.counts["gave_way"] > 0)
        assert int(str(place.door.numbers()["unread_bytes"])) <= 4 * 1024 * 1024

    at_the_door(shop, main, Limits(held="4MB"))


# -- when the server is told to stop -------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 10])
def test_who_had_connected_is_still_answered_and_then_let_go(shop: Any, before: int) -> None:
    async def main(place: Place) -> None:
        early, silent = await place.connect(), await place.connect()
        await early.send(HEALTH[:before])
        await place.until(lambda: place.door.numbers()["head"] == 2)
        for connection in list(place.server.server_state.connections):
            connection.shutdown()
        assert (await early.asks(HEALTH[before:])).status == 200
        assert await early.closed() == b""
        assert await silent.closed() == b""

    at_the_door(shop, main)


# -- what is said of it --------------------------------------------------------------------------------------


def test_the_numbers_of_the_door_are_in_stats(shop: Any) -> None:
    async def main(place: Place) -> None:
        half = await place.connect()
        await half.send(b"GET /")
        await place.until(lambda: place.door.numbers()["head"] == 1)
        told = json.loads((await place.asks(get("/stats"))).body)
        assert told["requests"] == {"open": 1, "max_open": 35, "held_bytes": 0, "max_held_bytes": 64 * 1024 * 1024}
        assert (told["door"]["connections"], told["door"]["max_connections"], told["door"]["head"]) == (2, 40, 1)

    at_the_door(shop, main, Limits(connections=40))


# -- the limits themselves -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limits",
    [
        Limits(connections=1),
        Limits(head=100),
        Limits(fields=1),
        Limits(head_time=0),
        Limits(body="8MB", held="4MB"),
    ],
)
def test_limits_that_serve_nobody_are_refused(limits: Limits) -> None:
    with pytest.raises(InvalidInput):
        limits.measured()
