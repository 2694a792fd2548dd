"""Pictures as SVG: well-formed whatever a definition says, nothing that acts, everything told in words too."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.orchestrator.machine.definition.machine import build
from overwinter.orchestrator.machine.drawing.course import Course, Stay
from overwinter.orchestrator.machine.drawing.mermaid import mermaid
from overwinter.orchestrator.machine.drawing.sketch import boxes, sketch
from overwinter.orchestrator.machine.drawing.svg import svg
from overwinter.tests.machine.definitions import ORDER, RIGHT

SVG = "{http://www.w3.org/2000/svg}"
PARTS = {"svg", "title", "desc", "style", "g", "rect", "path", "circle", "text"}


def read(text: str) -> ET.Element:
    """Only what a picture needs, and nothing from elsewhere."""
    root = ET.fromstring(text)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in PARTS
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]
    assert "url(" not in text and "@import" not in text
    return root


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", RIGHT)
def test_every_state_is_there_in_writing_and_in_words(name: str) -> None:
    drawn = sketch(build(RIGHT[name]))
    root = read(svg(drawn, name))
    titles = [element.text or "" for element in root.iter(f"{SVG}title")]
    told = root.findtext(f"{SVG}desc") or ""
    for box in boxes(drawn):
        assert any(title.startswith(f"{box.name} ({box.kind})") for title in titles)
        assert f"{box.name}, {box.kind}" in told
    labelled = (root.get("aria-labelledby") or "").split()
    assert root.get("role") == "img" and labelled == [root[0].get("id"), root[1].get("id")]


def test_it_says_where_a_state_leads() -> None:
    told = (read(svg(sketch(build(ORDER)), "order")).findtext(f"{SVG}desc") or "").splitlines()
    assert told[0] == "Check, Task · check: then Enough?, on Gone leads to Lost."
    assert told[1].endswith("$.sure = true leads to Both, otherwise leads to Nothing.")
    at = told.index("Within Both, branch 2:")
    assert told[at - 1 : at + 2] == ["Left, Pass: then the end.", told[at], "Right, Succeed: then the end."]


def test_kinds_and_ways_can_be_told_apart() -> None:
    text = svg(sketch(build(ORDER)), "order")
    for kind in ("Task", "Choice", "Parallel", "Fail"):
        assert f"ow-{kind}" in text and any(kind in row for row in texts(read(text)))
    assert 'class="ow-line ow-catch"' in text
    light, dark = text.split("prefers-color-scheme:dark")
    assert re.findall(r"^(\.ow-svg .*){(?:fill|stroke):", dark, re.MULTILINE) == re.findall(
        r"^(\.ow-svg .*){(?:fill|stroke):#", light, re.MULTILINE
    )


@given(st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=4, unique=True), st.text())
def test_names_are_never_more_than_names(names: list[str], title: str) -> None:
    states: dict[str, Any] = {name: {"Type": "Succeed", "Comment": name} for name in names}
    rules = [{"Variable": "$.a", "StringEquals": name, "Next": name} for name in names]
    start = {"Type": "Choice", "Choices": rules}
    drawn = sketch(build({"StartAt": "\x00start", "States": {"\x00start": start, **states}}))
    read(svg(drawn, title, [title]))


def test_markup_in_a_name_is_shown() -> None:
    name = '</text><script>alert("1")</script>&amp;\x1b\u202e'
    root = read(svg(sketch(build({"StartAt": name, "States": {name: {"Type": "Succeed"}}})), name))
    assert any("<script>" in (title.text or "") and "&amp;" in (title.text or "") for title in root.iter(f"{SVG}title"))


def course() -> Course:
    found = Course(now=5000)
    found.stays["Check"] = Stay(entered=2, succeeded=1, caught=1, retries=3, lasted=1500, error="Gone")
    found.stays["Enough?"] = Stay(entered=1, succeeded=1)
    found.stays["Both"] = Stay(entered=1, inside=1, since=2000, until=9000)
    found.stays["Left"] = Stay(entered=1, failed=1, error="E<1>")
    found.stays["Right"] = Stay(entered=1, stopped=1, lasted=60_000)
    found.take("Check", "start")
    found.take("Check", "next")
    found.take("Check", "catch", 0)
    found.take("Enough?", "rule", 2)
    found.take("Enough?", "rule", 2)
    return found


def test_an_execution_is_on_it() -> None:
    drawn = sketch(build(ORDER), course())
    root = read(svg(drawn, "order · x", ["failed"]))
    written = texts(root)
    for row in (
        "2× · 1.5s · 3 retries",
        "1 caught · Gone",
        "running for 3.0s · goes on in 4.0s",
        "E<1>",
        "1m00s",
        "2×",
        "failed",
    ):
        assert row in written
    looks = {element.get("class") for element in root.iter()}
    found = {word for look in looks if look for word in look.split()}
    assert {
        "ow-succeeded",
        "ow-running",
        "ow-caught",
        "ow-failed",
        "ow-stopped",
        "ow-taken",
        "ow-taken-catch",
        "ow-idle",
    } <= found
    assert "ow-idle" not in svg(sketch(build(ORDER)), "order").split("</style>")[1]
    told = root.findtext(f"{SVG}desc") or ""
    assert "Left, Pass (failed: E<1>): then the end." in told


def test_an_execution_in_mermaid() -> None:
    lines = mermaid(sketch(build(ORDER), course())).splitlines()
    assert '    state "Check<br/>2× · 1.5s · 3 retries<br/>1 caught · Gone" as s1' in lines
    assert any(line.endswith(": $.sure = true 2×") for line in lines)
    classes = dict(line.split()[:0:-1] for line in lines if line.startswith("    class "))
    assert classes["caught"] == "s1" and {"succeeded", "running", "failed", "stopped"} <= set(classes)
    assert {line.split()[1] for line in lines if "classDef" in line} == set(classes)
    assert not any("class" in line for line in mermaid(sketch(build(ORDER))).splitlines())
