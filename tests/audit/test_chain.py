"""A chain of texts: whatever one thing is changed, taken out or put elsewhere is found, and named."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from overwinter.security.chain import LENGTH, link_of, linked, linked_all, prove, root, without
from overwinter.state.codec import dumps

TEXTS = st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=8), max_size=3), min_size=1)
NAME = root("x")


def chain(facts: list[dict[str, object]]) -> list[str]:
    return linked_all(NAME, [dumps({"type": "step", **fact}) for fact in facts])[0]


@given(TEXTS)
def test_a_chain_holds_and_its_texts_are_still_the_same(facts: list[dict[str, object]]) -> None:
    texts = chain(facts)
    proof = prove(NAME, texts)
    assert (proof.broken, proof.begins, proof.number, proof.last) == ([], 1, len(texts), link_of(texts[-1]))
    for text, fact in zip(texts, facts, strict=True):
        told = json.loads(text)
        assert len(told.pop("link")) == LENGTH and told == json.loads(without(text)) == {"type": "step", **fact}


@given(TEXTS, st.data())
def test_whichever_character_is_changed_the_entry_is_named(facts: list[dict[str, object]], data: st.DataObject) -> None:
    texts = chain(facts)
    which = data.draw(st.integers(0, len(texts) - 1))
    text = texts[which]
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda one: one != text[at]))
    texts[which] = text[:at] + other + text[at + 1 :]
    proof = prove(NAME, texts)
    if link_of(texts[which]) or len(texts) > 1:
        assert which + 1 in [one.number for one in proof.broken] or which + 2 in [one.number for one in proof.broken]
        assert {one.number for one in proof.broken} <= {which + 1, which + 2}
    else:
        assert proof.begins == 0  # an only entry without a link: it is said that nothing is proven


@given(st.lists(st.integers(), min_size=2, unique=True), st.data())
def test_what_is_taken_out_or_put_elsewhere_is_named(numbers: list[int], data: st.DataObject) -> None:
    texts = chain([{"n": number} for number in numbers])
    out = data.draw(st.integers(0, len(texts) - 2))
    assert [one.number for one in prove(NAME, texts[:out] + texts[out + 1 :]).broken] == [out + 1]
    swapped = [*texts]
    swapped[out], swapped[out + 1] = swapped[out + 1], swapped[out]
    assert prove(NAME, swapped).broken[0].number == out + 1
    twice = texts[: out + 1] + texts[out:]
    assert [one.number for one in prove(NAME, twice).broken] == [out + 2]


def test_a_chain_can_not_stand_in_another_ones_place() -> None:
    assert [one.number for one in prove(root("y"), chain([{"n": 1}, {"n": 2}])).broken] == [1]


def test_what_is_older_than_links_is_read_and_the_chain_begins_where_it_begins() -> None:
    old = ['{"type":"start"}', '{"type":"step"}']
    later = linked_all(NAME, ['{"type":"step","n":3}', '{"type":"completed"}'])[0]
    proof = prove(NAME, old + later)
    assert (proof.broken, proof.begins) == ([], 3)
    assert [one.number for one in prove(NAME, [*old, *later, '{"type":"step"}']).broken] == [5]


def test_the_text_of_a_link_is_what_the_documents_say() -> None:
    import base64
    import hashlib

    text = linked("before", '{"a":1}')
    digest = base64.b64encode(hashlib.sha256(b'before\n{"a":1}').digest()[:24]).decode()
    assert text == f'{{"a":1,"link":"{digest}"}}'
