"""Integrations for a journal that is only read: what each of them put into it, with nothing done and nothing
configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...orchestrator.machine.definition.resource import Resource
from ...orchestrator.machine.running.failure import Failure
from ...orchestrator.machine.running.resources import Asking, Call, Publication
from ...orchestrator.usercode.resilience import ONCE, Policy
from . import published
from .reaching import EVENTS, MESSAGES


class Retold:
    """Implements ``Integrations``."""

    def named(self, text: str) -> str | None:
        return None

    def refusal(self, resource: Resource) -> str:
        return ""

    def target(self, resource: Resource, arguments: Mapping[str, Any], asking: Asking) -> Call | Publication:
        if resource.name in MESSAGES:
            return Publication(published.message_events(resource.name, arguments, asking, self.named))
        if resource.name == EVENTS:
            return Publication(published.entry_events(arguments, asking))
        return Call(resource.name, _nothing, False, Policy(ONCE))

    def published(
        self, resource: Resource, arguments: Mapping[str, Any], asking: Asking, refused: Mapping[int, str]
    ) -> Any | Failure:
        if resource.name == EVENTS:
            return published.entry_answer(arguments, asking, refused)
        return published.message_answer(resource.name, arguments, asking, refused)


def _nothing() -> None:
    """What is only read is not called."""
