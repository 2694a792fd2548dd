"""An execution environment of Lambda as a process: one event for each line of standard input, one answer for each.

A line is ``{"event": …, "seconds": …}``, the answer ``{"value": …}`` or ``{"error": "Class: message"}``. At the end
of the input the process is gone, as an environment is: without a word to the handler. ``_HANDLER`` names the
handler, as it does on Lambda.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import NamedTuple


class Context(NamedTuple):
    """What the handler asks for."""

    seconds: float

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def main() -> None:
    module, _, name = os.environ["_HANDLER"].rpartition(".")
    handler = getattr(importlib.import_module(module), name)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"value": handler(asked["event"], Context(asked.get("seconds", 60.0)))}
        except Exception as error:  # noqa: BLE001  # the platform reports every error of a handler
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
