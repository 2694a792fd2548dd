"""The model of a whole definition: immutable, with everything told apart that can be before it runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from .document import Pointer
from .fields import Fields, Malformed, members
from .flow import Flow
from .plain import members_of
from .states.choice import Choice, choice
from .states.fail import Fail, fail
from .states.map import Map, mapping
from .states.parallel import Parallel, parallel
from .states.passing import Pass, passing
from .states.state import State
from .states.succeed import Succeed, succeed
from .states.task import Task, task
from .states.wait import Wait, wait
from .values import LANGUAGES, QueryLanguage
from .ways import ways

AnyState = Pass | Task | Choice | Wait | Succeed | Fail | Parallel | Map

_SIMPLE: dict[str, Callable[[str, Fields], State]] = {
    "Pass": passing,
    "Task": task,
    "Choice": choice,
    "Wait": wait,
    "Succeed": succeed,
    "Fail": fail,
}


@dataclass(frozen=True, slots=True)
class Machine:
    """``digest`` tells two definitions apart whatever their layout; the order of fields counts, since it shows in what
    a Pass state hands on."""

    flow: Flow
    language: QueryLanguage
    version: str
    timeout_seconds: int | None
    digest: str

    @property
    def start_at(self) -> str:
        return self.flow.start_at


def build(value: Any) -> Machine:
    """The model of a definition's plain value. Raises Malformed where it has no place in one."""
    language = _language(value, "JSONPath", ())
    fields = Fields(value, (), language)
    fields.raw("QueryLanguage", None)
    made = Machine(
        _flow(language, fields),
        language,
        fields.maybe_text("Version") or "1.0",
        fields.integer("TimeoutSeconds", None),
        digest(value),
    )
    fields.done()
    return made


def digest(value: Any) -> str:
    """``sha256:…`` over the definition's value."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _flow(language: QueryLanguage, fields: Fields) -> Flow:
    """A flow within a machine of this language. States inside of others take the machine's language, not theirs."""
    start, place = fields.text("StartAt"), fields.at("States")
    states = {
        name: _state(name, value, (*place, name), language)
        for name, value in members(fields.raw("States"), place).items()
    }
    if start not in states:
        raise Malformed(f"there is no state {start!r}", fields.at("StartAt"))
    for name, state in states.items():
        for way in ways(state):
            if way.target not in states:
                raise Malformed(f"there is no state {way.target!r}", (*place, name))
    return Flow(start, MappingProxyType(states), fields.maybe_text("Comment"))


def _state(name: str, value: Any, pointer: Pointer, machine: QueryLanguage) -> State:
    fields = Fields(value, pointer, _language(value, machine, pointer))
    kind = fields.text("Type")
    if kind in _SIMPLE:
        return _SIMPLE[kind](name, fields)
    if kind == "Parallel":
        return parallel(name, fields, partial(_flow, machine))
    if kind == "Map":
        return mapping(name, fields, partial(_flow, machine))
    raise Malformed(f"there is no kind of state {kind!r}", fields.at("Type"))


def _language(value: Any, inherited: QueryLanguage, pointer: Pointer) -> QueryLanguage:
    said = members_of(value).get("QueryLanguage", inherited)
    for language in LANGUAGES:
        if said == language:
            if language == "JSONPath" and inherited == "JSONata":
                raise Malformed("a JSONata machine has no JSONPath states", pointer)
            return language
    raise Malformed("JSONPath or JSONata should stand", (*pointer, "QueryLanguage"))
