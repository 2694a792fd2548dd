"""``--render PLATFORM`` of the commands that list, and what it needs to know: documents on stdout, what they can't say
on stderr.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..options import text_option

if TYPE_CHECKING:
    from ...functions.bus.aws_place import Place
    from .aws import Template
    from .knative import Rendered, Target

Command = TypeVar("Command", bound=Callable[..., Any])
PLATFORMS = ("knative", "aws")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def render_options(command: Command) -> Command:
    """The command gets ``render`` ("" without it), ``service`` and ``namespace``."""
    for option in (
        text_option("--namespace", unsaid="", help="Of what is rendered; without it that of who applies it."),
        text_option("--service", unsaid="", help="With --render: the Service of Knative, or the function of Lambda."),
        click.option("--render", type=click.Choice(PLATFORMS), default=None, help="Print what the platform takes."),
    ):
        command = option(command)
    return command


def check(render: str | None, service: str, *, as_json: bool, namespace: str = "", dead_letters: str = "") -> None:
    """Raises UsageError for what does not go together, and for what the platform has no such name for."""
    if render is not None and as_json:
        raise click.UsageError("--render prints YAML; leave --json out")
    if render == "aws" and service:
        from ...functions.invocation.lambdas import understood

        if understood(service) is None:
            raise click.UsageError(
                f"{service[:80]!r} is no function of Lambda: --service takes NAME, NAME:ALIAS or its ARN"
            )
    if render == "knative":
        if not service:
            raise click.UsageError("--render knative needs --service NAME, the Service that is posted to")
        named = {"--service": service, "--namespace": namespace, "--dead-letters": dead_letters}
        for option, name in named.items():
            if name and not _LABEL.fullmatch(name):
                raise click.UsageError(
                    f"{option}: nothing in Kubernetes is called {name[:80]!r}; names have up to 63 small letters, "
                    "digits and -"
                )


def of_broker(service: str, namespace: str, broker: str, dead_letters: str) -> Target:
    """Where Triggers are applied. Raises InvalidInput, UsageError."""
    from ...functions.bus.knative_place import read
    from .knative import Target

    if not broker.startswith(("knative:", "http:", "https:")):
        raise click.UsageError("--render knative needs --broker (or OVERWINTER_BROKER) knative://NAMESPACE/BROKER")
    place = read(broker)
    if not place.broker:
        raise click.UsageError("the address names no Broker; say --broker knative://NAMESPACE/BROKER")
    if namespace and namespace != place.namespace:
        raise click.UsageError(f"a Trigger lies in its Broker's namespace, {place.namespace}; leave --namespace out")
    return Target(service, place.namespace, place.broker, dead_letters)


def of_aws(broker: str) -> Place:
    """Where events go on AWS. Raises InvalidInput, UsageError."""
    from ...functions.bus.aws_place import KINDS, read

    if broker.partition("://")[0] not in KINDS:
        raise click.UsageError(
            "--render aws needs --broker (or OVERWINTER_BROKER) sns://TOPIC, events://BUS or sqs://QUEUE"
        )
    return read(broker)


def tell(rendered: Rendered | Template) -> None:
    """Documents to stdout, notes to stderr."""
    from .knative import COMMENT, Rendered
    from .yaml_form import written

    for note in rendered.notes:
        click.echo(note, err=True)
    click.echo(
        written(rendered.documents, COMMENT if rendered.documents and isinstance(rendered, Rendered) else ""), nl=False
    )
