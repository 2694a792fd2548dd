"""Images and files in conversations: they are in the store before the message is acknowledged, every process brings
them to the model again, and one that can't be shown fails nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from overwinter import Agent, Context, InvalidInput, Limits, Retry, Runtime, Scripted, file, image, tool, workflow
from overwinter.functions.agents import bringing
from overwinter.functions.models.port import Answer, Message, Request
from overwinter.functions.models.scripted import call
from overwinter.orchestrator.agent.conversation import UNSEEN
from overwinter.orchestrator.engine.shelf import Shelf
from overwinter.orchestrator.upkeep.auditing import audit
from overwinter.state import open_store
from overwinter.state.errors import (
    AlreadyExists,
    ModelError,
    ModelUnavailable,
    OperationError,
    PayloadTooLarge,
    RateLimited,
    RequestRefused,
)
from overwinter.testing import World, crash_everywhere

PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 40
PDF = b"%PDF-1.7 " + b"d" * 300_000
SEEN = "data"


class Eyes:
    """A model that says what it is shown, newest message first, and fails as it is told to."""

    name = "test/eyes"

    def __init__(self) -> None:
        self.asked: list[tuple[Message, ...]] = []
        self.fails: list[Exception] = []

    async def complete(self, request: Request) -> Answer:
        self.asked.append(request.messages)
        if self.fails:
            raise self.fails.pop()
        return Answer(f"I see {len(shown(request.messages))}.", model=self.name)

    def last(self) -> list[str]:
        """What each message of the user was to the model, when it was asked last."""
        return ["; ".join(described(message)) for message in self.asked[-1] if message.role == "user"]


def shown(messages: Sequence[Message]) -> list[bytes]:
    return [part.data or part.url.encode() for message in messages for part in message.parts if part.kind != "text"]


def described(message: Message) -> list[str]:
    if not message.parts:
        return [message.content]
    return [part.text or f"{part.kind} {part.name or part.url} {len(part.data)}" for part in message.parts]


def desk(eyes: Eyes, **options: Any) -> Agent[str]:
    return Agent("desk", eyes, **options)


async def told(runtime: Runtime, content: Any, session: str = "s", **more: Any) -> Any:
    return await (await runtime.send("desk", session, content, **more)).reply("20s")


def test_every_process_brings_them_again_on_every_store(dsn: str) -> None:
    eyes = Eyes()
    agent = desk(eyes, media_hosts="shop.example")

    async def main() -> None:
        await open_store(dsn).create()
        async with Runtime([agent], dsn) as runtime:
            content = ["What was paid?", image(PNG, name="a.png"), file(PDF), image("https://shop.example/b.png")]
            assert await told(runtime, content, id="m") == "I see 3."
            assert (await runtime.send("desk", "s", content, id="m")).duplicate
            (entry, *_) = await runtime.history("desk/s")
            assert "cHBw" not in repr(entry) and len(repr(entry)) < 1000, "no bytes stand in the journal"
            assert entry["media"] is True
        async with Runtime([agent], dsn) as runtime:
            assert await told(runtime, "And now?") == "I see 3."
            assert shown(eyes.asked[-1]) == [PNG, PDF, b"https://shop.example/b.png"]
            assert [found.findings async for found in audit(runtime.store) if found.findings] == []
            digest = entry["content"][1]["digest"]
            assert await runtime.store.blob("desk/s", digest) == PNG
            assert await runtime.store.blob("desk/other", digest) is None, "what is one session's is no other's"
            dump = await runtime.store.dump("desk/s")
            assert dump is not None and len(dump.blobs) == 2

    asyncio.run(main())


def test_a_run_is_started_with_them_and_is_the_same_only_with_the_same(tmp_path: Any) -> None:
    eyes = Eyes()

    async def main() -> None:
        async with Runtime([desk(eyes)], f"sqlite:///{tmp_path}/x.db") as runtime:
            handle = await runtime.start("desk", ["see", image(PNG)], id="r")
            assert await handle.result("20s") == "I see 1."
            assert not (await runtime.start("desk", ["see", image(PNG)], id="r")).created
            with pytest.raises(AlreadyExists):
                await runtime.start("desk", ["see", image(PNG + b"!")], id="r")

    asyncio.run(main())


def test_children_are_given_them() -> None:
    eyes = Eyes()
    agent = desk(eyes)

    @workflow
    async def claim(ctx: Context, input: str) -> str:
        return await ctx.call(agent, [input, image(PNG)])

    async def main() -> None:
        async with Runtime([agent, claim], "memory://") as runtime:
            assert await (await runtime.start(claim, "see", id="c")).result("20s") == "I see 1."
            assert shown(eyes.asked[-1]) == [PNG]

    asyncio.run(main())


def test_what_takes_text_gets_words() -> None:
    eyes, given = Eyes(), []

    def instructions(input: str) -> str:
        given.append(input)
        return "Look."

    def check(answer: str, input: str) -> None:
        given.append(input)

    async def main() -> None:
        agent = desk(eyes, instructions=instructions, output_validator=check)
        async with Runtime([agent], "memory://") as runtime:
            await told(runtime, ["What?", file(b"a,b", "text/csv", name="t.csv")])

    asyncio.run(main())
    assert set(given) == {"What?\n[file t.csv: text/csv, 3 bytes]"}
    assert eyes.last() == ["What?; [file t.csv: text/csv, 3 bytes]\na,b"], "a text is read as text"


def test_only_who_takes_text_takes_parts() -> None:
    agent = Agent("desk", Eyes(), input=int)

    async def main() -> None:
        async with Runtime([agent], "memory://") as runtime:
            with pytest.raises(InvalidInput, match="the input of desk does not fit"):
                await runtime.send("desk", "s", [image(PNG)])

    asyncio.run(main())


def test_a_list_in_an_older_journal_stays_a_text() -> None:
    """What has no mark was no message with parts when it was taken."""
    from overwinter.tests.agent.driver import Driver

    driver = Driver(Agent("desk", Scripted(["x"]), input=Any))
    driver.start([{"type": "image", "url": "https://shop.example/a.png"}])
    assert driver.prompt()[-1] == Message("user", '[{"type":"image","url":"https://shop.example/a.png"}]')


TEXTS: list[tuple[bytes, str, str | None]] = [
    (b"a: 1\n", "", "a: 1\n"),
    (b"a: 1\n", "application/octet-stream", "a: 1\n"),
    (b"fn main() {}", "application/rls-services+xml", "fn main() {}"),
    ("\ufeffGr\u00fc\u00dfe".encode(), "text/plain", "Gr\u00fc\u00dfe"),
    ("Gr\u00fc\u00dfe".encode("cp1252"), "text/csv", "Gr\u00fc\u00dfe"),
    ("Gr\u00fc\u00dfe".encode("utf-16"), "text/plain; charset=utf-16", "Gr\u00fc\u00dfe"),
    ("Gr\u00fc\u00dfe".encode("cp1252"), "application/octet-stream", None),
    (b"a\0b", "text/plain", None),
    (b"%PDF-1.7 only words", "text/plain", None),
    (b"x" * 70_000, "text/plain", "x" * 65_536 + "\u2026 [4,464 more characters were left out]"),
]


@pytest.mark.parametrize(("content", "media_type", "text"), TEXTS)
def test_a_file_that_is_text_is_read_as_text(content: bytes, media_type: str, text: str | None) -> None:
    eyes = Eyes()

    async def main() -> None:
        async with Runtime([desk(eyes)], "memory://") as runtime:
            await told(runtime, [file(content, media_type, name="f")])
            (part,) = eyes.asked[-1][-1].parts
            assert part.data == content, "a model of one's own has the bytes as well"
            first, _, rest = part.text.partition("\n")
            assert (part.kind, rest) == (("file", "") if text is None else ("text", text))
            assert not first or first.startswith("[file f: ")

    asyncio.run(main())


def test_texts_have_a_bound_together() -> None:
    eyes = Eyes()

    async def main() -> None:
        async with Runtime([desk(eyes, history="1MB")], "memory://") as runtime:
            await told(runtime, [file(bytes([65 + number]) * 60_000) for number in range(6)])
            lengths = [len(part.text) for part in eyes.asked[-1][-1].parts]
            assert sum(lengths) < bringing.WORDS + 1000 and lengths[0] < 100 < 60_000 < lengths[-1]

    asyncio.run(main())


# -- what can't be shown ---------------------------------------------------------------------------------


def test_an_address_that_is_not_allowed_is_refused_and_nothing_is_kept() -> None:
    async def main() -> None:
        async with Runtime([desk(Eyes())], "memory://") as runtime:
            with pytest.raises(InvalidInput, match=r"takes nothing from 169\.254\.169\.254"):
                await runtime.send("desk", "s", ["x", image("http://169.254.169.254/latest")])
            with pytest.raises(PayloadTooLarge):
                await runtime.send("desk", "s", [file(b"x" * (17 * 1024 * 1024))])
            assert await runtime.find("desk/s") is None

    asyncio.run(main())


class Moody(Eyes):
    """Refuses by what it is shown."""

    def __init__(self, refusal: Callable[[Sequence[Message]], Any]) -> None:
        super().__init__()
        self.refusal = refusal

    async def complete(self, request: Request) -> Answer:
        self.asked.append(request.messages)
        told = self.refusal(request.messages)
        if isinstance(told, BaseException):
            raise told
        return Answer(told if isinstance(told, str) else f"I see {len(shown(request.messages))}.", model=self.name)


def refused() -> RequestRefused:
    return RequestRefused("this can't be read", model="m", status=400)


async def turns(place: str, agent: Agent[Any], *contents: Any) -> list[str]:
    """What comes of each message, each answered by another process."""
    said: list[str] = []
    for content in contents:
        async with Runtime([agent], place) as runtime:
            try:
                said.append(await told(runtime, content))
            except (ModelError, OperationError) as error:
                said.append(type(error).__name__)
    return said


ONCE = Retry(attempts=1)


@pytest.mark.parametrize(
    ("raised", "then"),
    [
        (refused(), ["RequestRefused", "I see 0.", "I see 0."]),
        (ValueError("a defect of the model"), ["ValueError", "I see 0.", "I see 0."]),
        (RateLimited("slower", model="m", status=429), ["RateLimited", "I see 1.", "I see 1."]),
        (ModelUnavailable("away", model="m", status=503), ["ModelUnavailable", "I see 1.", "I see 1."]),
    ],
)
def test_what_a_model_could_not_read_is_words_from_then_on(tmp_path: Any, raised: Exception, then: list[str]) -> None:
    eyes = Eyes()
    eyes.fails = [raised]
    agent = desk(eyes, retry=ONCE)

    async def main() -> list[str]:
        said: list[str] = []
        for content in (["one", image(PNG)], "two", "three"):
            async with Runtime([agent], f"sqlite:///{tmp_path}/x.db") as runtime:
                try:
                    said.append(await told(runtime, content))
                except Exception as error:  # noqa: BLE001  # whatever the model raises
                    said.append(type(error).__name__)
        return said

    assert asyncio.run(main()) == then
    lost = f"one\n[image: image/png, 48 bytes, {UNSEEN}]"
    assert eyes.last()[0] == (lost if "0" in then[1] else "one; image  48")


def test_two_outages_in_a_row_are_not_taken_for_chance(tmp_path: Any) -> None:
    """A server that breaks on what it can't read does so each time."""
    agent = desk(Moody(lambda seen: ModelUnavailable("500", model="m") if shown(seen) else None), retry=ONCE)
    said = asyncio.run(turns(f"sqlite:///{tmp_path}/x.db", agent, [image(PNG)], "two", "three", [image(PNG)], "five"))
    assert said == ["ModelUnavailable", "ModelUnavailable", "I see 0.", "ModelUnavailable", "ModelUnavailable"]


def test_what_can_be_shown_no_more_is_left_out_in_the_same_turn(tmp_path: Any) -> None:
    """An address expires, or a model that takes no images is asked: the turn is about something else, and goes on."""
    sight = [True]
    agent = desk(Moody(lambda seen: refused() if shown(seen) and not sight[0] else None))

    async def main() -> list[str]:
        place = f"sqlite:///{tmp_path}/x.db"
        first = await turns(place, agent, ["one", image(PNG)], "two")
        sight[0] = False
        rest = await turns(place, agent, "three", "four", [image(PNG)], "six")
        async with Runtime([agent], place) as runtime:
            routed = [entry for entry in await runtime.history("desk/s") if entry["type"] == "routed"]
        assert [entry["unseen"] for entry in routed] == [True] and "can't be read" in routed[0]["why"]
        return first + rest

    assert asyncio.run(main()) == ["I see 1.", "I see 1.", "I see 0.", "I see 0.", "RequestRefused", "I see 0."]


def test_a_server_that_takes_few_images_takes_the_latest(tmp_path: Any) -> None:
    agent = desk(Moody(lambda seen: refused() if len(shown(seen)) > 1 else None))
    said = asyncio.run(turns(f"sqlite:///{tmp_path}/x.db", agent, *([image(PNG)] for _ in range(4)), "five"))
    assert said == ["I see 1."] * 5


@pytest.mark.parametrize("answer", ["", "no JSON"])
def test_a_model_that_says_nothing_useful_about_it_does_so_in_one_turn(tmp_path: Any, answer: str) -> None:
    model = Moody(lambda seen: answer if shown(seen) else '{"result": 7}')
    agent: Agent[Any] = Agent("desk", model, output=int, limits=Limits(repairs=1))
    said = asyncio.run(turns(f"sqlite:///{tmp_path}/x.db", agent, ["one", image(PNG)], "two"))
    assert said == ["LimitExceeded", 7]


def test_they_are_left_out_of_the_same_call_after_a_crash_too() -> None:
    report = crash_everywhere(blinded, functions=[blind])
    assert report.outcome.value == ["1", "0"]


def half_blind(messages: Any, tools: Any) -> Any:
    if len(shown(messages)) and messages[-1].content == "two":
        return refused()
    return str(len(shown(messages)))


blind = Agent("blind", Scripted(half_blind))


async def blinded(world: World) -> list[Any]:
    first = await (await world.send(blind, "c", ["one", image(PNG)])).reply()
    return [first, await (await world.send(blind, "c", "two")).reply()]


def test_what_went_missing_or_is_not_allowed_any_more_is_said(tmp_path: Any) -> None:
    eyes, place = Eyes(), f"sqlite:///{tmp_path}/x.db"

    async def main() -> None:
        async with Runtime([desk(eyes, media_hosts="shop.example")], place) as runtime:
            await told(runtime, ["one", image(PNG), image("https://shop.example/b.png")])
        import sqlite3

        with sqlite3.connect(tmp_path / "x.db") as damaged:
            damaged.execute("DELETE FROM blob")
        async with Runtime([desk(eyes)], place) as runtime:
            assert await told(runtime, "two") == "I see 0."
            wrong = [finding.what async for found in audit(runtime.store) for finding in found.findings]
        assert eyes.last()[0].startswith(
            "one; [image: image/png, 48 bytes, no longer there]; [image https://shop.example/"
        )
        assert "takes nothing from shop.example" in eyes.last()[0]
        assert len(wrong) == 1 and "is missing" in wrong[0]

    asyncio.run(main())


def test_the_latest_go_first_where_not_all_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    eyes = Eyes()
    monkeypatch.setattr(bringing, "ROOM", 100)
    monkeypatch.setattr(bringing, "MOST", 3)

    async def main() -> None:
        async with Runtime([desk(eyes)], "memory://") as runtime:
            for number in range(4):
                await told(runtime, [image(PNG + bytes([number]))])
            assert [data[-1:] for data in shown(eyes.asked[-1])] == [b"\x02", b"\x03"]
            assert eyes.last()[0] == f"[image: image/png, 49 bytes, {bringing.MANY}]"
            await told(runtime, [file(bytes([0, number])) for number in range(4)])
            assert shown(eyes.asked[-1]) == [b"\0\x01", b"\0\x02", b"\0\x03"]

    asyncio.run(main())


def test_they_count_in_what_of_the_past_is_kept() -> None:
    eyes = Eyes()

    async def main() -> None:
        async with Runtime([desk(eyes, history="9KB")], "memory://") as runtime:
            for number in range(5):
                await told(runtime, [f"number {number}", image(PNG)])
            assert len(eyes.last()) == 3, "two of the past, of 4,000 characters each, and the last"

    asyncio.run(main())


def test_the_shelf_keeps_what_was_asked_last_and_no_more_than_it_has_room() -> None:
    async def main() -> None:
        store = open_store("memory://")
        await store.open()
        reads: list[str] = []

        async def blob(id: str, digest: str) -> bytes | None:
            reads.append(digest)
            return None if digest == "none" else digest.encode() * 10

        store.blob = blob  # type: ignore[method-assign]
        shelf = Shelf(store, room=25)
        for digest in ("a", "b", "a", "c", "a", "b", "none", "none"):
            found = await shelf.bring("e", digest)
            assert found == (None if digest == "none" else digest.encode() * 10)
            assert shelf.size <= 25
        assert reads == ["a", "b", "c", "b", "none", "none"]
        assert await shelf.bring("other", "a") and reads[-1] == "a", "what is one execution's is no other's"
        await store.close()

    asyncio.run(main())


# -- crashes ---------------------------------------------------------------------------------------------


@tool
async def look(what: str) -> str:
    """Look closer."""
    return what


def eyewitness(messages: Any, tools: Any) -> Any:
    """Says what it is shown; for each message one call before."""
    number = max(index for index, message in enumerate(messages) if message.role == "user")
    if len(messages) == number + 1:
        return call("look", what=str(len(shown(messages))))
    return ",".join(data.decode(errors="replace")[-3:] for data in shown(messages))


witness = Agent("witness", Scripted(eyewitness), tools=[look], limits=Limits(iterations=5))


async def conversation(world: World) -> list[Any]:
    first = await (await world.send(witness, "c", ["one", image(PNG + b"one")])).reply()
    second = await (await world.send(witness, "c", ["two", image(PNG + b"two")])).reply()
    return [first, second, await (await world.start(witness, [image(PNG + b"run")], id="r")).result()]


def test_they_survive_a_crash_at_every_transition() -> None:
    report = crash_everywhere(conversation, functions=[witness])
    assert report.points > 20
    assert report.outcome.value == ["one", "one,two", "run"]
