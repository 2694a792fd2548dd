"""Which function a Task's resource means: what the machine was given, else an execution of the function of that
name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, cast

from ...state.codec import stored
from ...state.errors import InvalidInput
from ...state.ids import check_id
from ..usercode.resilience import ONCE, Policy
from ..usercode.served import served
from .datasets.buckets import Buckets
from .datasets.export import write_results
from .datasets.page import page_text, read_page
from .definition.resource import Resource
from .language.failure import RUNTIME, QueryError
from .running.resources import Call, Child, Export, Reading

_INVOKE = "lambda:invoke"
_START = "states:startExecution"
KNOWN = (_INVOKE, _START)
"""The integrations that mean something here by themselves."""


class Table:
    """``uses``: tools, workflows, agents and machines, by their names; ``named``: other names and ARNs for them, or for
    functions of that name which are served anywhere; ``buckets``: what Maps read and write.

    Implements ``Resources``."""

    def __init__(
        self, uses: Iterable[object], named: Mapping[str, str | object], buckets: Buckets | None = None
    ) -> None:
        self._buckets = buckets or Buckets()
        self._uses: dict[str, Any] = {}
        for one in map(served, uses):
            if self._uses.setdefault(_name(one), one) is not one:
                raise InvalidInput(f"two of the functions are named {_name(one)!r}; give one of them another name")
        self._named = {name: one if isinstance(one, str) else served(one) for name, one in named.items()}

    @property
    def uses(self) -> tuple[object, ...]:
        """Those of them that are functions of their own right."""
        return tuple(one for one in (*self._uses.values(), *self._named.values()) if hasattr(one, "kind"))

    def knows(self, resource: Resource) -> bool:
        """Whether a Task of that resource can be carried out."""
        if resource.kind in ("function", "lambda") or resource.text in self._named:
            return True
        return resource.kind == "integration" and resource.name in KNOWN

    def target(self, resource: Resource, arguments: Any) -> Call | Child:
        if resource.kind == "integration" and resource.text not in self._named:
            return self._integrated(resource, arguments)
        return _work(self._means(resource.text, resource.name), arguments)

    def shaped(self, resource: Resource, value: Any) -> Any:
        if resource.kind != "integration" or resource.pattern == "waitForTaskToken" or resource.text in self._named:
            return value
        if resource.name == _INVOKE:
            return {"ExecutedVersion": "$LATEST", "Payload": value, "StatusCode": 200}
        if resource.name == _START and resource.pattern:
            return {"Output": value, "Status": "SUCCEEDED"}
        return value

    def reads(self, reading: Reading) -> Call:
        return Call(reading.action, partial(read_page, self._buckets, reading), True, Policy(ONCE), page_text)

    def writes(self, export: Export) -> Call:
        return Call("s3:putObject", partial(write_results, self._buckets, export), True, Policy(ONCE))

    def _means(self, text: str, name: str) -> Any:
        """What is called for a resource: a function of ours, or the name of one."""
        found = self._named.get(text, self._named.get(name, name))
        return self._uses.get(found, found) if isinstance(found, str) else found

    def _integrated(self, resource: Resource, arguments: Any) -> Call | Child:
        given = cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {}
        if resource.name == _INVOKE:
            text = _required(given, "FunctionName")
            name = (text.rpartition(":function:")[2] or text).partition(":")[0]
            return _work(self._means(text, name), given.get("Payload", {}))
        if resource.name == _START:
            text = _required(given, "StateMachineArn")
            means = self._means(text, text.rpartition(":")[2])
            name, chosen = means if isinstance(means, str) else _name(means), given.get("Name")
            id = "" if chosen is None else _id(chosen)
            return Child(name, given.get("Input", {}), "workflow", id, detached=not resource.pattern)
        raise QueryError(RUNTIME, f"{resource.text} means nothing here; name a function for it in resources=")


def _id(chosen: Any) -> str:
    try:
        return check_id(chosen)
    except (InvalidInput, TypeError) as error:
        raise QueryError("StepFunctions.InvalidName", f"Invalid Name: {str(error)[:300]}") from None


def _required(given: Mapping[str, Any], field: str) -> str:
    found = given.get(field)
    if not isinstance(found, str) or not found:
        raise QueryError(RUNTIME, f"The field '{field}' is required but was missing")
    return found


def _work(means: Any, arguments: Any) -> Call | Child:
    if isinstance(means, str):
        return Child(means, arguments)
    kind = getattr(means, "kind", "")
    if kind == "tool":
        elsewhere: Policy | None = means.elsewhere
        if elsewhere is not None:
            return Call(means.name, partial(_sent, means, arguments), False, elsewhere, stored, away=True)
        policy = Policy(ONCE, means.policy.timeout, means.policy.breaker, means.policy.at_most_once)
        return Call(means.name, partial(_tool, means, arguments), means.threaded, policy, means.write)
    if hasattr(means, "decider"):
        return Child(means.name, arguments, kind)
    return Call(_name(means), partial(means, arguments), not _is_async(means), Policy(ONCE), stored)


def _tool(tool: Any, arguments: Any) -> Any:
    return tool.invoke(_object(tool, arguments))


def _sent(tool: Any, arguments: Any) -> Any:
    return tool.send(_object(tool, arguments))


def _object(tool: Any, arguments: Any) -> dict[str, Any]:
    if not isinstance(arguments, dict):
        raise InvalidInput(f"{tool.name} takes an object of its arguments; give one in Parameters or Arguments")
    return cast("dict[str, Any]", arguments)


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _name(one: Any) -> str:
    found = getattr(one, "name", None) or getattr(one, "__name__", None)
    if not isinstance(found, str) or not (callable(one) or hasattr(one, "decider") or hasattr(one, "invoke")):
        raise InvalidInput(f"a state machine calls tools, workflows, agents and functions, not {type(one).__name__}")
    return found
