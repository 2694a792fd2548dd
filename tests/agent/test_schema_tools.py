"""A tool of a JSON schema and something to call, as servers of tools describe theirs."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import Any

import pytest

from overwinter import Agent, run, tool
from overwinter.functions.framework.target import served
from overwinter.functions.http.openapi import document
from overwinter.functions.model import Scripted, call
from overwinter.functions.tools.schema_parameters import SchemaParameters
from overwinter.functions.tools.tool import Tool
from overwinter.state.errors import InvalidInput

SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1, "description": "Where."},
        "days": {"$ref": "#/definitions/days"},
        "unit-of-heat": {"enum": ["C", "F"]},
    },
    "definitions": {"days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
    "additionalProperties": False,
}


async def remote(server: str, name: str, /, **arguments: Any) -> dict[str, Any]:
    return {"server": server, "tool": name, **arguments}


def forecast() -> Any:
    """As one listens to what an MCP server lists, and calls it."""
    return tool(name="forecast", description="Tell the weather.", schema=SCHEMA)(partial(remote, "mcp", "forecast"))


def of(function: object) -> Tool:
    found = served(function)
    assert isinstance(found, Tool)
    return found


def test_the_model_reads_the_schema_and_the_callable_gets_what_fits() -> None:
    arguments = {"city": "Oslo", "unit-of-heat": "C"}
    script = [call("forecast", **arguments), call("forecast", city=5, days=0), call("forecast"), "done"]
    told: list[str] = []

    def listening(messages: Any, tools: Any) -> Any:
        told.extend(message.content for message in messages[-1:])
        assert tools[0].parameters == SCHEMA and tools[0].description == "Tell the weather."
        return script[len(told) - 1]

    agent = Agent("desk", Scripted(listening), tools=[forecast()])
    assert run(agent, "?", store="memory://") == "done"
    assert told[1] == '{"server":"mcp","tool":"forecast","city":"Oslo","unit-of-heat":"C"}'
    assert "city: 5 is not of type 'string'; days: 0 is less than the minimum of 1" in told[2]
    assert "'city' is a required property" in told[3]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"city": ""}, "city: "),
        ({"city": "Oslo", "when": 1}, "'when' was unexpected"),
        ({"city": "Oslo", "unit-of-heat": "K"}, "'K' is not one of"),
        ({"city": "x" * 5000, "days": "y" * 5000}, "…"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(arguments: Any, complaint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        of(forecast()).check(arguments)
    assert complaint in str(caught.value) and len(str(caught.value)) < 700


def test_it_is_a_tool_like_others() -> None:
    asked = tool(name="forecast", schema=SCHEMA, effect="irreversible", approval=lambda **given: given["city"])(remote)
    assert of(asked).role({"city": "Oslo"}) == "Oslo" and of(asked).policy.at_most_once and not of(asked).threaded
    described = document({"forecast": of(asked)}, "1", secured=False)["paths"]["/tools/forecast"]["post"]
    body = described["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["city"] == SCHEMA["properties"]["city"]


@pytest.mark.parametrize("schema", [{"type": "string"}, {"properties": []}, {"type": ["object", "null"]}])
def test_a_schema_of_no_object_is_refused_at_once(schema: Any) -> None:
    with pytest.raises(InvalidInput, match="not one of an object"):
        tool(name="x", schema=schema)(remote)


def test_what_is_wrong_with_a_schema_is_told_before_it_is_called() -> None:
    assert "is none" in of(tool(name="x", schema={"properties": {"a": {"type": "strange"}}})(remote)).lost
    for place in ("http://127.0.0.1:1/a.json", "#/$defs/nowhere", "other.json#/x"):  # and nothing is fetched
        pointing = of(tool(name="x", schema={"properties": {"a": {"anyOf": [{"$ref": place}]}}})(remote))
        assert f"points to '{place}', and there is nothing in it" in pointing.lost
        with pytest.raises(InvalidInput, match="points to"):
            pointing.check({"a": 1})


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#"}, "$ref": {"type": "string"}}},
        {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a/not"}], "not": {}}}},
        {"properties": {"a": {"enum": [{"$ref": "#/data"}], "default": {"$ref": "nowhere"}}}},
        {"properties": {"a": {"$ref": "#here"}}, "$defs": {"b": {"$anchor": "here"}}},
        {"properties": {"a": {"$ref": "b.json"}}, "$defs": {"b": {"$id": "b.json", "items": {"$ref": "#/$defs/c"}}}},
    ],
)
def test_references_that_lead_somewhere_are_sound(schema: Any) -> None:
    assert of(tool(name="x", schema=schema)(remote)).lost == ""


def test_numbers_that_no_float_can_hold_are_refused() -> None:
    counting = of(tool(name="x", schema={"properties": {"c": {"type": "number"}, "i": {"type": "integer"}}})(remote))
    for arguments, place in (({"c": 10**400}, "c"), ({"i": -(10**400)}, "i"), ({"more": [10**400]}, "more")):
        with pytest.raises(InvalidInput, match=f"^{place}.*a number that a float can hold"):
            counting.check(arguments)
    counting.check({"c": 10**300, "i": 2**64})


def test_a_missing_library_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema.validators", None)
    assert "pip install 'overwinter[schemas]'" in of(forecast()).lost


def test_the_library_is_imported_when_something_is_checked() -> None:
    code = (
        "import sys; from overwinter import Agent, tool; f = tool(name='x', schema={'type': 'object'})(print); "
        "Agent('a', 'scripted:echo', tools=[f]).request([]); print('jsonschema' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("wrong", ["abc", True, 3])
def test_what_is_no_schema_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="JSON schema as a dict"):
        tool(name="forecast", description="Tell the weather.", schema=wrong)(partial(remote, "mcp", "forecast"))


@pytest.mark.parametrize("keyword", ["pattern", "patternProperties", "unevaluatedProperties"])
def test_a_pattern_can_hold_nobody_up(keyword: str) -> None:
    bad, text = "^(a+)+$", "a" * 60 + "!"  # with Python's own engine this would not end within a lifetime
    schema: dict[str, Any] = {"type": "object", "properties": {"x": {"type": "string", "pattern": bad}}}
    if keyword != "pattern":
        closed = "additionalProperties" if keyword == "patternProperties" else keyword
        schema = {"type": "object", "patternProperties": {bad: {"type": "string"}}, closed: False}
    checked = SchemaParameters(schema, "t")
    if keyword == "unevaluatedProperties":
        assert checked.read({text: "1"}) == {text: "1"}  # what only patterns tell is left to the server
        return
    with pytest.raises(InvalidInput, match="does not match" if keyword == "pattern" else "aaa!' was unexpected"):
        checked.read({"x": text} if keyword == "pattern" else {text: "1"})
    assert checked.read({"x": "aaa"} if keyword == "pattern" else {"aaa": "1"})


def test_patterns_are_found_anywhere_and_odd_ones_left_to_the_server() -> None:
    properties = {"code": {"pattern": r"\d{2}"}, "word": {"pattern": "(?=.*x)y"}}
    schema = {"type": "object", "properties": properties}
    checked = SchemaParameters(schema, "t")
    assert checked.read({"code": "ab12", "word": "-"}) == {"code": "ab12", "word": "-"}
    with pytest.raises(InvalidInput, match="code: 'ab1' does not match"):
        checked.read({"code": "ab1"})
    named = {"^x": {"type": "integer"}}
    odd = {"type": "object", "patternProperties": named, "additionalProperties": {"type": "string"}}
    checked = SchemaParameters(odd, "t")
    assert checked.read({"x1": 1, "y": "1"}) == {"x1": 1, "y": "1"}
    with pytest.raises(InvalidInput, match="x1: '1' is not of type 'integer'; y: 1 is not of type 'string'"):
        checked.read({"x1": "1", "y": 1})
