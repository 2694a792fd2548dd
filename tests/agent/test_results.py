"""What tools may give: values of any type, images and files, and more than a model can read."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from overwinter import Agent, InvalidInput, Limits, Scripted, audio, call, file, image, run, tool
from overwinter.functions.hooks import Change, Hook, Skip
from overwinter.functions.models.port import Request
from overwinter.functions.window import History, Shorten
from overwinter.orchestrator.protocol.media import given
from overwinter.state.errors import RequestRefused
from overwinter.testing import World, crash_everywhere

from .driver import Driver, called

NEVER = Scripted(["never asked"])
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


@dataclasses.dataclass
class Parcel:
    weight: Decimal
    sent: datetime.date


@dataclasses.dataclass
class Page:
    scan: Any


class Order(BaseModel):
    lines: set[int]
    parcel: Parcel


class Colour(enum.Enum):
    RED = "red"


class Spot(NamedTuple):
    x: int


class Named(TypedDict):
    name: str


PARCEL = Parcel(Decimal("1.50"), datetime.date(2026, 1, 2))
VALUES: list[tuple[Any, Any]] = [
    (PARCEL, {"weight": "1.50", "sent": "2026-01-02"}),
    (Order(lines={1}, parcel=PARCEL), {"lines": [1], "parcel": {"weight": "1.50", "sent": "2026-01-02"}}),
    (Colour.RED, "red"),
    (Spot(1), [1]),
    (Named(name="a"), {"name": "a"}),
    ({3}, [3]),
    (frozenset({"a"}), ["a"]),
    (Decimal("0.10"), "0.10"),
    (datetime.timedelta(minutes=5), "PT5M"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ([Order(lines={1}, parcel=PARCEL)], [{"lines": [1], "parcel": {"weight": "1.50", "sent": "2026-01-02"}}]),
]


@pytest.mark.parametrize(("value", "plain"), VALUES)
def test_what_pydantic_can_dump_is_a_result_annotated_or_not(value: Any, plain: Any) -> None:
    for annotation in (Any, type(value)):

        def give() -> Any:
            return value

        give.__annotations__["return"] = annotation
        made: Any = tool(give)
        assert made.__overwinter__.write(value) == plain and not made.__overwinter__.lost


# -- images and files --------------------------------------------------------------------------------------


@tool
def scan(page: int) -> Any:
    """Scan a page."""
    return ["page", {"number": page}, image(PNG, name="scan.png"), file(b"%PDF-1.4", name="scan.pdf")]


def shown(driver: Driver, value: Any) -> list[Any]:
    """The run goes on with what a tool gave, as it would be recorded."""
    taken = given(value, 10_000)
    assert taken is not None
    driver.tool("t1.m1.0", taken.value, media=True)
    return driver.prompt()


def scanning(**options: Any) -> Driver:
    driver = Driver(Agent("desk", NEVER, tools=[scan], **options))
    driver.start()
    driver.model([called("scan", page=7)])
    return driver


def test_the_model_is_shown_what_a_tool_brings_in_a_message_behind_the_results() -> None:
    prompt = shown(scanning(), scan(7))
    result, brought = prompt[-2:]
    assert result.role == "tool" and result.parts == ()
    assert result.content == (
        'page\n{"number":7}\n[image scan.png: image/png, 48 bytes]\n[file scan.pdf: application/pdf, 8 bytes]'
    )
    assert brought.role == "user" and [part.kind for part in brought.parts] == ["text", "image", "file"]
    assert brought.parts[0].text == "[from scan, c1]"


def test_bytes_are_no_part_of_the_journal() -> None:
    taken = given(scan(7), 10_000)
    assert taken is not None and sorted(map(len, taken.blobs.values())) == [8, 48]
    assert "data" not in str(taken.value) and all("digest" in part for part in taken.value if isinstance(part, dict))


@pytest.mark.parametrize(
    "value", [{"type": "image", "url": "https://x.example/a"}, [{"type": "file", "data": "AA=="}], "x"]
)
def test_json_that_looks_like_a_part_is_json(value: Any) -> None:
    assert given(value, 10_000) is None


@pytest.mark.parametrize(
    "value",
    [
        {"picture": image(PNG)},
        [[image(PNG)]],
        ["text", {"a": [image(PNG)]}],
        Page(image(PNG)),
        [image(PNG), Page(image(PNG))],
    ],
)
def test_a_part_within_something_else_is_an_error_that_says_so(value: Any) -> None:
    with pytest.raises(InvalidInput, match="alone, or in a list"):
        given(value, 1000)


def test_what_can_hold_no_part_is_not_searched_for_ever() -> None:
    around: list[Any] = []
    around.append(around)
    assert given({"a": around}, 1000) is None


def test_a_hook_gives_no_images() -> None:
    for hook in (Hook(lambda use: Skip(image(PNG))), Hook(after_tool=lambda use, told: Change(["see", image(PNG)]))):
        agent = Agent("eye", Scripted([call("scan", page=1), "done"]), tools=[scan], hooks=[hook])
        driver = Driver(agent)
        driver.start()
        driver.ask()
        if hook.looks_after:
            driver.tool("t1.m1.0", "page 1", after=1)
        (made,) = driver.open.values()
        with pytest.raises(InvalidInput, match="say it in words"):
            made.call()  # type: ignore[union-attr]  # it is a hook


def test_one_part_alone_is_a_result_too() -> None:
    for part in (image(PNG), audio(b"ID3\x03", media_type="audio/mpeg"), file(b"x")):
        taken = given(part, 10_000)
        assert taken is not None and len(taken.value) == len(taken.blobs) == 1


def test_too_many_bytes_are_an_error_that_says_so() -> None:
    with pytest.raises(InvalidInput, match="the limit is 10"):
        given(image(PNG), 10)


def test_a_model_that_takes_no_images_reads_what_they_are() -> None:
    driver = scanning()
    shown(driver, scan(7))
    driver.model(RequestRefused("no images", status=400))
    (routed,) = driver.entries("routed")
    assert routed["unseen"] is True
    assert not any(message.parts for message in driver.prompt())
    assert "not shown again" in driver.prompt()[-1].content
    driver.restart()
    driver.model("It is a scan.")
    assert driver.decision.status == "completed"


def test_a_hook_that_changes_a_result_takes_its_images_away() -> None:
    driver = scanning(hooks=Hook(after_tool=lambda use, told: Change("***")))
    shown(driver, scan(7))
    hook: Any = driver.open["t1.m1.0.a1"]
    driver.turn([driver.fact(hook, {"change": "***"})])
    assert driver.prompt()[-1].role == "tool" and driver.prompt()[-1].content == "***"


# -- long ones ---------------------------------------------------------------------------------------------


@tool
def read_log(lines: int) -> str:
    """Read a log."""
    return "begin " + "." * lines + " end"


def reading(most: Any = "1KB", **options: Any) -> Driver:
    driver = Driver(Agent("desk", NEVER, tools=[read_log], history=History(result=most), **options))
    driver.start()
    driver.model([called("read_log", lines=9000)])
    return driver


def offered(driver: Driver) -> list[str]:
    made: Any = next(iter(driver.open.values()))
    request: Request = made.call._request()
    return [schema.name for schema in request.tools]


def test_of_a_long_result_beginning_and_end_are_read_and_the_rest_on_demand() -> None:
    driver = reading()
    driver.tool("t1.m1.0", read_log(9000))
    text = driver.prompt()[-1].content
    assert text.startswith("begin ...") and text.endswith("... end") and len(text) < 1200
    assert "read_result(entry=3) reads the whole" in text and offered(driver) == ["read_log", "read_result"]
    driver.restart()
    assert driver.prompt()[-1].content == text and offered(driver) == ["read_log", "read_result"]
    driver.model([called("read_result", entry=3)])
    assert list(driver.open) == ["t1.m2.0"]


@pytest.mark.parametrize("most", ["1KB", "8KB", "64KB", 10])
def test_the_pages_of_a_long_result_are_the_whole(most: Any) -> None:
    whole = "".join(f"{number:05d}." for number in range(12_000 if most != 10 else 12))
    seen: list[str] = []

    @tool
    def read_all() -> str:
        """Read."""
        return whole

    def page_by_page(messages: Any, tools: Any) -> Any:
        text = messages[-1].content
        if len(messages) == 1:
            return call("read_all")
        if len(messages) == 3:
            return call("read_result", entry=3)
        page, more, rest = text.partition("\n[")
        seen.append(page)
        return call("read_result", entry=3, start=int(rest.rpartition("start=")[2].strip(")]"))) if more else "read"

    history, limits = History(result=most, size="10MB", messages=1000), Limits(iterations=200)
    reader = Agent("reader", Scripted(page_by_page), tools=[read_all], history=history, limits=limits)
    assert run(reader, "Read it.", store="memory://") == "read"
    assert "".join(seen) == whole and len(seen) > 1


def test_the_reader_is_offered_only_when_something_was_cut() -> None:
    driver = reading()
    driver.tool("t1.m1.0", "short")
    assert offered(driver) == ["read_log"]


def test_what_hooks_look_at_is_cut_and_can_not_be_read() -> None:
    driver = reading(hooks=Hook(after_tool=lambda use, told: None), most="1KB")
    driver.tool("t1.m1.0", "." * 100_000, after=1)
    hook: Any = driver.open["t1.m1.0.a1"]
    driver.turn([driver.fact(hook, None)])
    assert "more characters were left out" in driver.prompt()[-1].content and offered(driver) == ["read_log"]


@pytest.mark.parametrize("most", [0, "much", -1])
def test_a_bound_that_can_not_be_is_said(most: Any) -> None:
    with pytest.raises(InvalidInput):
        Agent("desk", NEVER, history=History(result=most))


def test_with_shorten_there_is_one_reader() -> None:
    driver = Driver(Agent("desk", NEVER, tools=[read_log], history=History(result="1KB", compaction=Shorten())))
    driver.start()
    driver.model([called("read_log", lines=9000)])
    driver.tool("t1.m1.0", read_log(9000))
    assert offered(driver) == ["read_log", "read_result"]


# -- whole -------------------------------------------------------------------------------------------------


def script(messages: Any, tools: Any) -> Any:
    last = messages[-1]
    if len(messages) == 1:
        return [call("scan", page=7), call("read_log", lines=20_000)]
    if last.parts:
        assert [len(part.data) for part in last.parts if part.kind == "image"] == [len(PNG)]
        entry = int(messages[-2].content.partition("entry=")[2].partition(")")[0])
        return call("read_result", entry=entry, start=20_000)
    return f"{last.content} {[part.kind for message in messages for part in message.parts]}"


scanner = Agent("scanner", Scripted(script), tools=[scan, read_log], history=History(result="1KB"))


async def talked(world: World) -> str:
    return str(await (await world.start(scanner, "go", id="s")).result())


def test_it_survives_a_crash_at_every_transition() -> None:
    outcome = crash_everywhere(talked, functions=[scanner]).outcome.value
    assert (
        isinstance(outcome, str)
        and outcome.startswith("...")
        and " end" in outcome
        and "'image', 'file'" in outcome.replace('"', "'")
    )
