"""Whatever is given to the operations of a context: it is taken, or refused at that line by an error of ours that says
which parameter it was. A refused operation leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Completion, Context, InvalidInput, Retry
from overwinter.orchestrator.workflow.keyvalue import State
from overwinter.state.errors import InvalidArgument

from .world import World


def plain(*_args: Any) -> int:
    return 1


async def branch(_ctx: Context, *_args: Any) -> int:
    return 1


class Grumpy:
    """Its own code must not be asked."""

    def __repr__(self) -> str:
        raise ZeroDivisionError

    __str__ = __repr__


Face = dict[str, tuple[Callable[..., Any], dict[str, Any]]]
FACE: Face = {
    "sleep": (Context.sleep, {"duration": "1s", "name": "n"}),
    "until": (
        Context.until,
        {"fn": plain, "done": bool, "state": 1, "every": "1s", "factor": 2.0, "most": "1h", "timeout": None,
         "tries": None, "name": None, "retry": None},
    ),
    "map": (Context.map, {"fn": plain, "items": [1], "concurrency": 1, "completion": None, "name": None}),
    "parallel": (
        lambda ctx, branches, **more: ctx.parallel(branches, **more),
        {"branches": plain, "concurrency": None, "completion": None, "names": ["air"]},
    ),
    "branch": (Context.branch, {"fn": branch, "name": None}),
    "step": (
        Context.step,
        {"fn": plain, "name": None, "retry": None, "timeout": None, "at_most_once": False, "breaker": None,
         "fingerprint": True, "undo": None, "reconcile": None, "in_doubt": None},
    ),
    "saga": (Context.saga, {"name": "n"}),
    "call": (Context.call, {"target": plain, "input": 1, "name": None}),
    "call by name": (Context.call, {"target": "w", "input": 1, "output": int}),
    "child": (
        Context.child,
        {"target": "w", "input": 1, "id": None, "detached": False, "fingerprint": True, "output": int},
    ),
    "wait_for": (Context.wait_for, {"name": "n", "type": int, "timeout": None, "match": None}),
    "callback": (Context.callback, {"name": "n", "type": int, "timeout": None, "heartbeat": None}),
    "approve": (Context.approve, {"what": "n", "data": 1, "role": None, "timeout": None}),
    "publish": (Context.publish, {"event": "e", "data": 1, "subject": None, "key": None, "source": None}),
    "kv": (Context.kv, {"scope": "s"}),
    "state.get": (lambda ctx, **more: ctx.state.get(**more), {"key": "k", "type": int}),
    "state.read": (lambda ctx, **more: ctx.state.read(**more), {"key": "k", "type": int}),
    "state.put": (lambda ctx, **more: ctx.state.put(**more), {"key": "k", "value": 1, "etag": None, "type": int}),
    "state.delete": (lambda ctx, **more: ctx.state.delete(**more), {"key": "k", "etag": None}),
    "state.keys": (lambda ctx, **more: ctx.state.keys(**more), {"prefix": "k"}),
    "status": (Context.status, {"text": "t"}),
}  # fmt: skip
OTHERS = {"caller", "checkpoint", "execution", "function", "log", "now", "parent", "random", "state", "uuid"}
"""Without parameters but checkpoint's input, which is the workflow's own type."""
SAID = {
    "branches": ("function",),
    "data": ("stored as JSON",),
    "detached": ("output is",),  # of a detached child there is none
    "fn": ("function",),
    "input": ("stored as JSON",),
    "name": ("the event",),
    "prefix": ("begin",),
    "target": ("function", "output is"),  # which is for what is called by its name
    "text": ("status",),
    "type": ("annotated as", "value"),  # the value does not have it
    "value": ("stored as JSON",),
    "what": ("approve",),
}
"""How an error names a parameter that it does not call by its name."""
CASES = [(operation, parameter) for operation, (_, parameters) in FACE.items() for parameter in parameters]
ODD: list[Any] = [
    None, True, 0, 3, -1, 10**400, 1.5, -0.5, float("nan"), float("inf"), 1j, Decimal("NaN"), Decimal(2), "", "x",
    "\ud800", b"b", [], [1], {}, {1}, (), (1,), range(3), object(), Grumpy(), Ellipsis, int, list[int], Exception,
    ValueError("x"),
    plain, branch, timedelta(-1), timedelta(1), date(2020, 1, 1), Completion.first(), Retry(), "5m", "five",
]  # fmt: skip


def tried(operation: str, parameter: str, odd: Any) -> BaseException | None:
    """What the call raises in a workflow, which then goes on to its end."""
    use, arguments = FACE[operation]
    raised: list[BaseException] = []

    async def flow(ctx: Context) -> str:
        try:
            made = use(ctx, **{**arguments, parameter: odd})
        except BaseException as error:  # noqa: BLE001  # the property is about all of them
            raised.append(error)
        else:
            if asyncio.iscoroutine(made):
                made.close()
        return "over"

    world = World(flow)
    assert world.last.status in ("completed", "waiting"), (world.last.status, world.last.error)
    if raised and operation != "map":
        assert world.last.status == "completed", "what was refused is not waited for"
    return raised[0] if raised else None


@pytest.mark.filterwarnings("ignore:coroutine 'branch' was never awaited")  # as a function that is no branch
@pytest.mark.parametrize(("operation", "parameter"), CASES)
def test_every_parameter_takes_or_refuses(operation: str, parameter: str) -> None:
    for odd in ODD:
        refuses_well(operation, parameter, odd)


@given(st.sampled_from(CASES), st.one_of(st.integers(), st.floats(), st.text(), st.none(), st.lists(st.integers())))
def test_whatever_is_given(case: tuple[str, str], odd: Any) -> None:
    refuses_well(*case, odd)


def refuses_well(operation: str, parameter: str, odd: Any) -> None:
    error = tried(operation, parameter, odd)
    if error is not None:
        assert isinstance(error, InvalidInput), (operation, parameter, type(odd), error)
        named = any(word in str(error) for word in (parameter, *SAID.get(parameter, ())))
        assert named, (operation, parameter, error)


@pytest.mark.parametrize(
    ("operation", "parameter", "odd", "said"),
    [
        ("until", "factor", None, "ctx.until(factor=…) takes how pauses grow, a number from 0 on, like 2.0, not None"),
        ("until", "tries", 0, "ctx.until: tries must be a whole number of 1 or more, not 0"),
        ("map", "name", 3, "ctx.map(name=…) takes a text, or a plain function that gives one for an item, not 3"),
        ("map", "completion", 3, "ctx.map(completion=…) takes a Completion, like Completion.first(), not 3"),
        ("map", "items", 3, "ctx.map(items=…) takes a collection to go through, not 3"),
        ("sleep", "name", 3, "the name of a sleep is text, not int"),
        ("step", "name", "x" * 10_001, "a step's name (None: the function's) has 10,001 characters; a name has 10,000"),
        ("sleep", "duration", None, "ctx.sleep(duration): a NoneType is not a duration; write it like"),
        ("wait_for", "match", 3, "ctx.wait_for(match=…): match is a plain function, which looks at the event, not 3"),
        ("step", "at_most_once", "no", "ctx.step(at_most_once=…) takes True or False, not 'no'"),
        ("child", "detached", 1, "ctx.child(detached=…) takes True or False, not 1"),
    ],
)
def test_what_is_said(operation: str, parameter: str, odd: Any, said: str) -> None:
    error = tried(operation, parameter, odd)
    assert isinstance(error, InvalidArgument) and str(error).startswith(said)
    assert isinstance(error, ValueError) and isinstance(error, TypeError), "as Python's own functions raise"


def test_every_operation_is_in_the_table() -> None:
    known = {name.partition(" ")[0] for name in FACE} | {"state." + name for name in OTHERS}
    for owner, prefix in ((Context, ""), (State, "state.")):
        names = {name for name, _ in inspect.getmembers(owner) if not name.startswith("_")}
        missing = {f"{prefix}{name}" for name in names} - known - OTHERS
        assert not missing, missing
        for name in names - OTHERS:
            signature = inspect.signature(getattr(owner, name)).parameters.values()
            wanted = {one.name for one in signature if one.name != "self" and one.kind is not one.VAR_KEYWORD}
            given_ = {one for key in FACE if key.partition(" ")[0] == prefix + name for one in FACE[key][1]}
            assert wanted - given_ <= {"args"}, (name, wanted - given_)
