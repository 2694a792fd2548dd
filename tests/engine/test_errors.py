"""Whatever a function raises is recorded and comes back, as its own class where that can be made."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter.functions.workflow import workflow
from overwinter.orchestrator.usercode.resilience import Retry
from overwinter.orchestrator.workflow.context import Context
from overwinter.testing import crash_everywhere
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain


class Model(BaseModel):
    number: int


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Picky(Exception):
    def __new__(cls, *, reason: str) -> Picky:
        return super().__new__(cls)

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"because {reason}")


def invalid() -> None:
    Model.model_validate({"number": "x"})


def undecodable() -> None:
    b"\xff".decode()


def picky() -> None:
    raise Picky(reason="it rains")


def group() -> None:
    raise ExceptionGroup("several", [ValueError("one")])


def missing() -> None:
    raise FileNotFoundError(2, "No such file", "a.txt")


def process() -> None:
    raise subprocess.CalledProcessError(2, "ls")


@pytest.mark.parametrize(
    ("raising", "kind", "text"),
    [
        (invalid, "StepFailed", "valid integer"),
        (undecodable, "UnicodeDecodeError", "codec can't decode"),
        (picky, "Picky", "because it rains"),
        (group, "ExceptionGroup", "several"),
        (missing, "FileNotFoundError", "No such file"),
        (process, "CalledProcessError", "non-zero exit status 2"),
    ],
)
def test_an_error_reaches_the_workflow(raising: Callable[[], None], kind: str, text: str) -> None:
    @workflow
    async def careful(ctx: Context) -> list[str]:
        try:
            await ctx.step(raising, retry=Retry(attempts=1))
        except Exception as error:  # noqa: BLE001  # whatever it is
            return [type(error).__name__, str(error)]
        return []

    outcome = crash_everywhere(careful).outcome
    assert not outcome.error
    assert outcome.value[0] == kind and text in outcome.value[1]


def test_an_error_without_a_text_fails_the_call_and_nothing_else() -> None:
    async def work(bench: Bench) -> None:
        async def mute(_: list[Any]) -> None:
            raise Mute

        process = await bench.process(Chain("chain", [Call(mute)]))
        await process.call(lambda runtime: runtime.start("chain", id="e"))
        ending = await bench.ended("e")
        assert ending["type"] == "failed" and "can't be read" in ending["error"]["message"]

    at_bench(work)
