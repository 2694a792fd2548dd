"""What failed, in the log of the process that saw it, with Python's whole traceback: lines of code and no values of
variables, secrets redacted as in every line of the log. The journal keeps the short form of it (``traces``).

Each failure is said once, by the process that carried it out, with its execution and operation: an execution that ended
as failed as an error, a call that failed for good as a warning, an attempt that is made again for debugging. A replay
says nothing. Under a logger of its own, so that it can be turned up, down or elsewhere by itself.
"""

from __future__ import annotations

import logging
import re
import textwrap
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from ...security.redaction import redacted
from ...state.errors import ModelRetry
from ...state.text import clean
from ..errors.groups import said, said_in
from .decider import Invoke

Failure = dict[str, object]
log = logging.getLogger("overwinter.failures")


LONGEST = 65_536
"""Characters of a line, and of a traceback. Of what is longer the beginning and the end are kept."""
_ACTS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
_IN_LINE, _IN_LINES = re.compile(f"[\t\n{_ACTS}]"), re.compile(f"[{_ACTS}]")
_INDENT = "  "


class Writable(logging.Filter):
    """Texts of errors may be of any kind and come from anybody. What has no UTF-8 form would cost the line where it is
    written, a line break would begin what looks like another line of the log, and a terminal acts on some: the line is
    one line, and those of the traceback are indented. Secrets are taken out first, before they look otherwise."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _IN_LINE.sub(_escaped, _bounded(record.getMessage())), ()
        if record.exc_info:
            trace = _bounded(logging.Formatter().formatException(record.exc_info))
            record.exc_text = textwrap.indent(_IN_LINES.sub(_escaped, trace), _INDENT, lambda _: True)
        return True


def _bounded(text: str) -> str:
    return _cut(redacted(clean(_cut(text, 2 * LONGEST))), LONGEST)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} characters left out … {text[-half:]}"


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


log.filters.insert(0, Writable())  # before all that looks through the whole text, which may have any length

MOST = 20
"""Whole tracebacks in one second; one takes about a millisecond to write and to look through for secrets."""


class Whole:
    """Counts the tracebacks of a second, so that a storm of failures does not hold up what goes well."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second = 0.0
        self._count = 0

    def next(self) -> bool:
        """Whether there is room for another one."""
        now = self._clock()
        if now - self._second >= 1:
            self._second, self._count = now, 0
        self._count += 1
        return self._count <= MOST


_whole = Whole()


@contextmanager
def told_elsewhere() -> Generator[None]:
    """For a command that tells of failures in its own words."""
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def call(execution: str, call: Invoke, attempt: int, error: BaseException, *, final: bool) -> None:
    """An attempt of a call has failed; ``final``: no other follows."""
    level = logging.WARNING if final and not isinstance(error, ModelRetry) else logging.DEBUG
    if log.isEnabledFor(level):
        how = "failed for good in" if final else "is tried again after"
        _say(level, f"the call of {call.name!r} (operation {call.op}) {how} attempt {attempt}", execution, error)


def execution(id: str, op: str | None, error: BaseException) -> None:
    """The code of an execution has ended with an error, that of operation ``op`` perhaps."""
    if log.isEnabledFor(logging.ERROR):
        _say(logging.ERROR, f"failed{_place(op)}", id, error)


def recorded(id: str, error: Failure) -> None:
    """An execution without code of its own, an agent's, has failed with what is recorded. The traceback of a call was
    told of where that was made."""
    op = error.get("op")
    log.error("execution %s: failed%s: %s", id, _place(op if isinstance(op, str) else None), said_in(error))


def _say(level: int, what: str, id: str, error: BaseException) -> None:
    if _whole.next():
        log.log(level, "execution %s: %s", id, what, exc_info=error)
    else:
        log.log(level, "execution %s: %s (%s; too many fail to show where)", id, what, said(error))


def _place(op: str | None) -> str:
    return "" if op is None else f" in operation {op}"
