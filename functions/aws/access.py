"""Who may call over HTTP. Lambda's other events need nothing here: AWS lets nobody invoke a function without the right.

An HTTP request is let in when AWS says who signed it (``iam``), or by the token (``token``). With neither nobody is:
a function URL is on the internet. One that was invoked (``invocation.lambdas``) came by no URL, and is let in.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from ...state.errors import InvalidInput
from ..http.guard import guard
from ..invocation.lambdas import INVOKED, MARK
from ..messages.problem import Refused

MODES = ("iam", "token")
INVOKER = "lambda:InvokeFunction"  # the right that whoever invoked the function has; AWS does not say who it was
EVERYWHERE = "0.0.0.0"  # what a function URL listens on, as the guard sees it


class Access(NamedTuple):
    """``token`` is what the app checks. Unless people have set one it is known to this process alone, and presented to
    the app for every caller that AWS has authenticated. ``closed``: no URL leads in."""

    mode: str
    token: str
    closed: bool = False

    def caller(self, event: Mapping[str, Any]) -> str:
        """Who signed the request, as an ARN; "" under ``token``, where the app looks. Raises Refused (403)."""
        if event.get(MARK) == INVOKED:
            return INVOKER
        if self.mode == "token":
            if self.closed:
                raise Refused(
                    403,
                    "this function answers no HTTP requests yet: set OVERWINTER_AUTH=iam behind a function URL with "
                    "IAM authentication, or OVERWINTER_TOKEN to a long random text",
                )
            return ""
        context = cast("Mapping[str, Any]", event["requestContext"])
        authorizer = cast("Mapping[str, Any]", context.get("authorizer") or {})
        signed = cast("Mapping[str, Any]", authorizer.get("iam") or {})
        caller = signed.get("userArn")
        if not isinstance(caller, str) or not caller:
            raise Refused(
                403,
                "AWS does not say who sent this request; OVERWINTER_AUTH=iam needs a function URL (or HTTP API route) "
                "with IAM authentication in front",
            )
        return caller


def access(mode: str | None = None, token: str | None = None) -> Access:
    """From the arguments, or OVERWINTER_AUTH and OVERWINTER_TOKEN. Raises InvalidInput."""
    mode = mode or os.environ.get("OVERWINTER_AUTH") or "token"
    if mode not in MODES:
        raise InvalidInput(f"OVERWINTER_AUTH is {mode[:40]!r}; set it to one of: {', '.join(MODES)}")
    token = "" if mode == "iam" else token or os.environ.get("OVERWINTER_TOKEN") or ""
    if token:
        guard(EVERYWHERE, token)
        return Access(mode, token)
    return Access(mode, secrets.token_urlsafe(32), mode == "token")
