"""The log of a server holds what others have said, and none of it moves the cursor of who reads it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = r"""
import logging
from overwinter.cli.logs import log_to_stderr

log_to_stderr()
logging.getLogger("overwinter").warning("a broker says %s\n  and more", "\x1b[31mred\x1b[0m ü \x07")
"""


def test_control_characters_are_visible_in_the_log() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    assert ran.stderr.decode() == "WARNING overwinter: a broker says \\x1b[31mred\\x1b[0m ü \\x07\n    and more\n"
