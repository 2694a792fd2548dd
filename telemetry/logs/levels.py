"""Which lines are written: ``info``, or ``warning,overwinter.http=debug``, as ``OVERWINTER_LOG_LEVEL`` has it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ...state.errors import InvalidInput

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
TALKATIVE = ("asyncio", "botocore", "httpcore", "httpx", "LiteLLM", "mcp", "openai", "urllib3")
"""Libraries that say much at info: a level for everything is not meant for them; by their names they can be asked."""


def read_levels(said: str) -> Mapping[str, int]:
    """Levels by the name of a logger, "" for all that are not named. Raises InvalidInput that says what is wrong."""
    found: dict[str, int] = {}
    for part in said.split(","):
        name, equals, level = (word.strip() for word in part.rpartition("="))
        if not part.strip():
            continue
        if level.lower() not in LEVELS or (equals and not name):
            raise InvalidInput(
                f"{part.strip()[:60]!r} is no level of the log; write one of {', '.join(LEVELS)}, or NAME=LEVEL "
                "with the name of a logger: warning,overwinter.http=debug"
            )
        if name in found:
            raise InvalidInput(f"the level of {name or 'all loggers'} is said twice")
        found[name] = LEVELS[level.lower()]
    return found


def set_levels(levels: Mapping[str, int]) -> None:
    """Let loggers write from these levels on."""
    everything = levels.get("", logging.WARNING)
    logging.getLogger().setLevel(everything)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(everything, logging.WARNING))
    for name, level in levels.items():
        if name:
            logging.getLogger(name).setLevel(level)
