"""The port to JSONata: what it draws and tells the time by, its limits, what it knows of an expression and loads."""

from __future__ import annotations

import subprocess
import sys
from types import MappingProxyType
from typing import Any

import pytest

from overwinter.orchestrator.machine.language.chance import Chance
from overwinter.orchestrator.machine.language.failure import QUERY, QueryError
from overwinter.orchestrator.machine.language.jsonata import Limits, compile_expression
from overwinter.orchestrator.machine.language.kinds import kind_of
from overwinter.orchestrator.machine.language.scope import Scope
from overwinter.orchestrator.machine.language.template import compile_query


def evaluate(expression: str, seed: int = 1, now: int = 0, limits: Limits | None = None, **variables: Any) -> Any:
    scope = Scope(variables=variables, chance=Chance(seed), now=now, states={"input": {"a": 1}})
    return compile_expression(expression).evaluate(scope, "Output", limits)


@pytest.mark.parametrize("expression", ["$random()", "$uuid()", "$shuffle([1..50])", "[$random(), $uuid()]"])
def test_what_is_drawn_depends_on_the_seed_alone(expression: str) -> None:
    assert evaluate(expression) == evaluate(expression)
    assert evaluate(expression) != evaluate(expression, seed=2)


def test_one_scope_draws_something_new_each_time() -> None:
    scope = Scope(chance=Chance(1))
    drawn = [compile_expression("$random()").evaluate(scope) for _ in range(3)]
    assert len(set(drawn)) == 3
    both = compile_query({"a": "{% $uuid() %}", "b": "{% $uuid() %}"}, "Output").render(Scope(chance=Chance(1)))
    assert both["a"] != both["b"]


def test_null_that_depends_on_a_draw_is_drawn_once() -> None:
    """The engine is asked again to tell null from nothing; the answer must be the same."""
    for seed in range(20):
        scope = Scope(chance=Chance(seed))
        assert compile_expression("$random() < 2 ? null : nothing").evaluate(scope) is None
    answers: set[str] = set()
    for seed in range(20):
        try:
            assert evaluate("$random() < 0.5 ? null : nothing", seed) is None
            answers.add("null")
        except QueryError as error:
            assert error.cause.endswith("returned nothing (undefined).")
            answers.add("nothing")
    assert answers == {"null", "nothing"}


def test_time_is_what_the_scope_says() -> None:
    assert evaluate("$now() & ' ' & $millis()", now=1_700_000_000_123) == "2023-11-14T22:13:20.123Z 1700000000123"


@pytest.mark.parametrize(
    ("expression", "limits", "words"),
    [
        ("$sum([1..1000].($ * 2))", Limits(steps=100), "timeout: Check for infinite loop"),
        (f"$contains('{'a' * 40}b', /(a+)+$/)", Limits(seconds=0.01), "timeout: Check for infinite loop"),
        ("(((1)))", Limits(depth=2), "Stack overflow error"),
        ("[1..11]", Limits(items=10), "memory limit exceeded"),
        ("'abc' & 'defgh'", Limits(characters=7), "memory limit exceeded"),
        ("$pad('', 100000000, 'x')", None, "D2016: The size of the string"),
    ],
)
def test_limits(expression: str, limits: Limits | None, words: str) -> None:
    with pytest.raises(QueryError, match=words) as caught:
        evaluate(expression, limits=limits)
    assert caught.value.error == QUERY
    assert f"The JSONata expression '{expression}' specified for the field 'Output' threw" in caught.value.cause


def test_a_variable_hides_a_function_of_the_same_name() -> None:
    assert evaluate("$range & 'x'", range=1) == "1x"
    assert evaluate("$uuid", uuid=7) == 7


def test_no_variable_makes_eval_come_back() -> None:
    with pytest.raises(QueryError, match="T1006"):
        evaluate("$eval('1')")
    with pytest.raises(QueryError, match="T1006"):
        evaluate("($e := $eval; $e('1'))")


@pytest.mark.parametrize("text", ["eval", "$ eval"])
def test_eval_by_another_way_is_none_either(text: str) -> None:
    with pytest.raises(QueryError):
        evaluate(f"$map(['1'], ${text})" if text == "eval" else f"{text}('1')")


@pytest.mark.parametrize(
    ("expression", "names", "reads_input"),
    [
        ("$states.input.a", {"states"}, False),
        ("$a + $b.c", {"a", "b"}, False),
        ("($x := 1; $x + $y)", {"y"}, False),
        ("$map($l, function($v) { $v.a })", {"l"}, False),
        ("$parse($x).y", {"x"}, False),
        ("$uuid() & $hash($x, 'MD5') & $random()", {"x"}, False),
        ("$", set(), True),
        ("$$.a", set(), True),
        ("order.id", set(), True),
        ("1", set(), False),
    ],
)
def test_what_an_expression_reads(expression: str, names: set[str], reads_input: bool) -> None:
    compiled = compile_expression(expression)
    assert compiled.names is not None and set(compiled.names) == names
    assert compiled.reads_input is reads_input


def test_a_result_may_be_kept_while_its_input_is_kept_too() -> None:
    given = {"l": [1, {"a": 2}]}
    kept = evaluate("$v.l", v=given)
    assert kept == given["l"]
    assert compile_expression("$states").evaluate(Scope(states=MappingProxyType({"input": given}))) == {"input": given}


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "boolean"), (1, "number"), (1.5, "number"), ("", "string"), ([], "array"), ({}, "object")],
)
def test_a_field_takes_one_kind(value: Any, kind: str) -> None:
    assert kind_of(value) == kind
    query = compile_query("{% $v %}", "Choices[0]/Condition")
    scope = Scope(variables={"v": value})
    if kind == "boolean":
        assert query.expect(scope, "boolean") is value
        return
    with pytest.raises(QueryError) as caught:
        query.expect(scope, "boolean")
    assert caught.value.cause.startswith(
        "The JSONata expression '$v' specified for the field 'Choices[0]/Condition' returned an unexpected result "
        f"type. Expected 'boolean', but was '{kind}' for value: "
    )


def test_a_constant_of_another_kind_is_told_of_too() -> None:
    with pytest.raises(
        QueryError, match=r"The value specified for the field 'Seconds' .* was 'string' for value: \"5\""
    ):
        compile_query("5", "Seconds").expect(Scope(), "number")


def test_the_libraries_are_loaded_when_they_are_needed() -> None:
    """Most machines use reference paths alone; a process that runs none should not load a thing."""
    code = (
        "import sys\n"
        "from overwinter.orchestrator.machine.language import choice, jsonata, paths, template, variables\n"
        "template.compile_payload({'a.$': '$.b[0]', 'c.$': \"States.Format('{}', $.d)\"})\n"
        "print(sorted({'jlens', 'jsonpath'} & set(sys.modules)))\n"
        "paths.compile_path('$.a[*]')\n"
        "print(sorted({'jlens', 'jsonpath'} & set(sys.modules)))\n"
        "jsonata.compile_expression('1')\n"
        "print(sorted({'jlens', 'jsonpath'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["[]", "['jsonpath']", "['jlens', 'jsonpath']"]
