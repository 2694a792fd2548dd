"""What a workflow has left behind when the interpreter ends is told to nobody, and breaks nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

LEFT = """
import json
from overwinter.orchestrator.usercode.resilience import Policy
from overwinter.orchestrator.workflow.loop import Future
from overwinter.orchestrator.workflow.run import Run

future = Future(Run("x", "clerk", Policy()).loop)
future.set_exception(ValueError("nobody awaited this"))
"""


@pytest.mark.parametrize(("last", "told"), [("json.left = future\ndel future", False), ("del future", True)])
def test_a_failure_that_nobody_awaited_is_told_as_long_as_there_is_a_log(last: str, told: bool) -> None:
    ended = subprocess.run([sys.executable, "-c", LEFT + last], capture_output=True, text=True, timeout=60, check=True)
    assert "Exception ignored" not in ended.stderr
    assert ("nobody awaited this" in ended.stderr) is told
