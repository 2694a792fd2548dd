"""Filters are those of the CloudEvents Subscriptions API, told of as data, and refused when they are not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.functions.bus.filters import attributes_of, checked, matches, one_of
from overwinter.functions.event import CloudEvent
from overwinter.state.codec import dumps, loads
from overwinter.state.errors import InvalidInput

EVENT = CloudEvent(
    id="1", source="/shop/de", type="order.paid", subject="o-7", extensions={"region": "eu", "level": 7, "urgent": True}
)
ATTRIBUTES = attributes_of(EVENT)


@pytest.mark.parametrize(
    ("filter", "meant"),
    [
        ({"exact": {"type": "order.paid"}}, True),
        ({"exact": {"type": "order.Paid"}}, False),
        ({"exact": {"type": "order.paid", "region": "us"}}, False),
        ({"exact": {"level": "7", "urgent": "true"}}, True),
        ({"exact": {"missing": "x"}}, False),
        ({"not": {"exact": {"missing": "x"}}}, True),
        ({"prefix": {"type": "order.", "source": "/shop"}}, True),
        ({"prefix": {"type": "paid"}}, False),
        ({"suffix": {"type": ".paid"}}, True),
        ({"all": [{"prefix": {"type": "order."}}, {"suffix": {"source": "/de"}}]}, True),
        ({"all": [{"prefix": {"type": "order."}}, {"suffix": {"source": "/us"}}]}, False),
        ({"any": [{"exact": {"region": "us"}}, {"exact": {"subject": "o-7"}}]}, True),
        ({"any": [{"exact": {"region": "us"}}]}, False),
        ({"not": {"any": [{"exact": {"region": "us"}}]}}, True),
    ],
)
def test_dialects(filter: dict[str, Any], meant: bool) -> None:
    assert matches(checked(filter), ATTRIBUTES) is meant


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"exact": {}}, {"exact": {"type": ""}}, {"exact": {"type": 7}}, {"exact": {"data": "x"}}, {"exact": "type"},
        {"all": []}, {"any": {}}, {"not": []}, {"not": {"all": []}}, {"like": {"type": "x"}}, "type", None,
        {"exact": {"type": "x"}, "prefix": {"type": "x"}}, {"exact": {"Type": "x"}}, {"sql": "type = 'x'"},
    ],
)  # fmt: skip
def test_what_is_no_filter_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        checked(wrong)


def test_one_of_several_values() -> None:
    assert one_of("type", "a") == {"exact": {"type": "a"}}
    assert matches(one_of("type", ["a", "order.paid"]), ATTRIBUTES)
    with pytest.raises(InvalidInput):
        one_of("type", [])


NAMES = st.sampled_from(["type", "source", "region", "level"])
TEXTS = st.text("ab", min_size=1, max_size=3)
FILTERS: st.SearchStrategy[Any] = st.recursive(
    st.builds(
        lambda dialect, said: {dialect: said},
        st.sampled_from(["exact", "prefix", "suffix"]),
        st.dictionaries(NAMES, TEXTS, min_size=1, max_size=2),
    ),
    lambda inner: st.one_of(
        st.builds(
            lambda dialect, said: {dialect: said},
            st.sampled_from(["all", "any"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(lambda one: {"not": one}, inner),
    ),
    max_leaves=6,
)


def said_otherwise(filter: dict[str, Any], event: dict[str, str]) -> bool:
    """The specification, read once more."""
    if "not" in filter:
        return not said_otherwise(filter["not"], event)
    if "all" in filter:
        return [said_otherwise(one, event) for one in filter["all"]].count(False) == 0
    if "any" in filter:
        return [said_otherwise(one, event) for one in filter["any"]].count(True) > 0
    ((dialect, wanted),) = filter.items()
    for name, value in wanted.items():
        has = event.get(name)
        if has is None:
            return False
        part = {"exact": has, "prefix": has[: len(value)], "suffix": has[-len(value) :]}[dialect]
        if part != value:
            return False
    return True


@given(FILTERS, st.dictionaries(NAMES, TEXTS))
def test_filters_mean_what_the_specification_says(filter: dict[str, Any], event: dict[str, str]) -> None:
    assert matches(loads(dumps(checked(filter))), event) is said_otherwise(filter, event)
