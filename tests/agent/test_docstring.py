"""Docstrings of three styles say what a model is told of a function and its parameters; nothing in them gets lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Agent, Context, tool, workflow
from overwinter.functions.framework.target import served
from overwinter.functions.tools.docstring import read

GOOGLE = """Do it.

Args:
    one: The first
        of them.
    *two (int, optional): The second.

Raises:
    KeyError: no.
"""
NUMPY = """Do it.

Parameters
----------
one : str
    The first
    of them.
two
    The second.

Returns
-------
str
    x
"""
REST = """Do it.

:param one: The first
    of them.
:type one: str
:param int two: The second.
:returns: x
"""


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, REST])
def test_docstrings_of_three_styles_say_the_same(docstring: str) -> None:
    text, parameters = read(docstring)
    assert text == "Do it."
    assert parameters == {"one": "The first of them.", "two": "The second."}


@pytest.mark.parametrize("docstring", [None, "", "Args:", "Args:\n    none", "Parameters\n---", ":param:", "----"])
def test_any_docstring_can_be_read(docstring: str | None) -> None:
    assert read(docstring).parameters == {}


REFUND = """Refund an order.

Important: never refund twice.

Args:
    order_id (str): Like A-1.
    lines (dict[str, tuple(int, int)]): What of it.

    These are looked up first.
    audit: Not a parameter.

Keyword Args:
    reason: Why.

Other Parameters:
    at: When.

Note:
    Refunds above 100 take a day.

Returns:
    A receipt.

Raises:
    KeyError: there is none.

---
Ask the customer first.

Example:
    refund("A-1")
"""
NUMPYS = """Refund an order.

Parameters
----------
order_id, reason : str
    Like A-1.

Other Parameters
----------------
at
    When.
audit : str
    Not a parameter.

Returns
-------
str
    A receipt.
int
    Its number.

Ask the customer first.

Important
---------
Never twice.
"""
FIELDS = """Refund an order.

:param str order_id: Like A-1.
:keyword reason: Why,
    in a word.
:key at: When.
:type at: str
:rtype: str
:raises KeyError: there is none
:meta important: never twice

Ask the customer first.
"""
NAMES = ("order_id", "lines", "reason", "at")


def test_all_that_is_said_of_parameters_is_found_and_all_else_is_text() -> None:
    text, parameters = read(REFUND, NAMES)
    assert parameters == {"order_id": "Like A-1.", "lines": "What of it.", "reason": "Why.", "at": "When."}
    for kept in ("Important: never", "looked up first", "audit: Not", "Refunds above 100", "Ask the", "refund("):
        assert kept in text
    for left in ("Returns", "receipt", "Raises", "KeyError", "Keyword", "Other", "Like A-1"):
        assert left not in text


def test_in_the_style_of_numpy() -> None:
    text, parameters = read(NUMPYS, NAMES)
    assert parameters == {"order_id": "Like A-1.", "reason": "Like A-1.", "at": "When."}
    assert re.sub(r"\s+", " ", text) == (
        "Refund an order. audit : str Not a parameter. Ask the customer first. Important --------- Never twice."
    )


def test_in_the_style_of_sphinx() -> None:
    text, parameters = read(FIELDS, NAMES)
    assert parameters == {"order_id": "Like A-1.", "reason": "Why, in a word.", "at": "When."}
    assert text == "Refund an order.\n\n:meta important: never twice\n\nAsk the customer first."


LINES = """
Args:
Keyword Args:
Parameters
----------
---
Returns:
Notes:
Important: yes

:x:
:param one: w1
:keyword two: w2
    one: w3
    w4 (see: w5)
one : int
    w6
        w7
w8
""".splitlines()


@given(st.lists(st.sampled_from(LINES), max_size=12))
def test_no_word_outside_of_what_is_left_out_gets_lost(lines: list[str]) -> None:
    docstring = "First.\n" + "\n".join(lines)
    text, parameters = read(docstring, ("one", "two"))
    told = " ".join([text, *parameters.values()])
    if "Returns:" not in lines:
        assert all(told.count(word) >= docstring.count(word) for word in (f"w{number}" for number in range(1, 9)))
    assert set(parameters) <= {"one", "two"}


def test_a_tool_and_a_workflow_as_a_tool_tell_it() -> None:
    @tool
    def refund(order_id: str, *, reason: str = "") -> str:
        """Refund.

        Args:
            order_id: Like A-1.

        Keyword Args:
            reason: Why.

        Important: never twice.
        """
        return order_id

    @workflow
    async def audit(ctx: Context, order_id: str) -> str:
        """Look into it.

        Args:
            order_id: Like A-1.
        """
        return order_id

    lent, child = Agent("desk", "scripted:echo", tools=[refund, audit]).request(()).tools
    assert lent.description == "Refund.\n\nImportant: never twice."
    described = {name: told["description"] for name, told in lent.parameters["properties"].items()}
    assert described == {"order_id": "Like A-1.", "reason": "Why."}
    assert child.description == "Look into it.\n\nArgs:\n    order_id: Like A-1."
    assert served(refund) is not refund
