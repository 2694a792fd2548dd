"""Options for what a server's door bounds, of ``dev`` and ``serve``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..state.quantities import size
from .options import duration_option

if TYPE_CHECKING:
    from ..functions.http.limits import Limits


class Bounds(NamedTuple):
    """What was asked for, as it was written."""

    max_connections: int = 1000
    max_head: str = "32KB"
    max_body: str = "4MB"
    max_held: str = "64MB"
    head_timeout: str = "10s"
    body_timeout: str = "60s"
    answer_timeout: str = "60s"
    idle_timeout: str = "75s"

    def limits(self) -> Limits:
        """The same for the door."""
        from ..functions.http.limits import Limits

        return Limits(
            connections=self.max_connections,
            head=self.max_head,
            body=self.max_body,
            held=self.max_held,
            head_time=self.head_timeout,
            body_time=self.body_timeout,
            answer_time=self.answer_timeout,
            idle_time=self.idle_timeout,
        )

    def environment(self) -> dict[str, str]:
        """The same for a serving process that this one starts."""
        return {f"OVERWINTER_{name.upper()}": str(value) for name, value in self._asdict().items()}


HELP = {
    "max_connections": "Connections open at once; a twentieth is kept for probes.",
    "max_head": "A request's line and headers.",
    "max_body": "A request's body.",
    "max_held": "Bodies of all open requests, and answers that nobody has fetched yet.",
    "head_timeout": "For a request's head to arrive.",
    "body_timeout": "For its body to arrive.",
    "answer_timeout": "For the client to fetch its answer.",
    "idle_timeout": "Between two requests of a connection.",
}


def door_options(command: Callable[..., Any], usual: Bounds = Bounds()) -> Callable[..., Any]:
    """An option for each of the bounds; the command gets them as ``bounds``. ``usual`` holds what is not said."""

    @functools.wraps(command)
    def with_bounds(**given: Any) -> Any:
        bounds = Bounds(**{name: given.pop(name) for name in Bounds._fields})
        return command(bounds=bounds, **given)

    made: Callable[..., Any] = with_bounds
    for name, default in reversed(usual._asdict().items()):
        made = _option(name, default)(made)
    return made


def _option(name: str, default: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    about: dict[str, Any] = {
        "envvar": f"OVERWINTER_{name.upper()}",
        "default": default,
        "show_default": True,
        "show_envvar": True,
        "help": HELP[name],
    }
    flag = "--" + name.replace("_", "-")
    if name.endswith("_timeout"):
        return duration_option(flag, **about)
    if isinstance(default, int):
        return click.option(flag, type=click.IntRange(10, 1_000_000), **about)
    return click.option(flag, metavar="SIZE", callback=_check_size, **about)


def _check_size(_: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        size(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param=parameter) from None
    return value
