"""A model that is a function of its own: asked once for each operation, its answers and errors as they are there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from overwinter import Agent, InvalidInput, Limits, Retry, Runtime, Scripted, Settings, image, tool
from overwinter.functions.http import model_calls
from overwinter.functions.model import ModelFunction, embed
from overwinter.functions.models.choosing import choose
from overwinter.functions.models.memo import DAY, PLACE, Memo
from overwinter.functions.models.port import Delta, Message, Request
from overwinter.functions.models.scripted import call
from overwinter.orchestrator.upkeep.auditing import audit
from overwinter.state import errors, open_store
from overwinter.state.errors import (
    ContextTooLong,
    KeyRefused,
    ModelUnavailable,
    QuotaUsedUp,
    RateLimited,
    RequestRefused,
    StepFailed,
    StoreUnavailable,
    TimedOut,
    UnknownModel,
    Unreadable,
)
from overwinter.tests.agent.provider import serving

from .place import Slow, served, until, way

ASKED = Request("function:fast", (Message("user", "hi"),))
ONE = {"messages": [{"role": "user", "content": "hi"}]}


@tool
async def look(order: str) -> str:
    """Look an order up."""
    return f"{order} is here"


def test_an_agent_asks_it_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted([call("look", order="7"), "It is here."])
    agent = Agent("desk", "function:fast", tools=[look], settings={"temperature": 0})

    async def main() -> None:
        async with served([ModelFunction("fast", script)]) as models, Runtime([agent], "memory://") as runtime:
            way(monkeypatch, models.url)
            handle = await runtime.start(agent, "Where is 7?", id="r")
            assert await handle.result("20s") == "It is here."
            names = [(e["name"], e["value"]["model"]) for e in await runtime.history("r") if e["type"] == "model"]
            assert names == [("function:fast", "scripted/script")] * 2

    asyncio.run(main())


def test_in_the_same_process_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERWINTER_ROUTES", raising=False)
    fast = ModelFunction("fast", "scripted:echo")

    async def main() -> None:
        async with Runtime([Agent("desk", "function:fast"), fast], "memory://") as runtime:
            assert await (await runtime.start("desk", "hello")).result("20s") == "hello"

    asyncio.run(main())


def test_nobody_says_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERWINTER_ROUTES", raising=False)
    model: Any = choose("function:nowhere")
    with pytest.raises(InvalidInput, match="OVERWINTER_ROUTES=nowhere="):
        asyncio.run(model.complete(ASKED))
    assert "nowhere" in model.absent()


# -- once ------------------------------------------------------------------------------------------------


def asks(url: str, operation: str = "", body: Any = ONE, **headers: str) -> Any:
    """One request to the function; its status and JSON."""

    async def sent() -> httpx.Response:
        more = {"overwinter-operation": f'"{operation}"'} if operation else {}
        async with httpx.AsyncClient(timeout=30) as client:
            return await client.post(f"{url}/models/fast", json=body, headers={**headers, **more})

    return asyncio.create_task(sent())


def test_a_call_that_is_repeated_gets_the_answer_that_there_is_on_every_store(dsn: str) -> None:
    async def main() -> None:
        slow = Slow()
        slow.go.set()
        async with served([ModelFunction("fast", slow)], dsn) as models:
            first = await asks(models.url, "e/1")
            again = await asks(models.url, "e/1")
            assert first.json()["text"] == again.json()["text"] == "1.0 1.1 1.2 "
            assert "idempotent-replay" not in first.headers and again.headers["idempotent-replay"] == "true"
        async with served([ModelFunction("fast", slow)], dsn) as models:
            assert (await asks(models.url, "e/1")).json() == first.json(), "in another process too"
            assert len(slow.asked) == 1
            other = {"messages": [{"role": "user", "content": "hi there"}]}
            assert (await asks(models.url, "e/1", other)).json()["text"].startswith("2.0"), "what asks else is another"
            assert (await asks(models.url, "e/2")).json()["text"].startswith("3.0")
            assert (await asks(models.url)).json()["text"].startswith("4.0"), "who names no operation repeats nothing"
            assert (await asks(models.url)).json()["text"].startswith("5.0")
            found = [one.findings async for one in audit(models.runtime.store) if one.findings]
            assert not found

    asyncio.run(main())


def test_calls_at_the_same_time_are_one_and_go_on_without_who_asked() -> None:
    async def main() -> None:
        slow = Slow()
        async with served([ModelFunction("fast", slow)]) as models:
            gone, first = asks(models.url, "e/1"), asks(models.url, "e/1")
            await until(lambda: slow.said == 1)
            gone.cancel()
            headers = {"overwinter-operation": '"e/1"', "accept": "text/event-stream"}
            place = f"{models.url}/models/fast"
            async with httpx.AsyncClient() as client, client.stream("POST", place, json=ONE, headers=headers) as second:
                lines = second.aiter_lines()
                said = [await anext(lines) for _ in range(2)]
                assert said == ["event: delta", 'data: {"text":"1.0 ","reasoning":"hm"}'], "what was said before, too"
                slow.go.set()
                events = [line async for line in lines]
            assert "event: delta" in events and events[-2].endswith('"cost":"0.01"}')
            assert (await first).json()["text"] == "1.0 1.1 1.2 "
            assert len(slow.asked) == 1
            lonely = asks(models.url, "e/2")
            slow.go.clear()
            await until(lambda: len(slow.asked) == 2)
            lonely.cancel()
            slow.go.set()
            await until(lambda: slow.said == 6)
            answer = await asks(models.url, "e/2")
            assert answer.json()["text"] == "2.0 2.1 2.2 " and len(slow.asked) == 2

    asyncio.run(main())


def test_no_request_is_held_longer_than_the_server_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        slow = Slow()
        async with served([ModelFunction("fast", slow)], longest_wait="50ms") as models:
            way(monkeypatch, models.url)
            early = await asks(models.url, "e/1")
            assert early.status_code == 202 and early.json() == {"status": "running", "operation": "e/1"}
            assert early.headers["retry-after"] == "0" and early.headers["overwinter-operation"] == '"e/1"'
            agent = Agent("desk", "function:fast")
            async with Runtime([agent], "memory://") as runtime:
                handle = await runtime.start(agent, "hi")
                await until(lambda: len(slow.asked) == 2)
                await asyncio.sleep(0.2)
                slow.go.set()
                assert await handle.result("20s") == "2.0 2.1 2.2 "
            assert len(slow.asked) == 2

    asyncio.run(main())


def test_who_names_no_operation_is_told_one_to_come_again_with() -> None:
    async def main() -> None:
        slow = Slow()
        async with served([ModelFunction("fast", slow)], longest_wait="20ms") as models:
            early = await asks(models.url)
            assert early.status_code == 202
            named = {"overwinter-operation": early.headers["overwinter-operation"]}
            slow.go.set()
            await until(lambda: slow.said == 3)
            assert (await asks(models.url, **named)).json()["text"] == "1.0 1.1 1.2 "
            assert len(slow.asked) == 1

    asyncio.run(main())


def test_a_call_outside_of_any_execution_is_made_once_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        slow = Slow()
        async with served([ModelFunction("fast", slow)], longest_wait="20ms") as models:
            way(monkeypatch, models.url)
            model: Any = choose("function:fast")
            calling = asyncio.create_task(model.complete(ASKED))
            await asyncio.sleep(0.6)
            slow.go.set()
            assert (await calling).text == "1.0 1.1 1.2 " and len(slow.asked) == 1
            assert (await model.complete(ASKED)).text.startswith("2.0"), "and another call is another"

    asyncio.run(main())


def test_an_error_that_falls_between_two_questions_is_told() -> None:
    async def main() -> None:
        slow = Slow()
        slow.fails = [KeyRefused("no key", model="m", status=401)]
        async with served([ModelFunction("fast", slow)], longest_wait=0) as models:
            assert (await asks(models.url, "e/1")).status_code == 202
            numbers: Any = models.runtime.engine.health.numbers
            await until(lambda: len(slow.asked) == 1 and numbers()["model_calls"]["open"] == 0)
            told = await asks(models.url, "e/1")
            assert told.status_code == 422 and told.headers["overwinter-error"] == "outcome" and len(slow.asked) == 1
            assert (await asks(models.url, "e/1")).status_code == 202, "it was told; the next one is a call of its own"
            await until(lambda: len(slow.asked) == 2)

    asyncio.run(main())


def test_an_error_that_was_told_is_forgotten_without_the_call_that_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        loop, forgetting = asyncio.get_running_loop(), list[Callable[[], object]]()
        later: Callable[..., Any] = loop.call_later

        def noted(delay: float, callback: Callable[..., object], *args: Any, **more: Any) -> Any:
            if delay == model_calls.RECALLED:
                forgetting.append(lambda: callback(*args))
            return later(delay, callback, *args, **more)

        monkeypatch.setattr(loop, "call_later", noted)
        slow = Slow()
        slow.fails = [KeyRefused("no key", model="m", status=401)]
        async with served([ModelFunction("fast", slow)], longest_wait=0) as models:
            numbers: Any = models.runtime.engine.health.numbers
            assert (await asks(models.url, "e/1")).status_code == 202
            await until(lambda: len(slow.asked) == 1 and numbers()["model_calls"]["open"] == 0)
            assert (await asks(models.url, "e/1")).status_code == 422
            assert (await asks(models.url, "e/1")).status_code == 202
            await until(lambda: len(slow.asked) == 2)
            assert len(forgetting) == 1
            forgetting[0]()  # its time comes while the next call has the key
            assert (await asks(models.url, "e/1")).status_code == 202
            slow.go.set()
            await until(lambda: numbers()["model_calls"]["open"] == 0)
            assert (await asks(models.url, "e/1")).json()["text"].startswith("2.0") and len(slow.asked) == 2

    asyncio.run(main())


def test_who_looked_for_the_answer_just_before_it_came_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        slow = Slow()
        async with served([ModelFunction("fast", slow)]) as models:
            first = asks(models.url, "e/1")
            await until(lambda: slow.said == 1)
            looked, go_on = asyncio.Event(), asyncio.Event()

            async def late(*_: Any) -> None:
                looked.set()
                await go_on.wait()

            monkeypatch.setattr(models.runtime.store, "get", late)
            second = asks(models.url, "e/1")
            await looked.wait()
            slow.go.set()
            await first
            go_on.set()
            assert (await second).json()["text"].startswith("1.0") and len(slow.asked) == 1

    asyncio.run(main())


def test_calls_that_nobody_waits_for_have_a_bound() -> None:
    async def main() -> None:
        slow = Slow()
        functions = [ModelFunction("fast", slow)]
        async with served(functions, longest_wait=0, settings=Settings(max_active=3)) as models:
            statuses = [(await asks(models.url, f"e/{number}")).status_code for number in range(5)]
            assert statuses == [202, 202, 202, 503, 503]
            assert (await asks(models.url, "e/1")).status_code == 202, "who comes again takes no more room"
            async with httpx.AsyncClient() as client:
                stats = (await client.get(f"{models.url}/stats")).json()
            assert stats["model_calls"]["open"] == stats["model_calls"]["max_open"] == 3
            slow.go.set()
            await until(lambda: slow.said == 9)
            assert (await asks(models.url, "e/4")).status_code in (200, 202), "there is room again"
        big = {"messages": [{"role": "user", "content": "x" * 600_000}]}
        slow.go.clear()
        async with served(functions, longest_wait=0, max_body="1MB", max_held="1MB") as models:
            assert [(await asks(models.url, f"b/{n}", big)).status_code for n in range(3)] == [202, 503, 503]

    asyncio.run(main())


def test_another_life_under_the_same_id_asks_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        slow = Slow()
        slow.go.set()
        agent = Agent("desk", "function:fast")
        async with served([ModelFunction("fast", slow)]) as models:
            way(monkeypatch, models.url)
            for number in (1, 2):  # a store of its own each
                async with Runtime([agent], "memory://") as runtime:
                    handle = await runtime.start(agent, "hi", id="r")
                    assert (await handle.result("20s")).startswith(f"{2 * number - 1}.0")
                    sent = await runtime.send(agent, "s", "hi", id="m")
                    await sent.reply("20s")
            assert len(slow.asked) == 4

    asyncio.run(main())


def test_a_failed_call_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        slow = Slow()
        slow.go.set()
        slow.fails = [ModelUnavailable("busy", retry_after=0.01)]
        agent = Agent("desk", "function:fast", retry=Retry(first="10ms", attempts=3))
        async with served([ModelFunction("fast", slow)]) as models, Runtime([agent], "memory://") as runtime:
            way(monkeypatch, models.url)
            assert await (await runtime.start(agent, "hi")).result("20s") == "2.0 2.1 2.2 "

    asyncio.run(main())


def test_a_store_that_is_away_keeps_nobody_from_an_answer() -> None:
    async def main() -> None:
        slow = Slow()
        slow.go.set()
        async with served([ModelFunction("fast", slow)]) as models:

            async def away(*_: Any, **__: Any) -> Any:
                raise StoreUnavailable("it is away")

            models.runtime.store.get = models.runtime.store.put = away  # type: ignore[method-assign]
            assert (await asks(models.url, "e/1")).json()["text"] == "1.0 1.1 1.2 "

    asyncio.run(main())


def test_of_two_answers_the_first_counts_and_old_ones_are_dropped() -> None:
    async def main() -> None:
        now = 10 * DAY
        store = open_store("memory://")
        await store.open()
        one, other = Memo(store, lambda: now), Memo(store, lambda: now)
        assert await one.keep("k", "first") == "first"
        assert await other.keep("k", "second") == "first"
        assert await one.find("k") == "first" and await one.find("x") is None
        for days, there in ((1, "first"), (2, "first"), (3, None)):
            now = (10 + days) * DAY
            assert await one.find("k") == there
            await one.keep(f"d{days}", "x")
        scopes = await store.scopes(PLACE, 10)
        assert len(scopes) == 3 and await store.get(f"{PLACE}00000010", "k") is None
        await store.close()

    asyncio.run(main())


# -- pieces ----------------------------------------------------------------------------------------------


def test_its_pieces_come_while_it_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        slow = Slow()
        agent = Agent("desk", "function:fast")
        async with served([ModelFunction("fast", slow)]) as models, Runtime([agent], "memory://") as runtime:
            way(monkeypatch, models.url)
            heard: list[str] = []
            async for event in runtime.stream(agent, "s", "hi"):
                if event.type == "text":
                    heard.append(event.data["text"])
                    slow.go.set()
            assert "".join(heard) == "1.0 1.1 1.2 " and heard[0] == "1.0 "
            assert len(slow.asked) == 1

    asyncio.run(main())


@pytest.mark.parametrize("after", range(6))
def test_half_a_stream_is_an_outage(after: int) -> None:
    """Cut after every event, in order and in the middle."""
    events = ['event: delta\ndata: {"text":"a"}\n\n', ": still here\n\n", 'event: delta\ndata: {"text":"b"}\n\n']
    whole = "".join(events) + 'event: answer\ndata: {"text":"ab","model":"m"}\n\n'
    body = whole[: after * len(whole) // 6]
    with serving() as provider, pytest.MonkeyPatch.context() as patch:
        provider.answer = (200, {"content-type": "text/event-stream"}, body)
        way(patch, provider.url.removesuffix("/v1"))
        model: Any = choose("function:fast")
        heard: list[Delta] = []
        with pytest.raises(ModelUnavailable, match="in the middle"):
            asyncio.run(model.stream(ASKED, heard.append))
        provider.answer = (200, {"content-type": "text/event-stream"}, whole)
        assert asyncio.run(model.stream(ASKED, heard.append)).text == "ab"


# -- errors ----------------------------------------------------------------------------------------------

RAISED = [
    RateLimited("slower", model="m", status=429, retry_after=7.5),
    ModelUnavailable("busy", model="m", status=503),
    Unreadable("noise", model="m", status=200),
    ContextTooLong("too long", model="m", status=400),
    KeyRefused("no key", model="m", status=401),
    QuotaUsedUp("nothing left", model="m", status=429),
    UnknownModel("no such", model="m", status=404),
    RequestRefused("no", model="m", status=400),
    errors.ContentRefused("no", model="m", status=400),
    TimedOut("too long"),
    InvalidInput("not so"),
]


@pytest.mark.parametrize("raised", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("streams", [False, True])
def test_errors_come_back_as_they_are(monkeypatch: pytest.MonkeyPatch, raised: Exception, *, streams: bool) -> None:
    billed = {"usage": {"input": 7, "output": 0}, "cost": "0.02"}
    if isinstance(raised, errors.ModelError):
        raised.billed = billed

    async def main() -> None:
        slow = Slow()
        slow.fails = [raised]
        async with served([ModelFunction("fast", slow)]) as models:
            way(monkeypatch, models.url)
            model: Any = choose("function:fast")
            with pytest.raises(type(raised)) as caught:
                await (model.stream(ASKED, lambda _: None) if streams else model.complete(ASKED))
        error: Any = caught.value
        assert type(error) is type(raised) and str(error) == str(raised)
        for name in ("model", "status", "retry_after", "billed"):
            assert getattr(error, name, None) == getattr(raised, name, None), name

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((503, {"retry-after": "3"}, "busy"), ModelUnavailable),
        ((502, {}, "<html>"), ModelUnavailable),
        ((500, {"overwinter-error": "outcome"}, {"failure": {"kind": "os.system", "message": "x"}}), StepFailed),
        ((500, {"overwinter-error": "outcome"}, {"failure": "x"}), ModelUnavailable),
        ((429, {"retry-after": "3"}, ""), RateLimited),
        ((401, {}, {"detail": "no token"}), KeyRefused),
        ((404, {}, {"detail": "no model 'fast'"}), UnknownModel),
        ((413, {}, {"detail": "too large"}), RequestRefused),
        ((422, {}, {"detail": "no"}), RequestRefused),
        ((200, {}, "hello"), Unreadable),
        ((200, {}, {"text": 7}), Unreadable),
    ],
)
def test_a_server_that_says_something_else(monkeypatch: pytest.MonkeyPatch, answer: Any, kind: type[Exception]) -> None:
    with serving() as provider:
        provider.answer = answer
        way(monkeypatch, provider.url.removesuffix("/v1"))
        model: Any = choose("function:fast")
        for streams in (False, True):
            with pytest.raises(kind) as caught:
                asyncio.run(model.stream(ASKED, lambda _: None) if streams else model.complete(ASKED))
            assert type(caught.value) is kind
            if "retry-after" in answer[1]:
                assert getattr(caught.value, "retry_after", None) == 3


def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    way(monkeypatch, "http://127.0.0.1:1")
    model: Any = choose("function:fast")
    with pytest.raises(ModelUnavailable):
        asyncio.run(model.complete(ASKED))


# -- whom it trusts --------------------------------------------------------------------------------------


WHERE = ["api_base", "api_key", "base_url", "extra_headers", "model", "fallbacks", "stream"]


@pytest.mark.parametrize("setting", WHERE)
def test_callers_say_how_and_never_where_or_as_whom(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    async def main() -> None:
        slow = Slow()
        slow.go.set()
        function = ModelFunction("fast", slow, settings={"api_key": "s3cret", "temperature": 0}, allow=["seed2"])
        async with served([function]) as models:
            answer = await asks(models.url, body={**ONE, "settings": {setting: "x"}})
            assert answer.status_code == 422 and repr(setting) in answer.json()["detail"]
            assert not slow.asked
            sent = {"temperature": 1, "top_p": 0.5, "seed2": 3}
            assert (await asks(models.url, body={**ONE, "settings": sent})).status_code == 200
            assert slow.asked[0].settings == {"temperature": 0, "top_p": 0.5, "seed2": 3, "api_key": "s3cret"}
            async with httpx.AsyncClient() as client:
                listed = await client.get(f"{models.url}/functions")
            assert "s3cret" not in listed.text and '"kind":"model"' in listed.text

    asyncio.run(main())


def test_a_token_is_wanted_and_given(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with served([ModelFunction("fast", "scripted:echo")], token="a-token-of-some-length") as models:
            model: Any = choose("function:fast")
            way(monkeypatch, models.url)
            with pytest.raises(KeyRefused):
                await model.complete(ASKED)
            monkeypatch.setenv("MODELS_TOKEN", "a-token-of-some-length")
            way(monkeypatch, models.url, "env:MODELS_TOKEN")
            assert (await model.complete(ASKED)).text == "hi"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"messages": "x"}, {}, 422),
        (None, {}, 422),
        (ONE, {"overwinter-operation": "no json"}, 422),
        (ONE, {"overwinter-operation": '""'}, 422),
        (ONE, {"overwinter-operation": "[1]"}, 422),
    ],
)
def test_what_is_no_call_is_refused(body: Any, headers: dict[str, str], status: int) -> None:
    async def main() -> None:
        slow = Slow()
        async with served([ModelFunction("fast", slow), look]) as models, httpx.AsyncClient() as client:
            answer = await client.post(f"{models.url}/models/fast", json=body, headers=headers)
            assert answer.status_code == status, answer.text
            assert (await client.post(f"{models.url}/models/look", json=ONE)).status_code == 404
            assert not slow.asked

    asyncio.run(main())


def test_it_embeds_where_its_model_does(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        own = await embed("scripted:echo", ["a", "b"], dimensions=4)
        async with served([ModelFunction("fast", "scripted:echo")]) as models:
            assert await embed("function:fast", ["a", "b"], dimensions=4) == own, "in this process"
            way(monkeypatch, models.url)
            found = await embed("function:fast", ["a", "b"], dimensions=4)
            assert found == own
            async with httpx.AsyncClient() as client:
                wrong: list[dict[str, Any]] = [{"texts": []}, {"texts": [" "]}, {"texts": ["a"], "dimensions": 0}]
                for body in [*wrong, {"texts": ["a"], "x": 1}]:
                    assert (await client.post(f"{models.url}/models/fast/embeddings", json=body)).status_code == 422
        async with served([ModelFunction("fast", Slow())]) as models:
            way(monkeypatch, models.url)
            with pytest.raises(InvalidInput, match="does not embed"):
                await embed("function:fast", ["a"])

    asyncio.run(main())


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "file:///etc/passwd", "https://other.example/a.png"])
def test_callers_name_images_at_hosts_that_the_function_names(url: str) -> None:
    async def main() -> None:
        slow = Slow()
        slow.go.set()
        async with served([ModelFunction("fast", slow, media_hosts="shop.example")]) as models:
            body = {"messages": [{"role": "user", "parts": [{"kind": "image", "url": url}]}]}
            assert (await asks(models.url, body=body)).status_code == 422 and not slow.asked
            body["messages"][0]["parts"] = [{"kind": "image", "url": "https://shop.example/a.png"}]
            assert (await asks(models.url, body=body)).status_code == 200

    asyncio.run(main())


def nested(depth: int) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": "builtins.ValueError", "message": "x"}
    for _ in range(depth):
        told = {"kind": "builtins.ExceptionGroup", "message": "g", "args": ["g"], "members": [told]}
    return told


@pytest.mark.parametrize(
    ("headers", "body", "kind"),
    [
        ({"overwinter-error": "outcome"}, {"failure": nested(40)}, Exception),
        ({"overwinter-error": "outcome"}, {"failure": {"kind": "x", "message": "y" * 300_000}}, ModelUnavailable),
        ({"content-encoding": "gzip"}, "x", Unreadable),
        ({"content-encoding": "gzip, gzip"}, "x", Unreadable),
    ],
)
def test_a_server_that_means_harm_does_none(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], body: Any, kind: type[Exception]
) -> None:
    with serving() as provider:
        provider.answer = (500, headers, body)
        way(monkeypatch, provider.url.removesuffix("/v1"))
        model: Any = choose("function:fast")
        with pytest.raises(kind):
            asyncio.run(model.complete(ASKED))


def test_nobody_else_says_where_conversations_go(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as provider, serving() as other:
        other.answer = (200, {}, {"text": "stolen"})
        provider.answer = (307, {"location": f"{other.url}/models/fast"}, "")
        way(monkeypatch, provider.url.removesuffix("/v1"))
        model: Any = choose("function:fast")
        with pytest.raises(RequestRefused, match="307"):
            asyncio.run(model.complete(ASKED))
        assert not other.asked


def test_images_go_through(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        slow = Slow()
        slow.go.set()
        agent = Agent("desk", "function:fast", limits=Limits(iterations=2))
        async with served([ModelFunction("fast", slow)]) as models, Runtime([agent], "memory://") as runtime:
            way(monkeypatch, models.url)
            await (await runtime.start(agent, ["see", image(b"\x89PNG\r\n\x1a\n!")])).result("20s")
            (message,) = slow.asked[0].messages
            assert [part.data for part in message.parts] == [b"", b"\x89PNG\r\n\x1a\n!"]

    asyncio.run(main())
