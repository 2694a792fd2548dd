"""The port behind which the integrations are that reach out of the process, and what configuration says of resources.

The interpreter asks for what is to be done and has it recorded; who implements this does it. What is configured is read
once, when a machine is made, so an execution is replayed by what it was begun with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .definition.resource import Resource
from .running.failure import Failure
from .running.resources import Asking, Call, Publication


class Integrations(Protocol):
    """What ``arn:aws:states:::SERVICE:ACTION`` means beside functions and executions."""

    def named(self, text: str) -> str | None:
        """What configuration says that a name, an ARN or a URL means here; None: nothing."""
        ...

    def refusal(self, resource: Resource) -> str:
        """Why an integration can't be carried out, and what to do about that; "" when it can."""
        ...

    def target(self, resource: Resource, arguments: Mapping[str, Any], asking: Asking) -> Call | Publication:
        """Raises QueryError for arguments that can't be given to it."""
        ...

    def published(
        self, resource: Resource, arguments: Mapping[str, Any], asking: Asking, refused: Mapping[int, str]
    ) -> Any | Failure: ...


class NoIntegrations:
    """None of them."""

    def named(self, text: str) -> str | None:
        return None

    def refusal(self, resource: Resource) -> str:
        return f"{resource.name} is not run here"

    def target(self, resource: Resource, arguments: Mapping[str, Any], asking: Asking) -> Call | Publication:
        raise NotImplementedError(resource.text)

    def published(
        self, resource: Resource, arguments: Mapping[str, Any], asking: Asking, refused: Mapping[int, str]
    ) -> Any | Failure:
        raise NotImplementedError(resource.text)


NONE: Integrations = NoIntegrations()
