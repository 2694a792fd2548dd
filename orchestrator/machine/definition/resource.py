"""What a Task calls, taken apart.

- ``lookup_order`` or any URI but an ARN: the function of that name.
- ``arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]``: a function too; configuration may say which one.
- ``arn:aws:states:REGION:ACCOUNT:activity:NAME``: an activity.
- ``arn:aws:states:::SERVICE:ACTION[.sync|.sync:2|.waitForTaskToken]``: an integration, with the pattern it is used by.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["function", "lambda", "activity", "integration"]
Pattern = Literal["", "sync", "sync:2", "waitForTaskToken"]

_PARTITION = r"arn:aws(?:-[a-z-]+)?"
_LAMBDA = re.compile(rf"{_PARTITION}:lambda:[^:]*:[^:]*:function:([^:\s]+)(?::([^:\s]+))?")
_ACTIVITY = re.compile(rf"{_PARTITION}:states:[^:]+:[^:]+:activity:([^:\s]+)")
_INTEGRATION = re.compile(rf"{_PARTITION}:states:::([^:\s.]+):([^\s.]+?)(?:\.(sync:2|sync|waitForTaskToken))?")
_PLAIN = re.compile(r"[^\s\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Resource:
    """``name`` is the function's or activity's name, or ``sqs:sendMessage`` of an integration."""

    text: str
    kind: Kind
    name: str
    pattern: Pattern = ""
    qualifier: str = ""


def parse(text: str) -> Resource:
    """Raises ValueError when the text has none of the forms."""
    if not text.startswith("arn:"):
        if not _PLAIN.fullmatch(text):
            raise ValueError("a name or an ARN has no spaces, and is not empty")
        return Resource(text, "function", text)
    if found := _LAMBDA.fullmatch(text):
        return Resource(text, "lambda", found[1], qualifier=found[2] or "")
    if found := _ACTIVITY.fullmatch(text):
        return Resource(text, "activity", found[1])
    if found := _INTEGRATION.fullmatch(text):
        pattern: Pattern = found[3] or ""  # type: ignore[assignment]  # the expression has these and no others
        return Resource(text, "integration", f"{found[1]}:{found[2]}", pattern)
    raise ValueError("this ARN is neither that of a function, nor of an activity, nor of an integration")
