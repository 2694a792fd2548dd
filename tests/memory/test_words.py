"""Both searches by words find the same, whatever the texts, and nothing that was dropped."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.functions.memory import words as module
from overwinter.functions.memory.words import FullText, Plain, Words, words

KINDS: list[Callable[[], Words]] = [FullText, Plain]
BOTH = pytest.mark.parametrize("made", KINDS)

TEXTS = {
    "tea": "Ana likes green tea",
    "order": "The order o-17 was late, and Ana was angry",
    "city": "She lives in Köln",
    "cold": "Nobody likes the cold",
}


def filled(made: Callable[[], Words]) -> Words:
    index = made()
    for id, text in TEXTS.items():
        index.add(id, text)
    return index


@BOTH
def test_the_best_stands_first(made: Callable[[], Words]) -> None:
    index = filled(made)
    assert index.search("does she like green tea?", 10)[0] == "tea"
    assert set(index.search("likes", 10)) == {"tea", "cold"}
    assert index.search("o-17", 10) == ["order"]
    assert index.search("KOLN", 10) == ["city"]
    assert len(index.search("Ana likes", 1)) == 1


@BOTH
def test_what_is_dropped_is_not_found(made: Callable[[], Words]) -> None:
    index = filled(made)
    index.drop("tea", TEXTS["tea"])
    assert index.search("green tea", 10) == []
    assert set(index.search("likes", 10)) == {"cold"}
    index.drop("tea", TEXTS["tea"])
    index.add("tea", "Ana likes black tea")
    assert index.search("black tea", 10) == ["tea"] and index.search("green", 10) == []


@BOTH
@given(texts=st.lists(st.text(max_size=40), max_size=8), question=st.text(max_size=40))
def test_any_text_and_any_question(made: Callable[[], Words], texts: list[str], question: str) -> None:
    index, fresh = made(), made()
    for number, text in enumerate(texts):
        index.add(str(number), text)
        index.add(f"gone {number}", text)
        fresh.add(str(number), text)
    for number, text in enumerate(texts):
        index.drop(f"gone {number}", text)
    assert sorted(index.search(question, 100)) == sorted(fresh.search(question, 100))


@BOTH
def test_of_many_texts_the_rarest_words_decide(made: Callable[[], Words], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WEIGHED", 10)
    index = made()
    for number in range(30):
        index.add(str(number), f"the customer said {'lamp' if number == 7 else 'nothing'}")
    assert index.search("what has the customer said of the lamp", 100) == ["7"]
    assert len(index.search("the", 100)) == 30  # a question of such words alone is answered all the same


def test_without_fts5_there_is_a_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Without(FullText):
        def __init__(self) -> None:
            raise sqlite3.OperationalError("no such module: fts5")

    assert type(words()) is FullText
    monkeypatch.setattr(module, "FullText", Without)
    assert type(words()) is Plain
