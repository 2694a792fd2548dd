"""``knative/apply.sh`` against stand-ins for ``kn`` and ``kubectl`` that write down what they are asked: what it
applies and in which order, what it refuses, and that no secret is ever an argument.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from .manifests import KNATIVE, manifests

IMAGE = "ghcr.io/acme/desk:1.4.2"
TOKEN = "a-Delivery_token-0123456789"
BROKER = "http://broker-ingress.knative-eventing.svc.cluster.local/support-desk/desk"
STAND_IN = """#!/usr/bin/env bash
# A stand-in: one line for each call, and what came on stdin or in a file.
echo "$(basename "$0") $*" >>"$LOG/calls"
all=$*
case $all in
  *"get secret"*jsonpath*) printf %s "$TOKEN" | base64 ;;
  *"get secret"*) [[ $SECRET_IS_THERE ]] ;;
  *"get crd $MISSING") exit 1 ;;
  *"get configmap config-features"*) [[ $OIDC != unreadable ]] && printf %s "$OIDC" ;;
  *"get broker desk"*) printf %s "$BROKER" ;;
  version) [[ ! $NO_CLUSTER ]] ;;
  *"--filename -")
    given=$(cat)
    if [[ $given == *"kind: EventPolicy"* && $OIDC != [Ee]nabled ]]; then # as Knative's webhook says it
      echo 'admission webhook "validation.webhook.eventing.knative.dev" denied the request: validation failed:' \
        'authentication-oidc feature not enabled' >&2
      exit 1
    fi
    printf '%s\n---\n' "$given" >>"$LOG/applied" ;;
  *--filename*) file=${all#*--filename }; cat "${file%% *}" >>"$LOG/applied"; echo --- >>"$LOG/applied" ;;
  *describe*) echo http://support-desk.support-desk.svc.cluster.local ;;
esac
"""
TOOLS = ("bash", "env", "sed", "grep", "cat", "mktemp", "rm", "dirname", "basename", "base64")


class Machine:
    """A machine with a copy of the manifests and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin, self.log = folder / "knative", folder / "bin", folder / "log"
        shutil.copytree(KNATIVE, self.folder, ignore=shutil.ignore_patterns("secrets.yaml", "__pycache__"))
        self.bin.mkdir()
        self.log.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        for name in ("kn", "kubectl"):
            self.install(name)
        self.environment = {"LOG": str(self.log), "TOKEN": TOKEN, "IMAGE": IMAGE, "SECRET_IS_THERE": "yes"}
        self.environment |= {"MISSING": "nothing", "NO_CLUSTER": "", "PATH": str(self.bin)}
        self.environment |= {"OIDC": "enabled", "BROKER": BROKER}

    def install(self, name: str) -> None:
        (self.bin / name).write_text(STAND_IN)
        (self.bin / name).chmod(0o755)

    def apply(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.folder / "apply.sh"), *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def calls(self) -> list[str]:
        path = self.log / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def applied(self) -> list[Any]:
        return [one for one in yaml.safe_load_all((self.log / "applied").read_text()) if one is not None]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def ids(documents: list[Any]) -> list[str]:
    return [f"{one['kind']}/{one['metadata']['name']}" for one in documents]


def test_everything_is_applied_in_an_order_in_which_it_can_become_ready(machine: Machine) -> None:
    done = machine.apply()
    assert done.returncode == 0, done.stderr
    assert ids(machine.applied()) == [
        "Namespace/support-desk",
        "Service/dead-letters",
        "Service/support-desk",
        "Broker/desk",
        "EventPolicy/desk",
        "Trigger/messages",
        "PingSource/sweep",
        "PingSource/sweep-dead-letters",
    ]
    text = (machine.log / "applied").read_text()
    assert text.count(IMAGE) == 2 and "registry.example.com" not in text
    assert text.count(f"access_token={TOKEN}") == 5 and "=DELIVERY_TOKEN" not in text
    assert [call.split(" --filename")[0] for call in machine.calls() if call.startswith("kn service apply")] == [
        "kn service apply dead-letters --namespace support-desk",
        "kn service apply support-desk --namespace support-desk",
    ]
    assert not any(TOKEN in call for call in machine.calls())
    assert "kubectl --namespace support-desk wait" in "\n".join(machine.calls())
    assert TOKEN not in done.stdout + done.stderr


def test_a_dry_run_shows_everything_and_touches_nothing(machine: Machine) -> None:
    done = machine.apply("--dry-run", NO_CLUSTER="yes", SECRET_IS_THERE="")
    assert done.returncode == 0, done.stderr
    assert machine.calls() == []
    shown = [one for one in yaml.safe_load_all(done.stdout) if one is not None]
    wanted = {f"{one['kind']}/{one['metadata']['name']}" for _, one in manifests() if one["kind"] != "Secret"}
    assert set(ids(shown)) == wanted
    assert done.stdout.count(IMAGE) == 2


def test_public_means_the_desk_alone(machine: Machine) -> None:
    assert machine.apply("--public").returncode == 0
    services = [one for one in machine.applied() if one["apiVersion"] == "serving.knative.dev/v1"]
    labels = {one["metadata"]["name"]: one["metadata"]["labels"] for one in services}
    assert labels == {"support-desk": None, "dead-letters": {"networking.knative.dev/visibility": "cluster-local"}}


def test_own_secrets_are_applied_before_what_uses_them(machine: Machine) -> None:
    filled = (machine.folder / "secrets.example.yaml").read_text().replace("CHANGE-ME", "filled-in")
    (machine.folder / "secrets.yaml").write_text(filled)
    done = machine.apply(SECRET_IS_THERE="")
    assert done.returncode == 0, done.stderr
    assert ids(machine.applied())[:3] == ["Namespace/support-desk", "Secret/support-desk", "Service/dead-letters"]


def placeholders(machine: Machine) -> None:
    shutil.copy(machine.folder / "secrets.example.yaml", machine.folder / "secrets.yaml")


def without(name: str) -> Callable[[Machine], None]:
    return lambda machine: (machine.bin / name).unlink()


REFUSED: dict[str, tuple[Callable[[Machine], None] | None, dict[str, str], str]] = {
    "no image": (None, {"IMAGE": ""}, "IMAGE is not set"),
    "an image without a tag": (None, {"IMAGE": "ghcr.io/acme/desk"}, "with a tag or a digest"),
    "the latest image": (None, {"IMAGE": "ghcr.io/acme/desk:latest"}, "with a tag or a digest"),
    "an image that is none": (None, {"IMAGE": "desk:1|e touch x"}, "with a tag or a digest"),
    "the example's image": (None, {"IMAGE": "registry.example.com/support-desk:0.1.0"}, "example's name"),
    "no kn": (without("kn"), {}, "kn is not installed"),
    "no kubectl": (without("kubectl"), {}, "kubectl is not installed"),
    "no cluster": (None, {"NO_CLUSTER": "yes"}, "no cluster answers"),
    "no Knative": (None, {"MISSING": "triggers.eventing.knative.dev"}, "lacks triggers.eventing"),
    "no secrets": (None, {"SECRET_IS_THERE": ""}, "cp knative/secrets.example.yaml"),
    "placeholders for secrets": (placeholders, {}, "still says CHANGE-ME"),
}


@pytest.mark.parametrize(("prepare", "environment", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_missing_is_said_and_nothing_is_applied(
    machine: Machine, prepare: Callable[[Machine], None] | None, environment: dict[str, str], said: str
) -> None:
    if prepare is not None:
        prepare(machine)
    done = machine.apply(**environment)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (machine.log / "applied").exists()


def test_everything_that_is_missing_is_said_at_once(machine: Machine) -> None:
    without("kn")(machine)
    without("kubectl")(machine)
    assert machine.apply(IMAGE="").stderr.count("\n  - ") == 3


@pytest.mark.parametrize("token", ["short", "with a space and/or=signs&more"])
def test_a_token_that_does_not_fit_into_a_url_stops_before_it_is_used(machine: Machine, token: str) -> None:
    done = machine.apply(TOKEN=token)
    assert done.returncode == 2 and "delivery-token" in done.stderr
    assert ids(machine.applied()) == ["Namespace/support-desk"]


def test_an_older_knative_is_served_without_the_policy(machine: Machine) -> None:
    done = machine.apply(MISSING="eventpolicies.eventing.knative.dev")
    assert done.returncode == 0 and "anybody in the cluster" in done.stderr
    assert "EventPolicy/desk" not in ids(machine.applied())


@pytest.mark.parametrize(
    ("oidc", "said"),
    [
        ("disabled", "authentication-oidc is disabled"),
        ("Disabled", "authentication-oidc is Disabled"),
        ("", "authentication-oidc is not set"),
        ("unreadable", "can't be read"),
    ],
)
def test_a_knative_as_it_is_installed_takes_everything_but_the_policy(machine: Machine, oidc: str, said: str) -> None:
    done = machine.apply(OIDC=oidc)
    assert done.returncode == 0, done.stderr
    assert said in done.stderr and "anybody in the cluster" in done.stderr
    applied = ids(machine.applied())
    assert "EventPolicy/desk" not in applied
    assert applied[-3:] == ["Trigger/messages", "PingSource/sweep", "PingSource/sweep-dead-letters"]


@pytest.mark.parametrize("oidc", ["enabled", "Enabled"])
def test_the_policy_is_applied_where_it_is_taken(machine: Machine, oidc: str) -> None:
    done = machine.apply(OIDC=oidc)
    assert done.returncode == 0 and "no event policy" not in done.stderr
    assert "EventPolicy/desk" in ids(machine.applied())


def test_a_broker_with_another_address_is_said(machine: Machine) -> None:
    assert "K_SINK" not in machine.apply().stderr
    other = "http://kafka-broker-ingress.knative-eventing.svc.cluster.local/support-desk/desk"
    assert other in machine.apply(BROKER=other).stderr


def test_an_unknown_argument_is_refused(machine: Machine) -> None:
    done = machine.apply("--dryrun")
    assert done.returncode == 2 and "--dry-run" in done.stderr
    assert machine.apply("--help").returncode == 0


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_script_is_clean() -> None:
    subprocess.run(["shellcheck", str(KNATIVE / "apply.sh")], check=True)


def test_the_script_can_be_run() -> None:
    assert os.access(KNATIVE / "apply.sh", os.X_OK)
