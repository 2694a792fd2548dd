"""``overwinter asl export`` and ``render``: the definition of what is written in Python, and what deploys it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from overwinter.cli.main import cli

ROOT = Path(__file__).parents[2]
SHOP = '''
from overwinter import StateMachine, asl, tool


@tool
async def weigh(parcel: str) -> int:
    """Grams."""
    return len(parcel)


one = StateMachine("parcels", asl.machine(asl.Task("Weigh", weigh)))
'''
OTHER = '\nother = StateMachine("other", asl.machine(asl.Pass("P")))\n'


PATTERN = """
from overwinter import Agent
from overwinter.patterns import sections

review = sections("review", {"style": Agent("style", model="scripted:echo")})
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "shops.py").write_text(SHOP + OTHER)
    (tmp_path / "review.py").write_text(PATTERN)
    return tmp_path


def asl(*words: str) -> Result:
    return CliRunner().invoke(cli, ["asl", *words])


def test_a_machine_is_printed_and_checked_again(folder: Path) -> None:
    done = asl("export", "shop.py")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["States"]["Weigh"]["Resource"] == "weigh"
    (folder / "again.json").write_text(done.stdout)
    assert asl("check", "again.json").exit_code == 0
    assert asl("export", "again.json").stdout == done.stdout
    assert json.loads(asl("export", "shops.py", "other").stdout)["StartAt"] == "P"


def test_a_pattern_is_printed_as_a_machine() -> None:
    examples = ROOT / "examples" / "patterns"
    done = asl("export", str(examples / "plan_a_trip.py"), "trip")
    assert json.loads(done.stdout)["States"]["Pieces"]["MaxConcurrency"] == 2
    refused = asl("export", str(examples / "watch_the_greenhouse.py"), "greenhouse")
    assert refused.exit_code and "woken by events" in refused.stderr


def test_what_deploys_it_is_printed_with_what_it_can_not_say() -> None:
    done = asl("render", "shop.py", "--service", "desk", "--tracing", "--express", "--log", "ALL")
    assert done.exit_code == 0 and done.stderr == ""
    resources = yaml.safe_load(done.stdout)["Resources"]
    properties = resources["ParcelsStateMachine"]["Properties"]
    assert properties["StateMachineType"] == "EXPRESS" and properties["TracingConfiguration"] == {"Enabled": True}
    assert properties["LoggingConfiguration"]["Level"] == "ALL"
    own = asl("render", "shop.py", "--function", "weigh=scale")
    assert "${ScaleLambdaFunctionArn}" in own.stdout and "overwinter" not in own.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "shops.py"), "say which one: shops.py holds these state machines: parcels, other"),
        (("export", "review.py"), "holds no state machine, but patterns that can be told as one: review"),
        (("export", "shop.py", "post"), "shop.py holds no 'post'; there are weigh, parcels"),
        (("export", "shop.py", "weigh"), "weigh is code"),
        (("render", "shop.py"), "what weigh is on AWS"),
        (("render", "shop.py", "--function", "weigh"), "--function takes NAME=KEY"),
        (("export", "absent.json"), "there is no file absent.json"),
        (("export", "absent.py"), "absent.py"),
    ],
)
def test_what_can_not_be_printed_is_said(words: tuple[str, ...], said: str) -> None:
    done = asl(*words)
    assert done.exit_code and not done.stdout
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
