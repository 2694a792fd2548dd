"""The HTTP API, route by route: what it does, and how it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

Run = Callable[..., None]


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert set(found) >= {"type", "title", "status", "detail"}
    assert found["status"] == status
    return found


def test_a_message_waits_for_its_reply(run: Run) -> None:
    async def main(shop: Any) -> None:
        answer = await shop.client.post("/sessions/echo/c-42", json={"content": "hi"})
        assert answer.status_code == 200
        assert answer.json() | {"message": ""} == {
            "id": "echo/c-42",
            "message": "",
            "status": "completed",
            "result": "hi",
        }
        text = await shop.client.post("/sessions/echo/a/b c", content="plain", headers={"content-type": "text/plain"})
        assert (text.json()["id"], text.json()["result"]) == ("echo/a/b c", "plain")

    run(main)


def test_a_slow_reply_is_fetched_from_its_location(run: Run) -> None:
    async def main(shop: Any) -> None:
        headers = {"prefer": "respond-async"}
        sent = await shop.client.post("/sessions/slow/c 1/x", json={"content": "hi"}, headers=headers)
        assert sent.status_code == 202
        assert sent.json()["status"] == "running"
        pending = await shop.client.get(sent.headers["location"])
        assert pending.status_code == 202
        assert pending.headers["location"] == sent.headers["location"]
        done = await shop.client.get(sent.headers["location"], headers={"prefer": "wait=5"})
        assert (done.status_code, done.json()["result"]) == (200, "late")

    run(main)


def test_a_message_with_an_id_arrives_once(run: Run) -> None:
    async def main(shop: Any) -> None:
        for _ in range(2):
            answer = await shop.client.post("/sessions/echo/c", json={"content": "hi", "id": "m-1"})
            assert (answer.json()["message"], answer.json()["result"]) == ("m-1", "hi")
        keyed = httpx.Response(500)
        for _ in range(2):
            keyed = await shop.client.post("/sessions/echo/c", json={"content": "ho"}, headers={"idempotency-key": "k"})
        entries = (await shop.client.get("/history/echo/c")).json()["entries"]
        assert [e["content"] for e in entries if e["type"] == "message"] == ["hi", "ho"]
        assert keyed.json()["result"] == "ho"

    run(main)


def test_a_workflow_starts_and_is_waited_for(run: Run) -> None:
    async def main(shop: Any) -> None:
        started = await shop.client.post("/workflows/ticket?id=t/1", json={"question": "why"})
        assert started.status_code == 202
        assert started.headers["location"] == "/results/t/1"
        done = await shop.client.get("/results/t/1", headers={"prefer": "wait=5"})
        assert done.json() == {"id": "t/1", "status": "completed", "result": {"answer": "WHY"}}
        waited = await shop.client.post("/workflows/ticket", json={"question": "who"}, headers={"prefer": "wait=5"})
        assert waited.json()["result"] == {"answer": "WHO"}
        failed = await shop.client.post("/workflows/ticket", json={"question": "fail"}, headers={"prefer": "wait=5"})
        assert (failed.status_code, failed.json()["status"]) == (200, "failed")
        assert failed.json()["error"] == {"kind": "builtins.ValueError", "message": "no answer"}

    run(main)


def test_a_start_is_idempotent_by_id_and_by_key(run: Run) -> None:
    async def main(shop: Any) -> None:
        first = await shop.client.post("/workflows/ticket?id=t1", json={"question": "a"})
        again = await shop.client.post("/workflows/ticket?id=t1", json={"question": "a"})
        assert "idempotent-replay" not in first.headers
        assert again.headers["idempotent-replay"] == "true"
        other = await shop.client.post("/workflows/ticket?id=t1", json={"question": "b"})
        assert problem_of(other, 409)["type"] == "urn:overwinter:problem:already-exists"
        key = {"idempotency-key": "k/1"}
        ids = [
            (await shop.client.post("/workflows/ticket", json={"question": "k"}, headers=key)).json()["id"]
            for _ in range(2)
        ]
        assert ids[0] == ids[1]
        problem_of(await shop.client.post("/workflows/ticket?id=x", json={"question": "k"}, headers=key), 422)

    run(main)


def test_an_agent_runs_once_without_a_session(run: Run) -> None:
    async def main(shop: Any) -> None:
        answer = await shop.client.post("/agents/echo", json="hey", headers={"prefer": "wait=5"})
        assert answer.json()["result"] == "hey"

    run(main)


def test_a_tool_is_invoked(run: Run) -> None:
    async def main(shop: Any) -> None:
        client = shop.client
        answer = await client.post("/tools/lookup_order", json={"order_id": "o-1"})
        assert (answer.status_code, answer.json()) == (200, {"id": "o-1", "state": "shipped"})
        assert "order_id" in problem_of(await client.post("/tools/lookup_order", json={}), 422)["detail"]
        problem_of(await client.post("/tools/lookup_order", json=["o-1"]), 422)
        problem_of(await client.post("/tools/lookup_order", json={"order_id": "never"}), 422)
        crashed = problem_of(await client.post("/tools/lookup_order", json={"order_id": "crash"}), 500)
        assert "the shop is down" in crashed["detail"]

    run(main)


def test_a_tool_that_raises_anything_is_answered(run: Run) -> None:
    async def main(shop: Any) -> None:
        for order, said in (("none", "StopIteration"), ("exit", "SystemExit"), ("panic", "an extension in Rust")):
            answer = await shop.client.post("/tools/lookup_order", json={"order_id": order})
            assert said in problem_of(answer, 500)["detail"]
        closed = await shop.client.post("/tools/lookup_order", json={"order_id": "long"})
        problem_of(closed, 503)
        assert closed.headers["retry-after"].isdecimal()

    run(main)


def test_a_tool_that_needs_an_approval_is_not_called_directly(run: Run) -> None:
    async def main(shop: Any) -> None:
        refused = problem_of(await shop.client.post("/tools/refund", json={"order_id": "o"}), 403)
        assert "refund-desk" in refused["detail"]

    run(main)


def test_a_signal_reaches_a_waiting_workflow(run: Run) -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/workflows/ticket?id=t1", json={"question": "wait"})
        sent = await shop.client.post("/signal/t1", json={"name": "customer.reply", "data": [1, 2]})
        assert sent.status_code == 202
        done = await shop.client.get("/results/t1", headers={"prefer": "wait=5"})
        assert done.json()["status"] == "completed"

    run(main)


def test_executions_are_listed_filtered_and_paged(run: Run) -> None:
    async def main(shop: Any) -> None:
        for n in range(5):
            await shop.client.post(f"/sessions/echo/c-{n}", json={"content": "hi"})
        first = (await shop.client.get("/executions?limit=3")).json()
        rest = (await shop.client.get("/executions", params={"cursor": first["cursor"], "limit": 3})).json()
        assert rest["cursor"] is None
        assert [e["id"] for e in first["executions"] + rest["executions"]] == [f"echo/c-{n}" for n in (4, 3, 2, 1, 0)]
        one = (await shop.client.get("/executions?prefix=echo/c-3&status=idle&function=echo")).json()
        assert [e["id"] for e in one["executions"]] == ["echo/c-3"]
        assert (await shop.client.get("/executions/echo/c-3")).json()["status"] == "idle"
        assert (await shop.client.get("/counts")).json()["idle"] == 5
        page = (await shop.client.get("/history/echo/c-3?limit=2")).json()
        assert (len(page["entries"]), page["next"]) == (2, 2)
        assert (await shop.client.get("/history/echo/c-3?after=2")).json()["next"] is None

    run(main)


@pytest.mark.parametrize(
    "query", ["cursor=nonsense", "limit=-1", "limit=x", "limit=9999", "statsu=idle", "status=odd", "limit=1&limit=2"]
)
def test_a_bad_query_is_refused(run: Run, query: str) -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/sessions/echo/c", json={"content": "hi"})
        problem_of(await shop.client.get(f"/executions?{query}"), 400)

    run(main)


def test_verbs_steer_one_execution_and_many(run: Run) -> None:
    async def main(shop: Any) -> None:
        client = shop.client
        for n in range(3):
            await client.post(f"/workflows/ticket?id=t/{n}", json={"question": "wait"})
        assert (await client.post("/pause/t/0", json={"by": "me"})).status_code == 202
        assert (await client.post("/resume/t/0")).status_code == 202
        cancelled = await client.post("/cancel/t/0", json={"reason": "enough"})
        assert cancelled.headers["location"] == "/results/t/0"
        done = await client.get("/results/t/0", headers={"prefer": "wait=5"})
        assert done.json()["status"] == "cancelled"
        problem_of(await client.post("/cancel/t/0"), 409)
        problem_of(await client.post("/retry/t/1"), 409)
        problem_of(await client.post("/decide/t/1", json={"approved": True}), 409)
        problem_of(await client.post("/complete/nonsense", json=1), 404)
        problem_of(await client.post("/bulk/terminate", json={}), 422)
        problem_of(await client.post("/bulk/explode", json={"all": True}), 404)
        problem_of(await client.post("/bulk/signal", json={"name": "ping"}), 422)
        problem_of(await client.post("/bulk/signal", json={"where": {"prefix": "t/"}}), 422)
        told = await client.post("/bulk/signal", json={"where": {"prefix": "t/"}, "name": "ping", "data": [1]})
        assert told.json() == {"count": 2}
        counted = await client.post("/bulk/terminate", json={"where": {"prefix": "t/"}})
        assert counted.json() == {"count": 2}

    run(main)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/executions/no/such"),
        ("GET", "/history/no"),
        ("GET", "/results/no"),
        ("GET", "/messages/no?id=m"),
        ("GET", "/approvals/no"),
        ("POST", "/cancel/no"),
        ("POST", "/workflows/nope"),
        ("POST", "/workflows/echo"),
        ("POST", "/agents/ticket"),
        ("POST", "/tools/ticket"),
        ("POST", "/sessions/ticket/x"),
        ("GET", "/nowhere"),
        ("GET", "/executions/"),
        ("POST", "/events/nope"),
    ],
)
def test_what_is_unknown_is_404(run: Run, method: str, path: str) -> None:
    headers = {"ce-id": "1", "ce-type": "t", "ce-source": "/s", "ce-specversion": "1.0"}

    async def main(shop: Any) -> None:
        problem_of(await shop.client.request(method, path, headers=headers if "events" in path else {}), 404)

    run(main)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"content": NaN}', "application/json", 400),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"{}", "", 415),
        (b"\xff", "text/plain", 400),
        (b"", "text/plain", 422),
        (b"{}", "application/json", 422),
        (b'{"content": 5}', "application/json", 422),
        (b'{"content": "x", "more": 1}', "application/json", 422),
        (b"x" * 2000, "text/plain", 413),
    ],
)
def test_a_bad_body_is_refused(run: Run, content: bytes, kind: str, status: int) -> None:
    async def main(shop: Any) -> None:
        headers = {"content-type": kind} if kind else {}
        limit = await shop.client.post("/sessions/echo/c", content=content, headers=headers)
        problem_of(limit, status)

    run(main, max_body=200_000 if content.startswith(b"[") else 1000)


def test_the_size_is_counted_and_not_believed(run: Run) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b"x" * 100

    async def main(shop: Any) -> None:
        streamed = await shop.client.post("/sessions/echo/c", content=chunks(), headers={"content-type": "text/plain"})
        problem_of(streamed, 413)

    run(main, max_body=1000)


def test_a_wrong_method_names_the_right_ones(run: Run) -> None:
    async def main(shop: Any) -> None:
        refused = await shop.client.delete("/executions")
        problem_of(refused, 405)
        assert "GET" in refused.headers["allow"]
        assert "POST" in (await shop.client.get("/")).headers["allow"]

    run(main)


def test_probes_tell_life_from_readiness(run: Run) -> None:
    async def main(shop: Any) -> None:
        assert (await shop.client.get("/healthz")).json() == {"status": "ok"}
        assert (await shop.client.get("/readyz")).json() == {"status": "ready"}
        shop.runtime.ready = False
        waiting = await shop.client.get("/readyz")
        problem_of(waiting, 503)
        assert waiting.headers["retry-after"] == "1"
        assert (await shop.client.get("/healthz")).status_code == 200

    run(main)


def test_a_store_that_fails_is_503_with_a_time_to_wait(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from overwinter.state.errors import StoreFull, StoreUnavailable

    async def main(shop: Any) -> None:
        for error, seconds in ((StoreUnavailable("locked"), "1"), (StoreFull("disk full"), "30")):

            async def broken(*_: Any, error: Exception = error, **__: Any) -> Any:
                raise error

            monkeypatch.setattr(shop.runtime.store, "next_wake", broken)
            monkeypatch.setattr(shop.runtime.store, "head", broken)
            for path in ("/readyz", "/executions/x"):
                problem_of(await shop.client.get(path), 503)
            assert (await shop.client.get("/executions/x")).headers["retry-after"] == seconds
        monkeypatch.undo()

    run(main)


def test_many_messages_at_once_are_all_answered(run: Run) -> None:
    async def main(shop: Any) -> None:
        answers = await asyncio.gather(
            *(shop.client.post(f"/sessions/echo/{n}", json={"content": str(n)}) for n in range(50))
        )
        assert [a.json()["result"] for a in answers] == [str(n) for n in range(50)]

    run(main)


@pytest.mark.parametrize("raw", ["%ff", "%fe", "c%c3", "%ed%a0%80", "%c0%af"])
def test_a_path_that_is_not_utf8_names_nobody(run: Run, raw: str) -> None:
    """Read with a replacement for what can't be read, different paths would be one session."""

    async def main(shop: Any) -> None:
        places = [("POST", f"/sessions/echo/{raw}"), ("POST", f"/signal/{raw}"), ("POST", f"/cancel/{raw}")]
        places += [("GET", f"/results/{raw}"), ("GET", f"/executions/{raw}"), ("POST", f"/workflows/{raw}")]
        for method, path in places:
            body = {"content": "hi"} if method == "POST" else None
            answer = await shop.client.request(method, path, json=body)
            assert "UTF-8" in problem_of(answer, 400)["detail"], path
        assert (await shop.runtime.store.executions()).heads == []

    run(main)


@pytest.mark.parametrize("raw", ["%EF%BF%BD", "a%0Ab", "%20a", "a%20", "%E2%80%AEa", "%00", "x" * 201])
def test_a_session_key_that_can_not_be_one_is_refused(run: Run, raw: str) -> None:
    async def main(shop: Any) -> None:
        answer = await shop.client.post(f"/sessions/echo/{raw}", json={"content": "hi"})
        if raw == "a%0Ab":
            problem_of(answer, 404)  # no route takes a line end
        else:
            assert "can't be the key of a session" in problem_of(answer, 422)["detail"]
        started = await shop.client.post(f"/workflows/ticket?id={raw}", json={"question": "hi"})
        assert "can't be an id" in problem_of(started, 422)["detail"]
        problem_of(await shop.client.get(f"/executions/{raw}"), 404)
        assert (await shop.runtime.store.executions()).heads == []

    run(main)


def test_an_empty_id_is_not_the_same_as_none(run: Run) -> None:
    async def main(shop: Any) -> None:
        problem_of(await shop.client.post("/workflows/ticket?id=", json={"question": "hi"}), 422)
        problem_of(await shop.client.post("/sessions/echo/c", json={"content": "hi", "id": ""}), 422)

    run(main)


def test_an_empty_filter_does_not_mean_everybody(run: Run) -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/workflows/ticket?id=t", json={"question": "wait"})
        for name in ("parent", "function", "prefix", "awaits"):
            problem_of(await shop.client.get(f"/executions?{name}="), 400)
            where = {name: "", "status": ["waiting", "running", "pending"]}
            problem_of(await shop.client.post("/bulk/terminate", json={"where": where}), 422)
        found = await shop.client.get("/executions?parent=nobody")
        assert found.json()["executions"] == []
        assert (await shop.runtime.store.head("t")).status != "terminated"

    run(main)
