"""Where everything of a sketch stands: sizes from what is written, places from the layout, flows within their boxes."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .cells import GAP, Node, Size
from .labels import visible
from .layout import Edge, Layout, laid_out
from .sketch import END, START, Box, Line, Sketch

LARGE, SMALL = 13.0, 11.0
"""Sizes of names, and of what stands around them, in pixels."""
LARGE_ROW, SMALL_ROW = 17.0, 14.0
NAME, LABEL = 26, 30
"""Letters of a row of a name, and of a label."""
ROWS = 3
LONGEST = 300
PAD = 12.0
END_SIZE = Size(16, 16)
_NARROW, _BROAD = frozenset("fijlrtI.,:;'|!()[]{} "), frozenset("mwMW@%")


class Row(NamedTuple):
    """``role`` is caption, name or mark; ``y`` is its base line below the top of the box."""

    text: str
    role: str
    y: float


class Inner(NamedTuple):
    """A flow within a box, from the upper left corner of the box."""

    placed: Placed
    x: float
    y: float
    width: float


class PlacedBox(NamedTuple):
    box: Box
    size: Size
    rows: Sequence[Row]
    inner: Sequence[Inner]


class Placed(NamedTuple):
    """``boxes`` by their ids, ``labels`` (rows of text) and routes in the order of the sketch's lines."""

    sketch: Sketch
    layout: Layout
    boxes: Mapping[str, PlacedBox]
    labels: Sequence[Sequence[str]]


def placed(drawn: Sketch) -> Placed:
    """All of it, from the upper left corner on."""
    found = {box.id: _box(box) for box in drawn.boxes}
    labels = [label(line) for line in drawn.lines]
    nodes: dict[Node, Size] = {START: END_SIZE, **{id: one.size for id, one in found.items()}}
    if any(line.target == END for line in drawn.lines):
        nodes[END] = END_SIZE
    edges = [
        Edge(
            line.source,
            line.target,
            label_size(rows),
            2.0 if line.kind in ("next", "start") else 1.0,
            line.kind == "catch",
        )
        for line, rows in zip(drawn.lines, labels, strict=True)
    ]
    return Placed(drawn, laid_out(nodes, edges), found, labels)


def label(line: Line) -> list[str]:
    """What stands on a line, in rows."""
    often = f"{line.times}×" if line.times is not None and line.times > 1 else ""
    return [*(wrapped(line.label, LABEL, 2) if line.label else ()), *([often] if often else ())]


def label_size(rows: Sequence[str]) -> Size:
    if not rows:
        return Size(0, 0)
    return Size(max(width(row, SMALL) for row in rows) + 8, len(rows) * SMALL_ROW + 2)


def width(text: str, size: float) -> float:
    """How wide a text is at most, in the fonts that it is most likely shown in."""
    return size * sum(map(_letter, text))


def _letter(char: str) -> float:
    if char in _NARROW:
        return 0.36
    if char in _BROAD or unicodedata.east_asian_width(char) in "WF":
        return 1.02
    if unicodedata.combining(char):
        return 0.0
    return 0.7 if char.isupper() else 0.58


def wrapped(text: str, letters: int, rows: int) -> list[str]:
    """A text in rows of so many letters, broken at spaces where there are some; the last ends with an ellipsis when it
    does not hold all. Wide letters count twice."""
    found: list[str] = [""]
    for word in visible(text, LONGEST).split(" "):
        if found[-1] and _letters(found[-1]) + 1 + _letters(word) <= letters:
            found[-1] += " " + word
            continue
        for piece in _pieces(word, letters):
            found.append(piece)
    found = found[1:] or [""]
    if len(found) > rows or len(text) > LONGEST:
        found = found[:rows]
        last = found[-1].rstrip("…")
        while _letters(last) >= letters:
            last = last[:-1]
        found[-1] = last + "…"
    return found


def _letters(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _pieces(word: str, letters: int) -> list[str]:
    """A word that is too long for a row is broken anywhere."""
    found = [""]
    for char in word:
        if _letters(found[-1] + char) > letters:
            found.append("")
        found[-1] += char
    return found


def caption(box: Box) -> str:
    """The kind of a state, and what more there is to say."""
    return f"{box.kind} · {visible(box.detail, NAME + 6)}" if box.detail else box.kind


def _box(box: Box) -> PlacedBox:
    rows: list[Row] = []
    y = 8.0
    texts = [(caption(box), "caption")] + [(row, "name") for row in wrapped(box.name, NAME, ROWS)]
    texts += [(row, "mark") for line in (box.mark.lines if box.mark else ()) for row in wrapped(line, NAME + 8, 2)]
    widest = 0.0
    for text, role in texts:
        height, letters = (LARGE_ROW, LARGE * 1.06) if role == "name" else (SMALL_ROW, SMALL)
        rows.append(Row(text, role, y + height - 4))
        y += height
        widest = max(widest, width(text, letters))
    y += 8
    sides = {"Choice": 2 * (PAD + 10)}.get(box.kind, 2 * PAD + 4)
    size = Size(max(widest + sides, 96.0), y)
    if not box.flows:
        return PlacedBox(box, size, rows, ())
    return _around(box, size, rows)


def _around(box: Box, head: Size, rows: Sequence[Row]) -> PlacedBox:
    """A box with its flows beside each other."""
    flows = [placed(flow) for flow in box.flows]
    widths = [flow.layout.size.width + 2 * PAD for flow in flows]
    whole = max(head.width, sum(widths))
    more = (whole - sum(widths)) / len(widths)
    inner: list[Inner] = []
    x = 0.0
    for flow, least in zip(flows, widths, strict=True):
        column = least + more
        inner.append(Inner(flow, x + (column - flow.layout.size.width) / 2, head.height + 4, column))
        x += column
    height = head.height + max(flow.layout.size.height for flow in flows) + GAP / 2 + 4
    return PlacedBox(box, Size(whole, height), rows, inner)
