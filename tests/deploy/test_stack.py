"""``stack.yml``: what OpenFaaS is told fits the watchdog, the image and the program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter.cli.ending import EXTRA
from overwinter.cli.main import cli
from overwinter.state.quantities import seconds

from .manifests import ROOT, documents
from .test_image import ARGUMENTS, BY_NAME, STAGES, understood, variables
from .test_manifests import PROVIDERS, sources

(STACK,) = documents(ROOT / "stack.yml")
FUNCTIONS: dict[str, dict[str, Any]] = STACK["functions"]
each = pytest.mark.parametrize("name", FUNCTIONS)
KEYS = {
    *("lang", "handler", "image", "build_args", "skip_build", "environment", "secrets", "readonly_root_filesystem"),
    *("requests", "limits", "annotations", "labels"),
}
WATCHDOG = {
    *(
        "mode",
        "fprocess",
        "upstream_url",
        "ready_path",
        "read_timeout",
        "write_timeout",
        "exec_timeout",
        "max_inflight",
    ),
    "healthcheck_interval",
}
KILLED = 30  # seconds after SIGTERM, by Kubernetes


@each
def test_no_key_is_misspelt(name: str) -> None:
    function = FUNCTIONS[name]
    assert set(function) <= KEYS
    text = sources()
    for variable in function["environment"]:
        assert variable in WATCHDOG or f'"{variable}"' in text, variable
    assert set(function["requests"]) == set(function["limits"]) == {"cpu", "memory"}
    assert function["readonly_root_filesystem"] is True


@each
def test_secrets_become_variables_that_the_program_reads(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = sources()
    assert FUNCTIONS[name]["environment"]["OVERWINTER_SECRETS"] == "/var/openfaas/secrets"
    read = {secret.upper().replace("-", "_") for secret in FUNCTIONS[name]["secrets"]}
    assert {"OVERWINTER_TOKEN", "OVERWINTER_STATE"} <= read
    assert all(variable in PROVIDERS or f'"{variable}"' in text for variable in read)


@each
def test_times_fit_into_each_other(name: str) -> None:
    environment = FUNCTIONS[name]["environment"]
    longest = seconds(environment["exec_timeout"])
    assert seconds(environment["read_timeout"]) >= longest and seconds(environment["write_timeout"]) >= longest
    assert seconds(environment["OVERWINTER_WAIT"]) < longest
    assert seconds(environment["OVERWINTER_GRACE"]) + EXTRA < seconds(environment["healthcheck_interval"]) < KILLED


def test_the_build_argument_chooses_a_stage() -> None:
    function = FUNCTIONS["support-desk"]
    assert set(function["build_args"]) <= set(ARGUMENTS)
    assert BY_NAME[function["build_args"]["PLATFORM"]].base == "plain"
    assert STAGES[-1].base == "plain"  # without the argument
    assert {one["image"] for one in FUNCTIONS.values()} == {function["image"]}
    assert re.search(r":[\d.]+\}$", function["image"])


def test_the_sweep_is_a_command_of_ours_that_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "examples")
    function = FUNCTIONS["support-desk-sweep"]
    environment = function["environment"]
    given = understood(environment["fprocess"].split())
    assert seconds(given["limit"]) < seconds(environment["exec_timeout"])
    assert environment["mode"] != "http"  # a process for each call
    assert environment["ready_path"] == "" and variables("openfaas")["ready_path"]
    assert environment["max_inflight"] == "1"
    assert function["annotations"] == {"topic": "cron-function", "schedule": "*/5 * * * *"}


def test_values_are_texts() -> None:
    for function in FUNCTIONS.values():
        for place in ("environment", "annotations", "labels"):
            assert all(isinstance(value, str) for value in function.get(place, {}).values())


def test_files_in_a_folder_become_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "overwinter-state": f"sqlite:///{tmp_path}/from-file.db\n",
        "overwinter-token": "unused",
        "..data": "not a name",
        "some-other-key": "x",
    }.items():
        (tmp_path / name).write_text(text)
    for variable in ("OVERWINTER_STATE", "SOME_OTHER_KEY"):
        monkeypatch.setenv(variable, "")  # so that the test's end takes away what the command sets
        monkeypatch.delenv(variable)
    monkeypatch.setenv("OVERWINTER_TOKEN", "from-the-environment")
    monkeypatch.setenv("OVERWINTER_SECRETS", str(tmp_path))
    shown = CliRunner().invoke(cli, ["ps"])
    assert shown.exit_code == 4 and "from-file.db" in shown.output
    import os

    assert os.environ["OVERWINTER_TOKEN"] == "from-the-environment"
    assert os.environ["SOME_OTHER_KEY"] == "x"
    monkeypatch.setenv("OVERWINTER_SECRETS", str(tmp_path / "nowhere"))
    refused = CliRunner().invoke(cli, ["ps"])
    assert refused.exit_code == 2 and "OVERWINTER_SECRETS" in refused.output
