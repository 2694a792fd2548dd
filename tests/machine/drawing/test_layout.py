"""Layouts: nothing lies on anything else, lines begin and end at their boxes and go around the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.orchestrator.machine.definition.machine import build
from overwinter.orchestrator.machine.drawing import placement
from overwinter.orchestrator.machine.drawing.cells import Cell, Size, Spot
from overwinter.orchestrator.machine.drawing.layout import Edge, Layout, laid_out
from overwinter.orchestrator.machine.drawing.placing import Placed, label_size, placed, width, wrapped
from overwinter.orchestrator.machine.drawing.sketch import sketch
from overwinter.tests.machine.definitions import RIGHT
from overwinter.tests.machine.running.definitions import definitions

Area = tuple[float, float, float, float]


def area(spot: Spot, size: Size) -> Area:
    return spot.x - size.width / 2, spot.y - size.height / 2, spot.x + size.width / 2, spot.y + size.height / 2


def overlap(one: Area, other: Area) -> bool:
    return (
        one[0] < other[2] - 0.01 and other[0] < one[2] - 0.01 and one[1] < other[3] - 0.01 and other[1] < one[3] - 0.01
    )


def check(nodes: dict[Any, Size], edges: list[Edge], found: Layout) -> None:
    boxes = {node: area(found.spots[node], size) for node, size in nodes.items()}
    labels = [area(route.label, edge.label) for edge, route in zip(edges, found.routes, strict=True) if route.label]
    assert len(labels) == sum(edge.label.width > 0 for edge in edges)
    for one, other in combinations([*boxes.values(), *labels], 2):
        assert not overlap(one, other)
    for left, top, right, bottom in [*boxes.values(), *labels]:
        assert (
            left >= -0.01 and top >= -0.01 and right <= found.size.width + 0.01 and bottom <= found.size.height + 0.01
        )
    for edge, route in zip(edges, found.routes, strict=True):
        for node, spot in ((edge.source, route.points[0]), (edge.target, route.points[-1])):
            left, top, right, bottom = boxes[node]
            assert left <= spot.x <= right + 0.01
            assert route.to_itself or min(abs(spot.y - top), abs(spot.y - bottom)) < 0.01
        for number, (here, there) in enumerate(pairwise(route.points)):
            straight = (min(here.x, there.x), min(here.y, there.y), max(here.x, there.x), max(here.y, there.y))
            if number % 2 and not route.to_itself:  # passes a row
                assert here.x == there.x
                assert not any(overlap(straight, box) for box in boxes.values())


sizes = st.builds(Size, st.floats(10, 200), st.floats(10, 80))
labels = st.sampled_from([Size(0, 0), Size(40, 16), Size(150, 30)])


@given(st.lists(sizes, min_size=1, max_size=12), st.data())
def test_nothing_lies_on_anything_else(given: list[Size], data: st.DataObject) -> None:
    nodes: dict[Any, Size] = dict(enumerate(given))
    node = st.integers(0, len(given) - 1)
    edges = data.draw(
        st.lists(st.builds(Edge, node, node, labels, st.sampled_from([1.0, 2.0]), st.booleans()), max_size=25)
    )
    found = laid_out(nodes, edges)
    check(nodes, edges, found)
    assert found == laid_out(nodes, edges)


def test_many_lines_between_two_boxes_are_looked_at_a_few_times_each(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    strongest = placement._main  # pyright: ignore[reportPrivateUsage]

    def counted(joined: Sequence[tuple[Cell, float]]) -> Cell | None:
        nonlocal seen
        seen += len(joined)
        return strongest(joined)

    monkeypatch.setattr(placement, "_main", counted)
    many = 200
    laid_out({0: Size(90, 40), 1: Size(90, 40)}, [Edge(0, 1, Size(40, 16)) for _ in range(many)])
    assert 0 < seen <= 4 * many * placement.SWEEPS


def check_whole(found: Placed) -> None:
    nodes: dict[Any, Size] = {node: Size(16, 16) for node in found.layout.spots}
    nodes |= {id: box.size for id, box in found.boxes.items()}
    edges = [
        Edge(line.source, line.target, label_size(rows))
        for line, rows in zip(found.sketch.lines, found.labels, strict=True)
    ]
    check(nodes, edges, found.layout)
    for box in found.boxes.values():
        inside = [
            (one.x, one.y, one.x + one.placed.layout.size.width, one.y + one.placed.layout.size.height)
            for one in box.inner
        ]
        for left, top, right, bottom in inside:
            assert left >= 0 and top >= box.rows[-1].y and right <= box.size.width and bottom <= box.size.height
        assert not any(overlap(one, other) for one, other in combinations(inside, 2))
        for one in box.inner:
            check_whole(one.placed)


@pytest.mark.parametrize("name", RIGHT)
def test_right_definitions(name: str) -> None:
    check_whole(placed(sketch(build(RIGHT[name]))))


@given(definitions())
def test_any_definition(definition: Any) -> None:
    check_whole(placed(sketch(build(definition))))


def test_what_follows_is_below_and_what_leads_back_is_turned() -> None:
    nodes: dict[Any, Size] = dict.fromkeys("abcd", Size(10, 10))
    edges = [Edge("a", "b"), Edge("b", "c"), Edge("c", "d"), Edge("c", "b"), Edge("a", "d")]
    found = laid_out(nodes, edges)
    rows = [found.spots[node].y for node in "abcd"]
    assert rows == sorted(rows) and len(set(rows)) == 4
    back = found.routes[3]
    assert back.points[0].y > back.points[-1].y
    assert len({found.spots[node].x for node in "abcd"}) == 1


def test_lines_to_one_box_from_afar_run_together() -> None:
    states: list[Any] = [*range(40), "lost"]
    edges = [Edge(one, other, weight=2.0) for one, other in pairwise(range(40))]
    edges += [Edge(one, "lost", Size(50, 16), group="catch") for one in range(39)]
    found = laid_out(dict.fromkeys(states, Size(60, 30)), edges)
    assert found.size.width < 400
    passing = {spot.x for route in found.routes[39:60] for spot in route.points[-20:-2]}
    assert len(passing) < 6


def test_rows_of_text() -> None:
    assert wrapped("Check the order", 26, 3) == ["Check the order"]
    assert wrapped("Check the order of a customer", 12, 3) == ["Check the", "order of a", "customer"]
    assert wrapped("x" * 30, 12, 2) == ["x" * 12, "x" * 11 + "…"]
    assert wrapped("one two three four", 5, 2) == ["one", "two…"]
    assert wrapped("注文を確認する", 8, 2) == ["注文を確", "認する"]
    assert wrapped(" \n ", 5, 2) == [""]
    assert wrapped("a b " * 200, 1000, 3)[-1].endswith("…")
    assert width("wide", 10) > width("ill", 10) and width("注文", 10) > width("ab", 10)
