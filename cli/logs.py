"""The log of a process that a command runs: on stderr, in the form and at the levels that the environment asks for.

``--log-format`` and ``OVERWINTER_LOG_FORMAT``: ``human`` or ``json``. ``OVERWINTER_LOG_LEVEL``: ``warning`` when it is
not there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from ..security.redaction import redact_logs
from ..telemetry.logs.formats import Human, JsonLines
from ..telemetry.logs.ids import Identified
from ..telemetry.logs.levels import read_levels, set_levels
from .view.text import clean_lines

Command = TypeVar("Command", bound=Callable[..., Any])

FORMAT, LEVEL = "OVERWINTER_LOG_FORMAT", "OVERWINTER_LOG_LEVEL"
FORMATS = ("human", "json")


def log_format_option(command: Command) -> Command:
    """``--log-format``. It goes to the environment, so that a process which this one starts has it too."""

    def callback(_: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            os.environ[FORMAT] = value

    return click.option(
        "--log-format",
        type=click.Choice(FORMATS),
        envvar=FORMAT,
        default=None,
        show_envvar=True,
        expose_value=False,
        callback=callback,
        help="Lines of the log for people (human) or for programs (json).",
    )(command)


def log_to_stderr() -> None:
    """Without secrets and control characters, unless whoever embeds this has set up a log. Raises InvalidInput for a
    level or a format that there is not."""
    levels = read_levels(os.environ.get(LEVEL, ""))
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if format_of(os.environ) == "json" else Human(clean_lines))
    handler.addFilter(Identified([call_ids]))
    if not logging.getLogger().handlers:
        logging.basicConfig(handlers=[handler])
        set_levels(levels)
    redact_logs(logging.getLogger())


def format_of(environment: Mapping[str, str]) -> str:
    """Raises InvalidInput."""
    from ..state.errors import InvalidInput

    said = environment.get(FORMAT, "").strip().lower() or FORMATS[0]
    if said not in FORMATS:
        raise InvalidInput(f"{FORMAT} is {said[:40]!r}; it is one of {', '.join(FORMATS)}")
    return said


def asked_for_levels() -> bool:
    """Whether somebody has said which lines they want."""
    return bool(os.environ.get(LEVEL, "").strip())


def call_ids() -> Mapping[str, str | int]:
    """Of the step, tool or model call that runs, and where traces are on those of its span."""
    from ..orchestrator.engine.performing import current_call

    try:
        call = current_call()
    except LookupError:
        return {}
    ids: dict[str, str | int] = {"execution": call.execution, "operation": call.operation, "attempt": call.attempt}
    if call.tracing is not None:
        from ..telemetry.spans.ids import context_of

        if (context := context_of(call.trace)) is not None:
            ids |= {"trace_id": context.trace_id, "span_id": context.span_id}
    return ids
