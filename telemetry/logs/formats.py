"""The two forms of a line. Nothing of what may be a secret leaves by either, exceptions and extras included."""

from __future__ import annotations

import json
import logging
import reprlib
import textwrap
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from ...security.address import MASK
from ...security.redaction import holds_a_secret, redacted, redacted_all
from .ids import NAMES, ids_of

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", *NAMES}

_REPR = reprlib.Repr()
_REPR.maxother = 10_000


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, the ids that are known, ``exception``
    and ``stack`` as text, ``extra`` with what the caller has added."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message_of(record),
            **ids_of(record),
        }
        if trace := self._exception(record):
            line["exception"] = textwrap.dedent(trace)
        if record.stack_info:
            line["stack"] = record.stack_info
        extra = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        if extra:
            line["extra"] = _masked(_plain(extra))
        return json.dumps(redacted_all(line), separators=(",", ":"), allow_nan=False)

    def _exception(self, record: logging.LogRecord) -> str:
        if record.exc_text:
            return record.exc_text
        return self.formatException(record.exc_info) if record.exc_info else ""


class Human(logging.Formatter):
    """``WARNING overwinter: what happened [ticket-7 operation 3 attempt 2]``, the ids where the line says no such
    thing itself. ``clean`` makes what a terminal would act on visible. What has more than one line goes on indented: a
    line at the margin is one that was logged, whatever a message holds."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        if record.args:
            record = logging.makeLogRecord(record.__dict__ | {"msg": message_of(record), "args": None})
        return self._clean(redacted(super().format(record))).replace("\n", "\n  ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # the name that logging gives it
        ids = ids_of(record)
        execution = str(ids.pop("execution", ""))
        if not execution or execution in record.message:
            return super().formatMessage(record)
        told = [execution, *(f"{name} {value}" for name, value in ids.items())]
        return f"{super().formatMessage(record)} [{' '.join(told)}]"


def message_of(record: logging.LogRecord) -> str:
    """The message with what belongs into it; where that does not fit, both as they are: a slip in a line of the log
    costs nobody the line, and what it holds leaves by no other way."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, LookupError):
        return f"{record.msg} {record.args!r}"


def _plain(extra: dict[str, Any]) -> Any:
    try:
        return json.loads(json.dumps(extra, default=_shown), parse_constant=str)  # JSON has no NaN
    except (TypeError, ValueError, RecursionError):  # keys that JSON has no form for, or a circle
        return {str(name): _shown(value) for name, value in extra.items()}


def _shown(value: Any) -> str:
    """As ``repr`` does, also of what has none that works, and not without end."""
    return _REPR.repr_instance(value, 0)


def _masked(value: Any) -> Any:
    """Without what stands under a name that says it is a secret."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {name: MASK if holds_a_secret(name) else _masked(inner) for name, inner in items}
    if isinstance(value, list):
        return [_masked(inner) for inner in cast("Sequence[Any]", value)]
    return value
