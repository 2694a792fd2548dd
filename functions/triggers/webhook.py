"""``@webhook``: deliveries of another service to a path begin a function.

    @webhook("/hooks/github", verify=GitHub(secret="env:GITHUB_SECRET"), only="com.github.issues.*")
    @workflow
    async def triage(ctx, issue: Issue) -> str: ...

It stands above ``@workflow`` or ``@tool``; an agent is declared by a call, ``webhook(…)(support)``. What is declared
hangs on the function and means something to a server alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeVar, cast

from ...orchestrator.usercode.served import served
from ...state.errors import InvalidInput
from ..events.event import CloudEvent
from ..invocation.loading import kind_of
from .beginning import whole_of
from .delivery import Delivery
from .rules import Rule, rule, written
from .scheme import Scheme

F = TypeVar("F")
Made = Callable[[Delivery], Any] | None

_PATH = re.compile(r"(?:/[A-Za-z0-9_~@:!$&'()*+,;=.-]+)+")
ATTRIBUTE = "webhooks"
"""Where a function has what is declared of it."""


class Refusals:
    """When the log was last told, where everybody reads it, that a delivery was refused; in seconds."""

    told = -math.inf


class Webhook(NamedTuple):
    """One declaration. The rules make attributes of an event, the key of a session and an input; None: as it comes."""

    path: str
    scheme: Scheme
    type: Made
    id: Made
    source: Made
    subject: Made
    session: Made
    input: Made
    only: tuple[str, ...]
    refusals: Refusals

    def event(self, delivery: Delivery) -> CloudEvent:
        """The event of a verified delivery. Raises InvalidInput, Refused, InvalidEvent."""
        known = self.scheme.describe(delivery)
        subject = _text(self.subject, delivery, "subject") if self.subject else known.subject
        return CloudEvent(
            type=_text(self.type, delivery, "type") if self.type else known.type,
            id=_text(self.id, delivery, "id") if self.id else known.id or delivery.digest,
            source=_text(self.source, delivery, "source") if self.source else known.source or self.path,
            subject=subject or None,
            data=delivery.data,
        )

    def wants(self, event: CloudEvent) -> bool:
        """Whether events of its type are for the function."""
        return not self.only or any(fnmatchcase(event.type, pattern) for pattern in self.only)

    def key(self, delivery: Delivery) -> str | None:
        """The key of the session; None without sessions."""
        return _text(self.session, delivery, "session") if self.session else None


class Declared(NamedTuple):
    """A webhook, and the function that it is for, by the name under which that is served. ``whole``: what of it
    takes the whole event (``beginning.whole_of``)."""

    webhook: Webhook
    name: str
    function: Any
    whole: str


def webhook(
    path: str,
    *,
    verify: Scheme,
    only: str | Sequence[str] = (),
    type: Rule | None = None,
    id: Rule | None = None,
    source: Rule | None = None,
    subject: Rule | None = None,
    session: Rule | None = None,
    input: Rule | None = None,
) -> Callable[[F], F]:
    """Let deliveries to ``path`` begin the function below: a workflow, a tool, or an agent (a run, or a message of the
    ``session`` that the rule names).

    ``verify`` says how the sender proves who it is. Then ``type``, ``id``, ``source`` and ``subject`` make an event of
    the delivery, where the scheme's own rules shall not: a text with places like ``"{data.order.id}"``,
    ``"{headers.X-Request-Id}"`` and ``"{digest}"``, or a function of the ``Delivery``. The function gets the payload,
    the whole event where its input is annotated as CloudEvent, or what ``input`` makes. What comes again with the same
    source and id begins nothing. ``only``: patterns of the types that are for the function, ``"com.github.issues.*"``.

    Raises InvalidInput for what can't be.
    """
    if not _PATH.fullmatch(str(path)) or any(part in (".", "..") for part in path.split("/")):
        raise InvalidInput(f"{path!r:.100} is no path for a webhook; write one like /hooks/github")
    if not isinstance(verify, Scheme):  # pyright: ignore[reportUnnecessaryIsInstance]  # None is the usual mistake
        raise InvalidInput(
            f"the webhook {path} does not say how its sender is verified; write verify=GitHub(…), for "
            "one, or verify=Unverified() for a server that nobody else can reach"
        )
    declared = Webhook(
        path,
        verify,
        type=rule(type, "type"),
        id=rule(id, "id"),
        source=rule(source, "source"),
        subject=rule(subject, "subject"),
        session=rule(session, "session"),
        input=rule(input, "input"),
        only=_patterns(only),
        refusals=Refusals(),
    )

    def declare(function: F) -> F:
        _declare(function, declared)
        return function

    return declare


def _patterns(only: str | Sequence[str]) -> tuple[str, ...]:
    given: Any = only
    patterns: tuple[Any, ...] = (given,) if isinstance(only, str) or not isinstance(given, Iterable) else (*only,)
    if not all(isinstance(one, str) and one for one in patterns):
        raise InvalidInput(f"only={only!r:.80} would let nothing in; give patterns like 'com.github.issues.*'")
    return patterns


def _declare(thing: object, declared: Webhook) -> None:
    function: Any = served(thing)
    kind = kind_of(function)
    if kind not in ("workflow", "agent", "tool"):
        what = getattr(thing, "__name__", None) or repr(thing)[:80]
        raise InvalidInput(f"{what} is no workflow, agent or tool; write @webhook above @workflow or @tool")
    if getattr(function, "unbound", ""):
        raise InvalidInput(f"{function.unbound}; or webhook({declared.path!r}, …)({function.owner}(…).{function.name})")
    if declared.session is not None and kind != "agent":
        raise InvalidInput(f"{function.name} is a {kind}; only agents have sessions")
    setattr(function, ATTRIBUTE, (*getattr(function, ATTRIBUTE, ()), declared))


def declared_of(function: object) -> tuple[Webhook, ...]:
    """The webhooks of a function."""
    return cast("tuple[Webhook, ...]", getattr(function, ATTRIBUTE, ()))


def declared(functions: Mapping[str, Any]) -> dict[str, Declared]:
    """All webhooks by their paths. Raises InvalidInput for two of one path: who sends there would not know which of two
    answers it got."""
    found: dict[str, Declared] = {}
    for name, function in functions.items():
        for one in declared_of(function):
            other = found.setdefault(one.path, Declared(one, name, function, whole_of(function)))
            if other.webhook is not one:
                raise InvalidInput(
                    f"{other.name} and {name} both take webhooks at {one.path}; give each a path of its own, or let "
                    "one workflow call both"
                )
    return found


def check(webhooks: Mapping[str, Declared]) -> None:
    """Raise InvalidInput for a secret that is not there, and for one that opens two paths: what was sent to one of them
    could be sent again to the other."""
    paths: dict[bytes, Declared] = {}
    for one in webhooks.values():
        for secret in one.webhook.scheme.secrets():
            other = paths.setdefault(secret, one)
            shared = other.webhook.scheme.one_secret and one.webhook.scheme.one_secret
            if other.webhook.path != one.webhook.path and not shared:
                raise InvalidInput(
                    f"the webhooks {other.webhook.path} and {one.webhook.path} have the same secret, so what is sent "
                    "to one could be sent again to the other; give each its own"
                )


def _text(made: Made, delivery: Delivery, what: str) -> str:
    assert made is not None
    return written(made(delivery), what)
