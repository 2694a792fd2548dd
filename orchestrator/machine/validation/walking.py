"""From the machine to its innermost state: each object is looked at where it stands, in the language that holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..definition.plain import members_of
from ..definition.values import LANGUAGES, QueryLanguage
from . import kinds, maps
from .diagnostic import did_you_mean
from .place import Place
from .shape import Shape, both, look
from .states import SHAPES, state

LONGEST_NAME = 80
START = ("States", "StartAt")

_FLOW: Shape = both(StartAt=kinds.text, States=kinds.anything, Comment=kinds.text)
_MACHINE: Shape = {
    **_FLOW,
    **both(
        Version=kinds.one_of("1.0"),
        TimeoutSeconds=kinds.number(1, 99_999_999),
        QueryLanguage=kinds.one_of(*LANGUAGES),
    ),
}
_PROCESSOR: Shape = {**_FLOW, **both(ProcessorConfig=maps.processor_config)}


def machine(place: Place, value: Any) -> None:
    """The whole definition."""
    language = _language(value, "JSONPath")
    _flow(replace(place, machine=language, language=language), value, _MACHINE, "a state machine")


def _flow(place: Place, value: Any, shape: Shape, noun: str) -> None:
    place = replace(place, language=place.machine)
    members = look(place, value, shape, noun, required=START)
    if not members or "States" not in members:
        return
    inner = place.at("States")
    states = members["States"]
    if not kinds.objects(states, inner):
        return
    if not states:
        inner.error("required", "a state machine has one state at least")
    for name, item in states.items():
        _state(inner.at(name), name, item)


def _state(place: Place, name: str, value: Any) -> None:
    if not 1 <= len(name) <= LONGEST_NAME:
        what = f"it has {len(name)} characters" if name else "it is empty"
        place.error("names", f"this name of a state is wrong: {what}", code="INVALID_STATE_NAME")
    if not kinds.objects(value, place):
        return
    members = value
    kind = members.get("Type")
    if not isinstance(kind, str) or kind not in SHAPES:
        return _no_kind(place, members)
    language = _language(members, place.machine)
    if place.machine == "JSONata" and members.get("QueryLanguage") == "JSONPath":
        advice = "Leave the machine JSONPath, and give JSONata to its states."
        place.at("QueryLanguage").error(
            "language", "a JSONata machine has no JSONPath states", at=place.pointer, advice=advice
        )
    place = replace(place, language=language)
    state(place, members, kind)
    if kind == "Parallel" and "Branches" in members:
        for index, branch in enumerate(kinds.lists(place.at("Branches"), members["Branches"])):
            _flow(place.at("Branches", index), branch, _FLOW, "a branch")
    if kind == "Map":
        _processor(place, members)


def _processor(place: Place, members: dict[str, Any]) -> None:
    inner = replace(
        place,
        distributed=place.distributed or maps.is_distributed(members),
        express=place.express or maps.express_inside(members),
    )
    for name in ("ItemProcessor", "Iterator"):
        if name in members:
            _flow(inner.at(name), members[name], _PROCESSOR, f"an {name}")


def _no_kind(place: Place, members: dict[str, Any]) -> None:
    """Only what all kinds have is looked at."""
    for name, check in (("Next", kinds.text), ("End", kinds.flag), ("Comment", kinds.text)):
        if name in members:
            check(place.at(name), members[name])
    if "Type" not in members:
        return place.error("required", 'a state needs "Type", and it is missing', advice=_kinds())
    inner, kind = place.at("Type"), members["Type"]
    if not isinstance(kind, str):
        return kinds.wrong_type(inner, kind, "a string")
    return inner.error(
        "range", f"there is no kind of state {kind!r:.80}", advice=did_you_mean(kind, SHAPES) or _kinds()
    )


def _kinds() -> str:
    return f"Such are {', '.join(SHAPES)}."


def _language(value: Any, inherited: QueryLanguage) -> QueryLanguage:
    """The language that holds for an object; one that is wrong is told of with the other fields."""
    said = members_of(value).get("QueryLanguage")
    for language in LANGUAGES:
        if language == said:
            return language
    return inherited
