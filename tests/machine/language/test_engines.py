"""Two engines that know nothing of each other, on expressions made by rule: they give the same value, or both none.

And the chains of names that are followed without an engine, against the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonata2py
from hypothesis import given, settings
from hypothesis import strategies as st

from overwinter.orchestrator.machine.language.failure import QueryError
from overwinter.orchestrator.machine.language.jsonata import DEFAULT, Limits, compile_expression
from overwinter.orchestrator.machine.language.numbers import settled
from overwinter.orchestrator.machine.language.scope import Scope

NONE = "nothing, null or an error"
"""The second engine can't tell null from undefined everywhere, and words and codes of errors are not compared."""

INPUT = {
    "orders": [
        {"id": "A-1", "price": 12.5, "quantity": 2, "tags": ["new", "cheap"], "to": {"city": "Bern"}},
        {"id": "A-2", "price": 7, "quantity": 0, "tags": [], "to": {"city": "Wien"}},
        {"id": "B-3", "price": 100, "quantity": 10, "tags": ["old"], "open": True},
    ],
    "limit": 10,
    "name": "Zoë",
    "flags": {"a": True, "b": False},
    "matrix": [[1, 2], [3]],
}

numbers: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["0", "1", "2", "-3", "1.5", "10", "$states.input.limit", "$sum($states.input.orders.price)"]),
        st.builds("({} {} {})".format, numbers, st.sampled_from("+-*"), numbers),
        st.builds("$count({})".format, lists),
        st.builds("$sum({}.(price * quantity))".format, orders),
        st.builds(
            "$max({})".format, st.sampled_from(["$states.input.orders.price", "[1, 5, 3]", "$states.input.matrix"])
        ),
        st.builds("$length({})".format, strings),
        st.builds("{}($floor({}))".format, st.sampled_from(["$abs", "$floor", "$ceil", "$round"]), numbers),
        st.builds("({} ? {} : {})".format, conditions, numbers, numbers),
    )
)
strings: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["'x'", '"a b"', "''", "$states.input.name", "$states.input.orders[0].id", "$name"]),
        st.builds("({} & {})".format, strings, strings | numbers),
        st.builds("{}({})".format, st.sampled_from(["$uppercase", "$lowercase", "$trim"]), strings),
        st.builds("$string({})".format, numbers),
        st.builds("$substring({}, {})".format, strings, st.sampled_from(["0", "1", "-2"])),
        st.builds("$join({}.id, ',')".format, orders),
        st.builds("$substringBefore({}, '-')".format, strings),
        st.builds("$replace({}, /[A-C]/, '.')".format, strings),
        st.builds("$pad({}, 8, '#')".format, strings),
    )
)
conditions: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["true", "false", "$states.input.flags.a", "$exists($states.input.nope)", "quantity > 1"]),
        st.builds("{} {} {}".format, numbers, st.sampled_from(["<", ">", "<=", ">=", "=", "!="]), numbers),
        st.builds("({} {} {})".format, conditions, st.sampled_from(["and", "or"]), conditions),
        st.builds("$not({})".format, conditions),
        st.builds("$contains({}, 'a')".format, strings),
        st.builds("'new' in {}.tags".format, orders),
    )
)
orders: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.just("$states.input.orders"),
        st.builds(
            "$states.input.orders[{}]".format, st.sampled_from(["0", "-1", "5", "quantity > 1", "open", "price < 50"])
        ),
        st.builds("($states.input.orders^({}))".format, st.sampled_from(["price", ">price", "quantity, <id"])),
        st.builds("$filter({}, function($o) {{ $o.price > {} }})".format, orders, numbers),
    )
)
lists: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.builds(
            "{}{}".format, orders, st.sampled_from([".id", ".tags", ".to.city", ".nope", ".price", ".(price * 2)", ""])
        ),
        st.builds("[{}, {}]".format, numbers, strings),
        st.sampled_from(["[]", "[1..4]", "$states.input.matrix", "$keys($states.input)", "$states.input.flags.*"]),
        st.builds("$map({}, function($v, $i) {{ $i }})".format, lists),
        st.builds("$append({}, {})".format, lists, lists),
        st.builds("$reverse({})".format, lists),
        st.builds("$distinct({})".format, lists),
        st.builds("$sort({}.price)".format, orders),
        st.builds("$split({}, '-')".format, strings),
    )
)
objects = st.one_of(
    st.builds('{{"n": {}, "s": {}, "l": {}}}'.format, numbers, strings, lists),
    st.builds("{}{{id: price}}".format, orders),
    st.builds("$merge([$states.input.flags, {{'c': {}}}])".format, conditions),
    st.builds("{} ~> |$|{{'x': {}}}|".format, orders, numbers),
    st.builds("($x := {}; {{'x': $x, 'y': $x}})".format, lists),
)


def first(expression: str) -> Any:
    scope = Scope(states={"input": INPUT}, variables={"name": "n"})
    try:
        value = compile_expression(expression).evaluate(scope, limits=Limits(depth=500))
    except QueryError:
        return NONE
    return NONE if value is None else value


def second(expression: str) -> Any:
    bindings = jsonata2py.JsonataBindings().bind_value("states", {"input": INPUT}).bind_value("name", "n")
    try:
        value = jsonata2py.compile(expression).evaluate(jsonata2py.MISSING, bindings)
    except jsonata2py.JsonataError:
        return NONE
    return NONE if value is None or value is jsonata2py.MISSING else value


@settings(max_examples=500, derandomize=True)
@given(numbers | strings | conditions | orders | lists | objects)
def test_two_engines_agree(expression: str) -> None:
    assert first(expression) == second(expression)


names = st.sampled_from(["a", "b", "and", "in"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("xyz", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=300)
@given(st.lists(names, max_size=4), values)
def test_a_chain_of_names_is_what_the_engine_makes_of_it(chain: list[str], value: Any) -> None:
    """Also where the engine is given no more of the data than it reads."""
    text = ".".join(["$v", *chain])
    scope = Scope(variables={"v": value})
    expression = compile_expression(text)
    outcomes: list[Any] = []
    ways: list[Callable[[], Any]] = [
        lambda: expression.evaluate(scope),
        lambda: expression._evaluated(scope, "", DEFAULT),
    ]
    for evaluate in ways:
        try:
            outcomes.append(evaluate())
        except QueryError as error:
            outcomes.append(error.cause)
    try:
        outcomes.append(compile_expression(f"({text})").evaluate(scope))
    except QueryError as error:
        outcomes.append(error.cause.replace(f"({text})", text))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert settled(outcomes[0]) == outcomes[0]
