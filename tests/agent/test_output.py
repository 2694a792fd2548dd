"""Final answers of any type: how they are asked for, and that what is read is what comes back."""

from __future__ import annotations

from typing import Annotated, Any, Literal, assert_type, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from overwinter import Agent, Scripted, run, tool
from overwinter.functions.agents.output import Output
from overwinter.functions.agents.schemas import simplified
from overwinter.functions.models.chat import question
from overwinter.state.codec import decoder, dumps, form, loads
from overwinter.state.errors import InvalidInput

from .families import FAMILIES, Color, Dog, Node, Pet, Place, Point, Refusal, Resolution, Result


def lookup(order: str) -> str:
    """Look it up."""
    return order


SETTINGS = settings(max_examples=40, deadline=None)


def output(annotation: Any, **options: Any) -> Output:
    return Output(annotation, "desk", **options)


def key(asked: Output) -> str:
    """What the answer is wrapped in; "" for an object that is asked for as it is."""
    return "" if asked._plain else asked._key


def again(annotation: Any, stored: Any) -> Any:
    """What ``Runtime.result`` makes of it."""
    read = decoder(annotation)
    return stored if read is None else read(stored)


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


@pytest.mark.parametrize("family", FAMILIES)
@SETTINGS
@given(data=st.data())
def test_what_is_read_comes_back_as_the_same_value(family: str, data: st.DataObject) -> None:
    """Wrapped, bare, in a block of a text: it is the value, of the member of the union that it is of."""
    annotation, values = FAMILIES[family]
    value = data.draw(values)
    asked = output(annotation)
    said = dumps(form(annotation).write(value))
    wrapped = f'{{"{key(asked)}": {said}}}' if key(asked) else said
    for text in (wrapped, f"```json\n{wrapped}\n```", said):
        assert same(again(annotation, loads(dumps(asked.parse(text)))), value), text


@pytest.mark.parametrize("family", FAMILIES)
@SETTINGS
@given(data=st.data())
def test_what_is_asked_for_is_what_is_read(family: str, data: st.DataObject) -> None:
    """A model that keeps to the schema gives an answer that fits."""
    annotation, values = FAMILIES[family]
    asked = output(annotation)
    written = form(annotation).write(data.draw(values))
    schema = asked.schema.schema
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate({key(asked): written} if key(asked) else written)


@pytest.mark.parametrize("family", FAMILIES)
@SETTINGS
@given(data=st.data())
def test_a_call_of_an_output_tool_is_read_as_its_member(family: str, data: st.DataObject) -> None:
    annotation, values = FAMILIES[family]
    value = data.draw(values)
    asked = output(annotation, mode="tool")
    fit = []
    for name, schema in asked.tools.items():
        member = asked._members[name]
        Draft202012Validator.check_schema(schema.parameters)
        assert schema.parameters["type"] == "object"
        if member.label == "None":
            arguments: Any = {}
            matches = value is None
        else:
            written = form(annotation).write(value)
            arguments = written if member.plain else {"result": written}
            matches = Draft202012Validator(schema.parameters).is_valid(arguments)
        if matches:
            fit.append(again(annotation, asked.conclude(name, dumps(arguments))))
    assert any(same(found, value) for found in fit)


def test_every_member_has_a_tool_of_its_own() -> None:
    assert output(Resolution).names == ["final_result"]
    asked = output(Resolution | Refusal | None)
    assert asked.names == ["final_result_Resolution", "final_result_Refusal", "final_result_None"]
    assert asked.tools["final_result_Refusal"].description == "The final answer: Nothing can be done."
    assert output(list[int] | list[str]).names == ["final_result_list_int", "final_result_list_str"]
    assert output(Pet | int).names == ["final_result_Cat", "final_result_Dog", "final_result_int"]
    assert output(str | Resolution).names == ["final_result_Resolution"]  # any words are an answer


def test_members_of_one_name_have_tools_of_two() -> None:
    def other() -> Any:
        class Refusal(BaseModel):
            because: int

        return Refusal

    assert output(Refusal | other()).names == ["final_result_Refusal", "final_result_Refusal_2"]


def test_each_member_is_told_by_its_name() -> None:
    told = output(Place | Color | Resolution).schema.schema["properties"]["result"]["anyOf"]
    assert [member["title"] for member in told] == ["Place", "Color", "Resolution"]


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (Resolution | Refusal, '{"result": {"reason": "no"}}', {"reason": "no", "final": True}),
        (Resolution | Refusal, '{"reason": "no"}', {"reason": "no", "final": True}),
        (Result | Refusal, '{"result": 3}', {"result": 3, "value": None}),
        (Result | Refusal, '{"answer": {"result": 3}}', {"result": 3, "value": None}),
        (list[int], "Here you are:\n```json\n[1, 2]\n```\nAnything else?", [1, 2]),
        (Color, "deep blue", "deep blue"),
        (int | None, "null", None),
        (int | None, '{"result": null}', None),
        (str | Resolution, "It is solved.", "It is solved."),
        (str | Resolution, "42", "42"),
        (str | Resolution, '{"result": "solved"}', "solved"),
        (str | Resolution, 'I wrote:\n```json\n{"summary": "x"}\n```', 'I wrote:\n```json\n{"summary": "x"}\n```'),
        (str | Resolution, '```json\n{"summary": "x"}\n```', {"summary": "x", "refund": None}),
        (dict[str, Any], '{"result": 1}', {"result": 1}),
        (dict[str, Any] | list[int], '{"result": {"result": 1}}', {"result": 1}),
    ],
)
def test_wrapped_or_bare_it_is_read_as_what_it_is(annotation: Any, text: str, value: Any) -> None:
    assert output(annotation).parse(text) == value


@pytest.mark.parametrize(
    ("annotation", "text", "complaint"),
    [
        (Resolution | Refusal, "It is solved.", "not valid JSON"),
        (Resolution | Refusal, '{"result": {"because": 1}}', r"Refusal\.reason: is missing"),
        (list[int], '{"result": ["x"]}', r"result\.0: input should be a valid integer"),
        (Annotated[int, Field(gt=3)], "2", "greater than 3"),
        (Literal["yes", "no"], "maybe", "'yes' or 'no'"),
    ],
)
def test_what_does_not_fit_is_told(annotation: Any, text: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        output(annotation).parse(text)


def test_members_that_nobody_can_tell_apart_are_refused() -> None:
    class Accepted(BaseModel):
        note: str

    class Rejected(BaseModel):
        note: str

    agent = Agent("desk", "scripted:echo", output=Accepted | Rejected)
    with pytest.raises(InvalidInput, match="a Rejected could be read back as a Accepted"):
        agent.check("hello")


def test_a_mode_that_is_none_is_refused() -> None:
    options: Any = {"output_mode": "json"}
    with pytest.raises(InvalidInput, match="it is one of auto, native, tool, prompt"):
        Agent("desk", "scripted:echo", output=int, **options)


def test_a_tool_may_not_have_the_name_of_an_output_tool() -> None:
    @tool
    def final_result() -> str:
        """It is taken."""
        return ""

    Agent("desk", "scripted:echo", tools=[final_result], output=int)
    with pytest.raises(InvalidInput, match="rename yours"):
        Agent("desk", "scripted:echo", tools=[final_result], output=int, output_mode="tool")


def test_each_mode_asks_in_its_own_way() -> None:
    def asked(mode: Any) -> tuple[bool, bool | None, list[str]]:
        request = Agent("desk", "scripted:echo", "Sort it.", output=Resolution, output_mode=mode).request([])
        native = None if request.output is None else request.output.always
        return "fits this schema" in request.messages[0].content, native, [tool.name for tool in request.tools]

    assert asked("auto") == (True, False, [])
    assert asked("native") == (False, True, [])
    assert asked("prompt") == (True, None, [])
    assert asked("tool") == (False, None, ["final_result"])
    words = Agent("desk", "scripted:echo", output=Pet, output_mode="tool").request([]).messages[0].content
    assert words.startswith("When you have the final answer, give it by calling final_result_Cat or final_result_Dog")


@pytest.mark.parametrize(
    ("mode", "tools", "sent"),
    [("auto", [], True), ("auto", [lookup], False), ("native", [lookup], True), ("prompt", [], False)],
)
def test_a_server_is_told_of_the_schema(mode: Any, tools: list[Any], sent: bool) -> None:
    """Beside tools only when it is asked for: many servers would hold the calls to it, or refuse both."""
    agent = Agent("desk", "scripted:echo", tools=tools, output=list[int], output_mode=mode)
    form = question(agent.request([]), "m", "m").get("response_format")
    assert (form is not None) is sent
    assert form is None or form["json_schema"]["schema"]["required"] == ["result"]


def test_the_type_in_brackets_is_the_output() -> None:
    made: Any = Agent[Resolution | Refusal]  # mypy knows that no output= is needed then, pyright asks for it
    agent = made("desk", Scripted(['{"result": {"reason": "no"}}']))
    assert run(agent, "?", store="memory://") == Refusal(reason="no")
    assert Agent[str]("desk", "scripted:echo").output is str
    assert not Agent("desk", "scripted:echo").typed


@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/x.db"])
def test_the_member_that_was_answered_comes_back(store: str, tmp_path: Any) -> None:
    script = Scripted({"good": '{"result": {"kind": "dog", "lives": 1}}', "bad": "null"})
    agent = Agent("desk", script, output=cast("Any", Pet | None))
    for said, value in (("good", Dog(lives=1)), ("bad", None)):
        assert run(agent, said, store=store.format(tmp_path)) == value


def test_checkers_know_what_comes_back() -> None:
    assert_type(Agent("desk", "scripted:echo"), Agent[str])
    assert_type(Agent("desk", "scripted:echo", output=Point), Agent[Point])
    assert_type(Agent("desk", "scripted:echo", output=Resolution | Refusal), Agent[Resolution | Refusal])
    assert_type(Agent("desk", "scripted:echo", output=Resolution | None), Agent[Resolution | None])
    assert_type(Agent("desk", "scripted:echo", output=list[int]), Agent[list[int]])


# -- schemas -------------------------------------------------------------------------------------------


def test_references_are_written_out_where_they_lead_to_no_circle() -> None:
    schema = output(Pet).schema.schema
    assert "$ref" not in dumps(schema) and "discriminator" not in dumps(schema) and "oneOf" not in dumps(schema)
    recursive = output(Node).schema.schema
    assert recursive["type"] == "object" and recursive["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    assert list(recursive["$defs"]) == ["Node"]


def test_fields_that_are_called_like_keywords_stay() -> None:
    class Odd(BaseModel):
        const: int
        discriminator: str
        items: list[int] = [1]
        ref: Literal["x"] = Field("x", alias="$ref")

    schema = output(Odd).schema.schema
    assert list(schema["properties"]) == ["const", "discriminator", "items", "$ref"]
    assert schema["properties"]["items"]["default"] == [1] and schema["properties"]["$ref"]["enum"] == ["x"]


def test_a_schema_that_would_grow_without_bound_keeps_its_references() -> None:
    level: dict[str, Any] = {"type": "integer"}
    definitions: dict[str, Any] = {"L0": level}
    for number in range(1, 30):
        below = {"$ref": f"#/$defs/L{number - 1}"}
        definitions[f"L{number}"] = {"type": "object", "properties": {"a": below, "b": below}}
    found = simplified({"$ref": "#/$defs/L29", "$defs": definitions})
    assert found["type"] == "object" and len(found["$defs"]) == 30 and len(dumps(found)) < 10_000


def test_arrays_of_fixed_places_have_items() -> None:
    places = output(Place).schema.schema["properties"]["result"]
    assert places["items"] and places["maxItems"] == 2
