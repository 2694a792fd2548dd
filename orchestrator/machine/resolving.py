"""What a Task's resource means: what the machine was given, what configuration says, else an execution of the function
of that name, or an integration."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, cast

from ...state.codec import stored
from ...state.errors import InvalidInput
from ...state.ids import check_id
from ..governance.approvals.rule import Approval
from ..usercode.calling import checked
from ..usercode.resilience import ONCE, Policy
from ..usercode.served import served
from .datasets.buckets import Buckets
from .datasets.export import write_results
from .datasets.page import page_text, read_page
from .definition.resource import Resource
from .integrations import NONE, Integrations
from .language.failure import RUNTIME, QueryError
from .running.failure import Failure
from .running.resources import Activity, Asking, Call, Child, Export, Reading, Wants, Work

_INVOKE = "lambda:invoke"
_START = "states:startExecution"
_CHILDREN = (_INVOKE, _START)
"""The integrations that are executions here."""
_EVENT = "Event"
"""The InvocationType of who waits for no outcome."""


class Table:
    """``uses``: tools, workflows, agents and machines, by their names; ``named``: other names and ARNs for them, or for
    functions of that name which are served anywhere, and before what configuration says; ``buckets``: what Maps read
    and write. Implements ``Resources``."""

    def __init__(
        self,
        uses: Iterable[object],
        named: Mapping[str, str | object],
        integrations: Integrations = NONE,
        buckets: Buckets | None = None,
    ) -> None:
        self._buckets = buckets or Buckets()
        self._uses: dict[str, Any] = {}
        for one in map(served, uses):
            if self._uses.setdefault(_name(one), one) is not one:
                raise InvalidInput(f"two of the functions are named {_name(one)!r}; give one of them another name")
        self._named = {name: one if isinstance(one, str) else served(one) for name, one in named.items()}
        for one in (*self._uses.values(), *self._named.values()):
            if not isinstance(one, str):
                _whole(one)
        self._integrations = integrations

    @property
    def uses(self) -> tuple[object, ...]:
        """Those of them that are functions of their own right."""
        return tuple(one for one in (*self._uses.values(), *self._named.values()) if hasattr(one, "kind"))

    @property
    def named(self) -> tuple[str, ...]:
        """Names and ARNs that mean something else than they say."""
        return tuple(sorted(self._named))

    def refusal(self, resource: Resource) -> str:
        """Why a Task of that resource can't be carried out; "" when it can."""
        if resource.kind != "integration" or resource.name in _CHILDREN or self._given(resource.text) is not None:
            return ""
        return self._integrations.refusal(resource)

    def target(self, resource: Resource, arguments: Any, asking: Asking) -> Work:
        if resource.kind not in ("integration", "activity") or self._given(resource.text) is not None:
            return _work(self._means(resource.text, resource.name), arguments)
        if resource.kind == "activity":
            return Activity(resource.name)
        given = _object_of(arguments)
        if resource.name == _INVOKE:
            return self._invoked(given)
        if resource.name == _START:
            return self._started(resource, given)
        return self._integrations.target(resource, given, asking)

    def shaped(self, resource: Resource, arguments: Any, value: Any) -> Any:
        if resource.pattern == "waitForTaskToken" or resource.name not in _CHILDREN or resource.kind != "integration":
            return value
        if self._given(resource.text) is not None:
            return value
        if resource.name == _INVOKE:
            if _object_of(arguments).get("InvocationType") == _EVENT:
                return {"Payload": "", "StatusCode": 202}
            return {"ExecutedVersion": "$LATEST", "Payload": value, "StatusCode": 200}
        return {"Output": value, "Status": "SUCCEEDED"} if resource.pattern else value

    def published(
        self, resource: Resource, arguments: Any, asking: Asking, refused: Mapping[int, str]
    ) -> Any | Failure:
        return self._integrations.published(resource, _object_of(arguments), asking, refused)

    def _given(self, text: str) -> Any:
        """What was said that a text means; None: nothing."""
        found = self._named.get(text)
        return self._integrations.named(text) if found is None else found

    def reads(self, reading: Reading) -> Call:
        return Call(
            reading.action, partial(read_page, self._buckets, reading), True, Policy(ONCE), page_text, pure=True
        )

    def writes(self, export: Export) -> Call:
        return Call("s3:putObject", partial(write_results, self._buckets, export), True, Policy(ONCE))

    def _means(self, text: str, name: str) -> Any:
        """What is called for a resource: a function of ours, or the name of one."""
        found = self._given(text)
        if found is None:
            found = self._given(name)
        if found is None:
            found = name
        return self._uses.get(found, found) if isinstance(found, str) else found

    def _invoked(self, given: Mapping[str, Any]) -> Work:
        text, kind = _required(given, "FunctionName"), given.get("InvocationType", "RequestResponse")
        if kind not in ("RequestResponse", _EVENT):
            raise QueryError(RUNTIME, f"InvocationType is RequestResponse or {_EVENT} here, not {str(kind)[:80]!r}")
        name = (text.rpartition(":function:")[2] or text).partition(":")[0]
        work = _work(self._means(text, name), given.get("Payload", {}))
        return work._replace(detached=True) if kind == _EVENT else work

    def _started(self, resource: Resource, given: Mapping[str, Any]) -> Child:
        text = _required(given, "StateMachineArn")
        means = self._means(text, text.rpartition(":")[2])
        name, chosen = means if isinstance(means, str) else _name(means), given.get("Name")
        id = "" if chosen is None else _id(chosen)
        return Child(name, given.get("Input", {}), "workflow", id, detached=not resource.pattern)


def _object_of(arguments: Any) -> Mapping[str, Any]:
    return cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {}


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
            call = Call(means.name, partial(_sent, means, arguments), False, elsewhere, stored, away=True)
        else:
            own: Policy = means.policy
            policy = Policy(ONCE, own.timeout, own.breaker, own.at_most_once, contract=own.contract)
            call = Call(means.name, partial(_tool, means, arguments), means.threaded, policy, means.write)
        wants: Wants | None = None
        if means.approval is not None:
            rule = partial(_wanted, means)
            wants = Wants(rule, means.approval_within, means.version, partial(_call, means))
        return call._replace(input=arguments, wants=wants, pure=bool(getattr(means, "pure", False)))
    if hasattr(means, "decider"):
        return Child(means.name, arguments, kind)
    call = Call(_name(means), partial(means, arguments), not _is_async(means), Policy(ONCE), stored)
    return call._replace(input=arguments)


def _tool(tool: Any, arguments: Any) -> Any:
    return tool.invoke(_object(tool, arguments))


def _sent(tool: Any, arguments: Any) -> Any:
    return tool.send(_object(tool, arguments))


def _call(tool: Any, arguments: Any) -> Call:
    made = _work(tool, arguments)
    assert isinstance(made, Call)
    return made


def _wanted(tool: Any, arguments: Any) -> Approval | None:
    """Who must approve the call; nobody is asked about one that could not be made."""
    given = _object(tool, arguments)
    checked(tool, given)
    rule: Approval | None = tool.rule(given)
    return rule


def _object(tool: Any, arguments: Any) -> dict[str, Any]:
    if not isinstance(arguments, dict):
        raise InvalidInput(f"{tool.name} takes an object of its arguments; give one in Parameters or Arguments")
    return cast("dict[str, Any]", arguments)


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _whole(one: Any) -> None:
    """Refuse what could not be called, and a tool that would be called without what it declares."""
    name, called = _name(one), one
    while isinstance(called, partial):
        called = called.func
    if called is not one and (found := served(called)) is not called:
        raise InvalidInput(f"{name!r} binds arguments of {_name(found)!r}, which is called as itself; give it alone")


def _name(one: Any) -> str:
    found = getattr(one, "name", None) or getattr(one, "__name__", None)
    if not isinstance(found, str) or not (callable(one) or hasattr(one, "decider") or hasattr(one, "invoke")):
        raise InvalidInput(f"a state machine calls tools, workflows, agents and functions, not {type(one).__name__}")
    return found
