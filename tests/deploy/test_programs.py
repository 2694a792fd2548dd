"""The platforms' own programs, where they are installed: Lambda's runtime interface emulator with AWS's own client for
Python, and Knative's ``kn`` reading the manifests. ``make test-platforms`` runs it; each says why it was left out.

    go install github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@latest
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from overwinter.tests.servers.ports import free_port

from .manifests import KNATIVE

ROOT = Path(__file__).parents[2]
SHOP = """
from overwinter import Context, tool, workflow

@tool
def lookup_order(order_id: str) -> str:
    return f"{order_id} is shipped"

@workflow
async def ticket(ctx: Context, input: str) -> str:
    return await ctx.step(lookup_order, input)
"""
PATIENCE = 60


def installed(name: str) -> str:
    """The program, also where ``go install`` puts it."""
    if not os.environ.get("OVERWINTER_TEST_PLATFORMS"):
        pytest.skip("make test-platforms runs it")
    bin = os.environ.get("GOBIN") or f"{os.environ.get('GOPATH') or Path.home() / 'go'}/bin"
    found = shutil.which(name) or shutil.which(name, path=bin)
    if found is None:
        pytest.skip(f"{name} is not installed, neither on PATH nor in {bin}")
    return found


# -- Lambda ------------------------------------------------------------------------------------------


@pytest.fixture
def function(tmp_path: Path) -> Iterator[Any]:
    """Invokes the handler that ``serverless.yml`` names, behind the emulator."""
    emulator = installed("aws-lambda-rie")
    client = tmp_path / "client"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(client), "awslambdaric"]
    done = subprocess.run(install, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        pytest.skip(f"awslambdaric can't be installed: {done.stderr[-200:]}")
    (tmp_path / "shop.py").write_text(SHOP)
    front, inner = free_port(), free_port()
    command = [emulator, "--runtime-interface-emulator-address", f"127.0.0.1:{front}"]
    command += ["--runtime-api-address", f"127.0.0.1:{inner}", sys.executable, "-m", "awslambdaric"]
    command += ["overwinter.functions.aws.entry.handler"]
    environment = {**os.environ, "OVERWINTER_APP": "shop.py", "OVERWINTER_STATE": f"sqlite:///{tmp_path}/shop.db"}
    environment |= {"OVERWINTER_AUTH": "iam", "PYTHONPATH": f"{client}:{ROOT / '.dev'}:{tmp_path}"}
    environment |= {"AWS_LAMBDA_FUNCTION_TIMEOUT": "30"}
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)

    def invoke(event: Any) -> Any:
        url = f"http://127.0.0.1:{front}/2015-03-31/functions/function/invocations"
        while True:
            assert process.poll() is None, (tmp_path / "log").read_text()
            with contextlib.suppress(httpx.ConnectError):
                return httpx.post(url, json=event, timeout=PATIENCE).json()

    yield invoke
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    log.close()


def asked(method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
    """A request as a function URL hands it over."""
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", **headers},
        "requestContext": {
            "http": {"method": method, "path": path},
            "authorizer": {"iam": {"userArn": "arn:aws:iam::1:user/ana"}},
        },
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def test_lambda_s_own_client_invokes_the_handler(function: Any) -> None:
    answer = function(asked("POST", "/tools/lookup_order", {"order_id": "o-1"}))
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, "o-1 is shipped")
    answer = function(asked("POST", "/workflows/ticket", "o-2", prefer="wait=20"))
    assert (answer["statusCode"], json.loads(answer["body"])["result"]) == (200, "o-2 is shipped")
    refused = function(asked("POST", "/workflows/nobody", "o-2"))
    assert (refused["statusCode"], refused["headers"]["overwinter-error"]) == (404, "refused")


def test_an_event_and_a_sweep_by_lambda_s_own_client(function: Any) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/s", "type": "io.overwinter.call.ticket", "data": "o-3"}
    for _ in range(2):
        function({**event, "subject": "t-3"})
    listed = json.loads(function(asked("GET", "/executions"))["body"])["executions"]
    assert [(one["id"], one["status"]) for one in listed] == [("t-3", "completed")]


# -- Knative -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["service", "dead-letters"])
def test_kn_reads_the_services(name: str, tmp_path: Path) -> None:
    kn = installed("kn")
    service = {"service": "support-desk"}.get(name, name)
    command = [kn, "service", "create", service, "--filename", str(KNATIVE / f"{name}.yaml")]
    command += ["--namespace", "support-desk", "--target", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob(f"{service}.yaml"))
