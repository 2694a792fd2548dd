"""Spans go out to X-Ray's daemon, one datagram each, by aws-xray-sdk's own emitter. Needs
``pip install 'overwinter[xray]'``.

The daemon is at ``AWS_XRAY_DAEMON_ADDRESS``, as everywhere (Lambda sets it), else at 127.0.0.1:2000. A datagram that
nobody takes is lost, and nobody is told: that is how the daemon's protocol is.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from ...state.codec import dumps
from ...state.errors import InvalidInput
from ..spans.span import Span
from .documents import document, tied

VARIABLE = "AWS_XRAY_DAEMON_ADDRESS"
_FORM = re.compile(r"[^:\s]+:\d{1,5}|tcp:[^:\s]+:\d{1,5} udp:[^:\s]+:\d{1,5}|udp:[^:\s]+:\d{1,5} tcp:[^:\s]+:\d{1,5}")


def _check(address: str) -> None:
    """Raises InvalidInput."""
    if not _FORM.fullmatch(address):
        raise InvalidInput(f"{address[:80]!r} is no address of an X-Ray daemon; write host:port into {VARIABLE}")


_check(os.environ.get(VARIABLE, "127.0.0.1:2000"))  # the SDK looks at it while it is imported

_first = "aws_xray_sdk.core" not in sys.modules

try:
    from aws_xray_sdk.core import xray_recorder  # type: ignore[import-untyped]
    from aws_xray_sdk.core.daemon_config import DaemonConfig  # type: ignore[import-untyped]
    from aws_xray_sdk.core.emitters.udp_emitter import UDPEmitter  # type: ignore[import-untyped]
    from aws_xray_sdk.core.exceptions.exceptions import (  # type: ignore[import-untyped]
        InvalidDaemonAddressException,
    )
except ImportError as error:
    raise InvalidInput(f"X-Ray needs its SDK: pip install 'overwinter[xray]' ({error})") from error

_recorder: Any = xray_recorder
if _first:  # the SDK opens a socket for a recorder of its own, while it is imported, and never closes it
    atexit.register(_recorder.emitter._socket.close)  # not before: the program may send by it too

DAEMON = "127.0.0.1:2000"


class _Entity:
    """What the emitter sends: anything that can write itself down."""

    def __init__(self, text: str) -> None:
        self._text = text

    def serialize(self) -> str:
        return self._text


class Xray:
    """An exporter of spans. ``address``: another daemon's, as ``host:port``. Raises InvalidInput."""

    def __init__(self, address: str | None = None) -> None:
        address = address or os.environ.get(VARIABLE) or DAEMON
        _check(address)
        try:
            fits = 0 < DaemonConfig(address).udp_port < 65_536  # before there is a socket
        except InvalidDaemonAddressException:
            fits = False
        if not fits:
            raise InvalidInput(f"{address[:80]!r} is no address of an X-Ray daemon; write host:port")
        self._emitter: Any = UDPEmitter(address)

    def export(self, spans: Sequence[Span]) -> bool:
        for span in spans:
            for made in (document(span), *tied(span)):
                self._emitter.send_entity(_Entity(dumps(made)))
        return True

    def close(self) -> None:
        self._emitter._socket.close()
