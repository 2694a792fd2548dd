"""With numpy and without it the same vectors are the nearest."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.functions.memory import vectors as module
from overwinter.functions.memory.vectors import Matrix, Plain, Vectors, vectors

NUMBERS = st.lists(st.integers(-50, 50).map(float), min_size=3, max_size=3)


def matrix() -> Matrix:
    return Matrix(numpy)


KINDS: list[Callable[[], Vectors]] = [matrix, Plain]


def cosine(one: list[float], other: list[float]) -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / (math.hypot(*one) * math.hypot(*other))


@pytest.mark.parametrize("made", KINDS)
@given(st.lists(NUMBERS, max_size=40), NUMBERS, st.integers(1, 10), st.sets(st.integers(0, 40)))
def test_the_nearest_are_found(
    made: Callable[[], Vectors], given: list[list[float]], asked: list[float], most: int, gone: set[int]
) -> None:
    index = made()
    some = [(str(number), array("f", vector)) for number, vector in enumerate(given)]
    for id, numbers in some[::2]:
        index.add(id, numbers)
    index.fill(some[1::2])
    for number in gone:
        index.drop(str(number))
    left = {str(n): vector for n, vector in enumerate(given) if n not in gone and any(vector)}
    found = index.search(asked, most)
    if not any(asked):
        assert found == []
        return
    scores = sorted((cosine(vector, asked) for vector in left.values()), reverse=True)
    assert [score for _, score in found] == pytest.approx(scores[:most], abs=1e-5)
    for id, score in found:
        assert score == pytest.approx(cosine(left[id], asked), abs=1e-5)


@pytest.mark.parametrize("made", KINDS)
def test_what_has_no_direction_or_another_length_is_left_out(made: Callable[[], Vectors]) -> None:
    index, filled = made(), made()
    odd: dict[str, list[float]] = {"a": [1, 0], "b": [0, 0], "c": [1, 2, 3], "d": [math.inf, 1], "e": [math.nan, 1]}
    for id, numbers in odd.items():
        index.add(id, array("f", numbers))
    filled.fill([(id, array("f", numbers)) for id, numbers in odd.items()])
    filled.fill([])
    assert filled.search([2, 0], 9) == index.search([2, 0], 9)
    assert [id for id, _ in index.search([2, 0], 9)] == ["a"]
    assert index.search([1, 2, 3], 9) == [] and index.search([math.nan, 1], 9) == []
    index.add("a", array("f", [0, 1]))
    assert index.search([2, 0], 9)[0][1] == 0


def test_without_numpy_there_is_a_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    assert type(vectors()) is Matrix
    monkeypatch.setattr(module, "import_module", missing)
    assert type(vectors()) is Plain
