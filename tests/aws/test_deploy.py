"""The whole way with osls: package, deploy to moto's server, then the deployed function's own settings at work.

It needs Node 20.19, the npm and Python registries and a minute, so it runs only when asked to:

    OVERWINTER_TEST_OSLS=1 make test ARGS="tests/aws/test_deploy.py -s"

The package is made for this machine instead of Lambda's, unpacked, and run without any other library beside it.
``OVERWINTER_TEST_OSLS`` may also be the path of an installed osls.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from overwinter.tests.aws.environment import Environment
from overwinter.tests.aws.lambda_events import cloud_event, eventbridge, http, sqs
from overwinter.tests.servers.moto import Moto, credentials

ROOT = Path(__file__).parents[2]
ASKED = os.environ.get("OVERWINTER_TEST_OSLS", "")
REGION = "eu-central-1"
STACK = "support-desk-dev"
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

pytestmark = pytest.mark.skipif(not ASKED, reason="set OVERWINTER_TEST_OSLS=1 to deploy with osls; it takes a minute")


class Deployed(NamedTuple):
    """What stands on moto's server, and the unpacked package."""

    url: str
    function: dict[str, Any]
    task: Path
    folder: Path

    def client(self, service: str) -> Any:
        boto3: Any = importlib.import_module("boto3")  # untyped
        keys = {name.lower(): value for name, value in credentials().items() if name != "AWS_EC2_METADATA_DISABLED"}
        return boto3.client(service, region_name=REGION, endpoint_url=self.url, **keys)

    def environment(self) -> Environment:
        """A fresh process with the function's variables, and nothing of this machine's libraries."""
        variables = {
            **credentials(),
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "PYTHONPATH": str(self.task),
            "_HANDLER": self.function["Handler"],
            **self.function["Environment"]["Variables"],
            "SHOP_DATABASE": str(self.folder / "shop.db"),
        }
        return Environment(variables, self.task, "-S", "-W", "ignore")


def osls(folder: Path, *arguments: str, **more: str) -> str:
    """Run osls and show what it says."""
    command = ["npx", "--yes", "osls@4"] if ASKED == "1" else [ASKED]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**os.environ, **credentials(), "AWS_REGION": REGION, "SLS_TELEMETRY_DISABLED": "1", **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    print(f"$ osls {' '.join(arguments)}\n{done.stdout}")
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``serverless.yml`` and a package for this machine."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "serverless.yml", folder)
    architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    program = [sys.executable, str(ROOT / "examples" / "aws" / "package.py")]
    made = subprocess.run(
        [*program, "--python", VERSION, "--architecture", architecture, "--build", str(folder / "build")],
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    print(made.stdout)
    assert "without bytecode" not in made.stdout
    return folder


@pytest.fixture(scope="module")
def deployed(project: Path) -> Iterator[Deployed]:
    task = project / "task"
    with zipfile.ZipFile(project / "build" / "lambda.zip") as archive:
        archive.extractall(task)
    with Moto() as moto:
        assert "deployed" in osls(project, "deploy", AWS_ENDPOINT_URL=moto.url)
        bare = Deployed(moto.url, {}, task, project)
        found = bare.client("lambda").get_function(FunctionName=f"{STACK}-desk")
        yield bare._replace(function=found["Configuration"])


def test_osls_packages_it(project: Path) -> None:
    osls(project, "package")
    template = json.loads((project / ".serverless" / "cloudformation-template-update-stack.json").read_text("utf-8"))
    kinds = {one["Type"] for one in template["Resources"].values()}
    assert {
        "AWS::Lambda::Function",
        "AWS::Lambda::Url",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Events::Rule",
        "AWS::DynamoDB::Table",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
        "AWS::Logs::LogGroup",
    } <= kinds
    assert template["Resources"]["DeskLambdaFunction"]["Properties"]["TracingConfig"] == {"Mode": "Active"}
    assert template["Resources"]["DeskLambdaFunctionUrl"]["Properties"]["AuthType"] == "AWS_IAM"
    osls(project, "package", "--stage", "live", "--package", ".live")
    live = (project / ".live" / "cloudformation-template-update-stack.json").read_text("utf-8")
    assert '"{{resolve:secretsmanager:support-desk/model:SecretString:key}}"' in live


def test_what_was_deployed_is_what_was_packed(deployed: Deployed, project: Path) -> None:
    digest = hashlib.sha256((project / "build" / "lambda.zip").read_bytes()).digest()
    assert deployed.function["CodeSha256"] == base64.b64encode(digest).decode()
    assert deployed.function["Environment"]["Variables"]["OVERWINTER_STATE"].startswith("dynamodb://")


def test_a_message_is_answered_by_the_deployed_settings(deployed: Deployed) -> None:
    with deployed.environment() as desk:
        answer = desk.take(http("POST", "/sessions/support/c-17", {"content": "Where is my order o-17?"}))
        assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (200, "completed")
        assert desk.take(http("GET", "/functions", signed=False))["statusCode"] == 403
    with deployed.environment() as other:
        answer = other.take(http("GET", "/executions/support/c-17"))
        assert json.loads(answer["body"])["status"] == "idle"
    print("the answer came from a process with the deployed function's variables; another process saw the session idle")


def test_a_large_payload_goes_to_the_bucket(deployed: Deployed) -> None:
    content = "Where is my order o-17? " + "x" * 600_000
    with deployed.environment() as desk:
        answer = desk.take(http("POST", "/sessions/support/c-99", {"content": content}))
        assert answer["statusCode"] == 200, answer
    bucket = deployed.function["Environment"]["Variables"]["OVERWINTER_STATE"].rpartition("bucket=")[2]
    assert deployed.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] > 0


def test_the_queue_gives_its_messages_and_keeps_the_bad_ones(deployed: Deployed) -> None:
    client, lambdas = deployed.client("sqs"), deployed.client("lambda")
    queue = client.get_queue_url(QueueName=f"{STACK}-events")["QueueUrl"]
    letters = client.get_queue_url(QueueName=f"{STACK}-dead-letters")["QueueUrl"]
    (mapping,) = lambdas.list_event_source_mappings()["EventSourceMappings"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    lambdas.delete_event_source_mapping(UUID=mapping["UUID"])  # moto would need Docker to follow it; this test does
    good = cloud_event("io.overwinter.call.support", "Where is my order o-3?", subject="c-3")
    for body in (json.dumps(good), "no event"):
        client.send_message(QueueUrl=queue, MessageBody=body)
    with deployed.environment() as desk:
        for _ in range(6):
            messages = client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            if not messages:
                break
            failed = [
                one["itemIdentifier"] for one in desk.take(sqs(*(m["Body"] for m in messages)))["batchItemFailures"]
            ]
            for index, message in enumerate(messages):
                if f"m-{index}" in failed:
                    handle = message["ReceiptHandle"]
                    client.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
                else:
                    client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        answer = desk.take(http("GET", "/history/support/c-3"))
    entries = json.loads(answer["body"])["entries"]
    assert sum(entry["type"] == "reply" for entry in entries) == 1
    kept = client.receive_message(QueueUrl=letters).get("Messages", [])
    assert [message["Body"] for message in kept] == ["no event"]
    print("the good message was answered; after its deliveries the bad one lies in the dead-letter queue")


def test_the_rules_send_what_the_handler_takes(deployed: Deployed) -> None:
    events = deployed.client("events")
    rules = {rule["Name"]: rule for rule in events.list_rules()["Rules"]}
    (schedule,) = [rule for rule in rules.values() if rule.get("ScheduleExpression") == "rate(1 minute)"]
    (pattern,) = [json.loads(rule["EventPattern"]) for rule in rules.values() if rule.get("EventPattern")]
    assert pattern == {"source": ["support-desk"]}
    (target,) = events.list_targets_by_rule(Rule=schedule["Name"])["Targets"]
    message = cloud_event("io.overwinter.call.support", "everything is broken, says c-5", subject="c-5")
    with deployed.environment() as desk:
        assert desk.take(eventbridge("message", message))["status"] == "accepted"
        assert desk.take(json.loads(target["Input"]))["active"] == 0
        heads = json.loads(desk.take(http("GET", "/executions"))["body"])["executions"]
    functions = {head["function"]: head["status"] for head in heads}
    assert functions["hard_ticket"] == "completed"
    assert functions["billing"] == "completed"
