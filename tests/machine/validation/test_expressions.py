"""The syntax of paths, calls and JSONata as far as it is judged: what is sound, what is not and why, which variables
are read; and that without an engine for JSONata nothing sound is refused."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.orchestrator.machine.validation import expressions
from overwinter.orchestrator.machine.validation.jsonata_syntax import Reads, read_jsonata
from overwinter.orchestrator.machine.validation.jsonpath_syntax import FUNCTIONS


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("$", True),
        ("$.a", True),
        ("$.a.b[0]['c d'].e", True),
        ("$['a']", True),
        ('$["a"]', True),
        ("$.foo-bar", True),
        ("$.ä_1", True),
        ("$$", False),
        ("$$.Execution.Id", False),
        ("$x", False),
        ("$x.a[0]", False),
        ("$.a[*]", False),
        ("$..a", False),
        ("$.a..b", False),
        ("$.*", False),
        ("$.a[-1]", False),
        ("$.a[0:2]", False),
        ("$.a[::2]", False),
        ("$.a[0,1]", False),
        ("$['a','b']", False),
        ("$.a[?(@.b == 'x]')].c", False),
        ("$.a[?(@.b && @['c'] > 1)]", False),
        ("$.a.length()", False),
        ("$.a.@id", False),
        ("$[0].body", True),
        ("$.a[?(@.id == $.b)].c", False),
    ],
)
def test_paths(text: str, reference: bool) -> None:
    assert expressions.read_path(text).problem is None
    assert expressions.is_reference(text) is reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "$a b",
        "$.",
        "$.a.",
        "$.a[",
        "$.a[]",
        "$.a['b]",
        "$.a[?(@.b]",
        "$$23",
        "$.a b",
        " $.a",
        "$.a ",
        "$.[",
        "$5",
    ],
)
def test_what_is_no_path(text: str) -> None:
    assert expressions.read_path(text).problem


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("States.UUID()", set()),
        ("States.UUID( )", set()),
        ("States.Format('{} \\{\\} it\\'s {}', 1, $x.y)", {"x"}),
        ("States.Array()", set()),
        ("States.Array('a', 1, -2.5, 1e3, true, false, null, $, $$.Task.Token, $.a['b, c'], $y)", {"y"}),
        ('States.JsonMerge(States.StringToJson($.a), States.StringToJson(\'{"b": "c" }\'), false)', set()),
        ("States.ArrayGetItem($.a[?(@.x=='1')], States.MathAdd($i, -1))", {"i"}),
        ("States.MathRandom(1, 10)", set()),
        ("States.MathRandom(1, 10, 7)", set()),
    ],
)
def test_calls(text: str, variables: set[str]) -> None:
    found = expressions.read_call(text)
    assert found.problem is None and found.variables == variables


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_takes_its_number_of_arguments(name: str) -> None:
    least, most = FUNCTIONS[name]
    for count in range(6):
        found = expressions.read_call(f"States.{name}({', '.join(['$.a'] * count)})")
        right = least <= count and (most is None or count <= most)
        assert (found.problem is None) is right and found.mild is not right


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("States.Fromat('a')", "did you mean States.Format?"),
        ("States.", "should stand"),
        ("States.UUID", "should stand"),
        ("States.UUID(", "is no path"),
        ("States.UUID() ", "there is more"),
        ("States.Array($.a $.b)", "a comma or )"),
        ("States.Array($.a,)", "is no path"),
        ("States.Array('a)", "is no path"),
        ('States.Array("a")', "single quotes"),
        ("States.Array($.)", "is no path"),
        ("States.Array(" * 11 + ")" * 11, "10 deep"),
    ],
)
def test_what_is_no_call(text: str, said: str) -> None:
    found = expressions.read_call(text)
    assert found.problem is not None and said in found.problem and not found.mild


SOUND = {
    "$states.input.a + $x": {"x"},
    "($y := 1; $y + $z)": {"z"},
    "($even := function($n) { $n = 0 or $odd($n-1) }; $odd := function($n) { $even($n-1) }; $even(4))": set[str](),
    "$map($states.input.l, function($v, $i) { $v.a & $suffix })": {"suffix"},
    "'$not' & \"$nor\" & `$neither`": set[str](),
    "/* $comment */ $a.b[0].c": {"a"},
    "$partition($list, 2)": {"list"},
    "$states.input.items.(price * $rate)": {"rate"},
    "$states.input.items^(>price){category: $sum(price)}": set[str](),
    "$match('abc', /a(?:b)c/)": set[str](),
    "$states.context.Execution.Id": set[str](),
    "$uuid() & $hash('a', 'SHA-1') & $string($random())": set[str](),
}


@pytest.mark.parametrize("text", SOUND)
def test_what_jsonata_reads(text: str) -> None:
    pytest.importorskip("jlens")
    found = read_jsonata(text)
    assert (found.problem, found.unsupported, found.whole) == (None, None, "")
    assert found.variables == SOUND[text] and found.names == (() if "`" not in text else ("$neither",))


@pytest.mark.parametrize("text", SOUND)
def test_without_an_engine_variables_are_found_in_the_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jlens", None)
    read_jsonata.cache_clear()
    found = read_jsonata(text)
    read_jsonata.cache_clear()
    assert (found.problem, found.unsupported, found.names, found.whole) == (None, None, (), "")
    assert found.variables == SOUND[text]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("phone = 1", Reads(names=("phone",))),
        ("$.phone", Reads(names=("phone",))),
        ("$partition(list, 2)", Reads(names=("list",))),
        ("$$", Reads(whole="$$")),
        ("$", Reads(whole="$")),
        ("$eval('1')", Reads(unsupported="$eval is not supported by AWS")),
        ("$x ?: 1", Reads(unsupported="?: is not supported by AWS")),
        ("  ", Reads("it is empty")),
    ],
)
def test_what_aws_refuses(text: str, found: Reads) -> None:
    pytest.importorskip("jlens")
    assert read_jsonata(text) == found


@pytest.mark.parametrize("text", ["1 +", "{'a':}", '"unterminated', "$x :=", "$match('a', /abc", "a[1,2)", "("])
def test_what_is_no_jsonata(text: str) -> None:
    pytest.importorskip("jlens")
    assert read_jsonata(text).problem


@pytest.mark.parametrize(
    "piece", ["/*", '"', "'", "`", "function(", "(", "[", "$", "\\", "$x:=", "??", "[?(", "States.Array("]
)
def test_no_text_takes_for_ever(piece: str) -> None:
    text = piece * (300_000 // len(piece))
    read_jsonata(text + "a")
    read_jsonata(text + "a'")
    expressions.read_path("$" + text)
    expressions.read_path("$.a[?(" + text)
    expressions.read_call("States.Format(" + text)
    expressions.read_call("States.Format('" + text)
    expressions.read_call("States.Format($.a['" + text)
    expressions.is_reference("$" + text)


def test_half_a_character_is_none() -> None:
    assert read_jsonata("'\ud800'").problem


@given(st.text(alphabet="$.[]'\"()@?*:,{}ab1 \\/%=`", max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (expressions.read_path, expressions.read_call, expressions.read_jsonata):
        assert read(text).problem != ""
    expressions.read_call("States." + text)
    expressions.read_path("$" + text)
    expressions.is_reference(text)
