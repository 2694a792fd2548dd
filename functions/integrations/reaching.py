"""The port of the interpreter: which integrations there are, what each wants done, and whether it may be repeated."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ...orchestrator.machine.definition.resource import Resource
from ...orchestrator.machine.running.failure import Failure
from ...orchestrator.machine.running.resources import Asking, Call, Publication
from ...orchestrator.usercode.resilience import ONCE, Policy
from . import published
from .aws_call import Wanted, call
from .aws_names import reads
from .configuration import VARIABLE, Configuration, fits, matched, read
from .http_invoke import invoke
from .http_request import request

MESSAGES = ("sqs:sendMessage", "sns:publish")
EVENTS = "events:putEvents"
_HTTP = "http:invoke"
_ITEMS = ("dynamodb:getItem", "dynamodb:putItem", "dynamodb:updateItem", "dynamodb:deleteItem")
_SDK = "aws-sdk:"
_ANSWERS = ("ConditionExpression", "Expected", "ReturnValues")
"""With one of these, what a write of an item says is another thing the second time."""


class Reaching:
    """Implements ``Integrations``, by what is configured when it is made. Raises InvalidInput."""

    def __init__(self) -> None:
        self._configured: Configuration = read()

    def named(self, text: str) -> str | None:
        found: str | None = matched(self._configured.resources, text)
        return found

    def refusal(self, resource: Resource) -> str:
        name = resource.name
        if name in (*MESSAGES, EVENTS, _HTTP, *_ITEMS):
            return ""
        if not name.startswith(_SDK):
            return f"{name} is not run here"
        wanted = name.removeprefix(_SDK)
        if any(fits(pattern, wanted) for pattern in self._configured.calls):
            return ""
        where = f"[machine.aws] of overwinter.toml, or in {VARIABLE}"
        return f"{name} is not allowed here; set allow = [{wanted!r}] in {where}"

    def target(self, resource: Resource, arguments: Mapping[str, Any], asking: Asking) -> Call | Publication:
        name = resource.name
        if name in MESSAGES:
            return Publication(published.message_events(name, arguments, asking, self.named))
        if name == EVENTS:
            return Publication(published.entry_events(arguments, asking))
        if name == _HTTP:
            asked = request(arguments)
            declared = self._configured.effects.get(name) == "idempotent"
            once = declared and not asked.repeatable
            return self._call(name, partial(invoke, asked, self._configured, once=once), asked.repeatable)
        optimized = not name.startswith(_SDK)
        service, _, action = name.removeprefix(_SDK).partition(":")
        wanted = Wanted(service, action, arguments, self._configured.region, optimized)
        return self._call(name, partial(call, wanted), _repeatable(service, action, arguments))

    def published(
        self, resource: Resource, arguments: Mapping[str, Any], asking: Asking, refused: Mapping[int, str]
    ) -> Any | Failure:
        if resource.name == EVENTS:
            return published.entry_answer(arguments, asking, refused)
        return published.message_answer(resource.name, arguments, asking, refused)

    def _call(self, name: str, work: Any, repeatable: bool) -> Call:
        """What may not be repeated blindly is recorded as begun before it is sent."""
        declared = self._configured.effects.get(name.removeprefix(_SDK))
        once = declared == "irreversible" if declared is not None else not repeatable
        return Call(name, work, False, Policy(ONCE, at_most_once=once))


def _repeatable(service: str, action: str, arguments: Mapping[str, Any]) -> bool:
    if reads(action):
        return True
    if service == "dynamodb" and action in ("putItem", "deleteItem"):
        return not any(field in arguments for field in _ANSWERS)
    return (service, action) in (("s3", "putObject"), ("s3", "deleteObject"))
