"""The fields of each kind of state, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..definition.plain import is_list, is_object
from ..definition.values import LANGUAGES
from . import choices, errors, kinds, maps, tasks
from .assigning import assign
from .evaluated import evaluated
from .expressions import is_call, read_call, read_path
from .moments import timestamp
from .place import Place
from .shape import Shape, both, exclusive, jsonata, look, paths

number = kinds.number
LONGEST = errors.LONGEST


def state(place: Place, members: Mapping[str, Any], kind: str) -> None:
    """One state, but for what is inside of a Parallel or a Map."""
    noun = f"a {kind} state"
    look(place, members, SHAPES[kind], noun, required=_REQUIRED.get(kind, ()), elsewhere=_ELSEWHERE)
    if "Next" in SHAPES[kind]:
        _leaving(place, members, noun)
    if kind in _TOGETHER:
        _TOGETHER[kind](place, members)


def _leaving(place: Place, members: Mapping[str, Any], noun: str) -> None:
    ends, follows = members.get("End") is True, "Next" in members
    if ends and follows:
        place.error("next", f"{noun} has Next as well as End", advice="Leave out one of them.")
    elif not ends and not follows and not ("End" in members and not isinstance(members["End"], bool)):
        place.error("next", f"{noun} needs Next, or End", advice='Write "Next": "…", or "End": true where all is done.')


def _result(place: Place, value: Any) -> None:
    evaluated(place.reading("result"), value)


def _assign_result(place: Place, value: Any) -> None:
    assign(place.reading("result"), value)


def _static(place: Place, value: Any) -> None:
    """Pass: Result is never evaluated."""
    if _dynamic(value):
        advice = "Parameters is evaluated."
        place.warning(
            "static",
            "what looks like a path in Result is taken as it stands",
            code="PASS_RESULT_IS_STATIC",
            advice=advice,
        )


def _dynamic(value: Any) -> bool:
    if is_object(value):
        return any(key.endswith(".$") or _dynamic(item) for key, item in value.items())
    if is_list(value):
        return any(map(_dynamic, value))
    return isinstance(value, str) and value.startswith(("$.", "$$.")) and read_path(value).problem is None


def _said(place: Place, value: Any) -> None:
    """Text, or in JSONata an expression."""
    if not isinstance(value, str):
        return kinds.wrong_type(place, value, "a string")
    if place.jsonata:
        return evaluated(place, value)
    name = place.pointer[-1]
    looks = value.startswith(("$.", "$$.")) and read_path(value).problem is None
    if looks or (is_call(value) and read_call(value).problem is None):
        place.warning(
            "static", f"{value!r:.80} is taken as plain text", code="NO_PATH", advice=f"{name}Path takes it from there."
        )
    return None


def _credentials(place: Place, value: Any) -> None:
    if kinds.objects(value, place):
        evaluated(place, value)


def _wait(place: Place, members: Mapping[str, Any]) -> None:
    names = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")
    exclusive(place, members, *names, one=True, noun="a Wait state")


def _fail(place: Place, members: Mapping[str, Any]) -> None:
    exclusive(place, members, "Error", "ErrorPath", noun="a Fail state")
    exclusive(place, members, "Cause", "CausePath", noun="a Fail state")


def _task(place: Place, members: Mapping[str, Any]) -> None:
    exclusive(place, members, "TimeoutSeconds", "TimeoutSecondsPath", noun="a Task state")
    exclusive(place, members, "HeartbeatSeconds", "HeartbeatSecondsPath", noun="a Task state")
    tasks.task(place, members)


_TOGETHER: dict[str, Callable[[Place, Mapping[str, Any]], None]] = {
    "Wait": _wait,
    "Fail": _fail,
    "Task": _task,
    "Map": maps.mapping,
}
_REQUIRED = {"Task": ("Resource",), "Choice": ("Choices",), "Parallel": ("Branches",)}

_COMMON: Shape = both(Type=kinds.anything, Comment=kinds.text, QueryLanguage=kinds.one_of(*LANGUAGES))
_PATHS: Shape = paths(InputPath=kinds.path_or_null, OutputPath=kinds.path_or_null)
_PLAIN: Shape = {**_COMMON, **_PATHS, **jsonata(Output=evaluated)}
_NEXT: Shape = both(Next=kinds.text, End=kinds.flag)
_CALLING: Shape = {
    **_COMMON,
    **_PATHS,
    **_NEXT,
    **both(Retry=errors.retry, Catch=errors.catch, Assign=_assign_result),
    **paths(ResultSelector=evaluated, ResultPath=kinds.result_path),
    **jsonata(Output=_result),
}

SHAPES: Mapping[str, Shape] = {
    "Pass": {
        **_PLAIN,
        **_NEXT,
        **both(Assign=assign),
        **paths(Result=_static, ResultPath=kinds.result_path, Parameters=evaluated),
    },
    "Task": {
        **_CALLING,
        **both(
            Resource=tasks.resource,
            TimeoutSeconds=number(1, LONGEST),
            HeartbeatSeconds=number(1, LONGEST),
            Credentials=_credentials,
        ),
        **paths(Parameters=evaluated, TimeoutSecondsPath=kinds.path, HeartbeatSecondsPath=kinds.path),
        **jsonata(Arguments=evaluated),
    },
    "Choice": {**_PLAIN, **both(Choices=choices.rules, Default=kinds.text, Assign=assign)},
    "Wait": {
        **_PLAIN,
        **_NEXT,
        **both(Seconds=number(0, LONGEST), Timestamp=timestamp, Assign=assign),
        **paths(SecondsPath=kinds.path, TimestampPath=kinds.path),
    },
    "Succeed": _PLAIN,
    "Fail": {
        **_COMMON,
        **both(Error=_said, Cause=_said),
        **paths(ErrorPath=kinds.path_or_call, CausePath=kinds.path_or_call),
    },
    "Parallel": {
        **_CALLING,
        **both(Branches=kinds.anything),
        **paths(Parameters=evaluated),
        **jsonata(Arguments=evaluated),
    },
    "Map": {
        **_CALLING,
        **both(
            ItemProcessor=kinds.anything,
            Iterator=kinds.anything,
            ItemSelector=evaluated,
            ItemReader=maps.reader,
            ItemBatcher=maps.batcher,
            ResultWriter=maps.writer,
            MaxConcurrency=number(0),
            ToleratedFailureCount=number(0),
            ToleratedFailurePercentage=number(0, 100, whole=False),
            Label=maps.label,
        ),
        **paths(
            Parameters=evaluated,
            ItemsPath=kinds.path,
            MaxConcurrencyPath=kinds.path,
            ToleratedFailureCountPath=kinds.path,
            ToleratedFailurePercentagePath=kinds.path,
        ),
        **jsonata(Items=maps.items),
    },
}
"""Every field of every kind of state. What is inside of Branches and ItemProcessor is looked at by ``walking``."""


def _owners() -> dict[str, str]:
    """For each field that only some kinds have, those kinds."""
    found: dict[str, list[str]] = {}
    for kind, shape in SHAPES.items():
        for name in shape:
            found.setdefault(name, []).append(kind)
    return {name: f"{', '.join(kinds)} states" for name, kinds in found.items() if len(kinds) <= 3}


_ELSEWHERE: Mapping[str, str] = _owners()
