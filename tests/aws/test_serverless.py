"""``serverless.yml`` is what the code needs, no more and no less: shape, table, variables, rights, times."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from overwinter.functions.aws.handler import RESERVE
from overwinter.state.dynamodb import setup
from overwinter.state.quantities import seconds

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT.parent / "shared" / "targets" / "serverless-framework" / "osls-4.3.1-aws-config.schema.json"
VARIABLE = re.compile(r"\$\{(\w+):([^:}][^}]*)\}")
OF_OTHERS = {
    "OPENAI_API_KEY": "litellm, for a model of OpenAI",
    "PYDANTIC_DISABLE_PLUGINS": "pydantic, when it is imported",
}
ADMINISTRATION = {
    "create_table",
    "create_bucket",
    "describe_continuous_backups",
    "describe_time_to_live",
    "update_time_to_live",
}
"""What only `overwinter store init` and `overwinter doctor` call."""


@cache
def config(stage: str = "dev") -> dict[str, Any]:
    """The file with its variables filled in, as osls does before it looks at it."""
    text = (ROOT / "serverless.yml").read_text("utf-8")
    raw: dict[str, Any] = yaml.safe_load(text)
    params = {**raw["params"]["default"], **raw["params"].get(stage, {})}
    known = {("self", "service"): raw["service"], ("sls", "stage"): stage}

    def fill(match: re.Match[str]) -> str:
        place, name = match[1], match[2]
        if place == "param":
            return str(params[name])
        default = re.search(r"'([^']*)'", name)
        return default[1] if default else str(known[place, name])

    whole: dict[str, Any] = filled(raw, fill)
    return whole


def filled(node: Any, fill: Any) -> Any:
    if isinstance(node, dict):
        return {key: filled(value, fill) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(item, fill) for item in node]
    return VARIABLE.sub(fill, node) if isinstance(node, str) else node


def resource(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = config()["resources"]["Resources"][name]["Properties"]
    return properties


def desk() -> dict[str, Any]:
    function: dict[str, Any] = config()["functions"]["desk"]
    return function


def event(kind: str) -> dict[str, Any]:
    (found,) = [one[kind] for one in desk()["events"] if kind in one]
    return dict(found)


@pytest.mark.skipif(not SCHEMA.exists(), reason="the configuration schema of osls is not beside the checkout")
@pytest.mark.parametrize("stage", ["dev", "live"])
def test_the_file_has_the_shape_that_osls_wants(stage: str) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    errors = jsonschema.Draft7Validator(schema).iter_errors(config(stage))
    assert [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in errors] == []


def test_the_table_is_the_one_that_the_store_makes() -> None:
    wanted = setup.description()
    table = resource("Table")
    assert {name: in_order(table[name]) for name in wanted} == {name: in_order(value) for name, value in wanted.items()}
    assert table["TimeToLiveSpecification"] == {"AttributeName": setup._TTL, "Enabled": True}


def in_order(value: Any) -> Any:
    """What has a name by its name: in these lists the order says nothing, except for a key's parts."""
    if isinstance(value, list) and value and "KeyType" not in value[0]:
        return sorted(value, key=lambda item: str(item.get("IndexName") or item.get("AttributeName")))
    return value


def test_every_variable_is_one_that_code_reads() -> None:
    given = set(config()["provider"]["environment"])
    texts = set(constants("functions", "orchestrator", "state", "examples/support_desk.py"))
    assert {name for name in given if name not in texts} == set(OF_OTHERS)
    assert {"OVERWINTER_APP", "OVERWINTER_STATE", "OVERWINTER_AUTH"} <= given
    assert config()["provider"]["environment"]["OVERWINTER_AUTH"] == "iam"
    assert desk()["url"] == {"authorizer": "aws_iam"}


def test_no_key_stands_in_the_file() -> None:
    for stage in ("dev", "live"):
        key = config(stage)["provider"]["environment"]["OPENAI_API_KEY"]
        assert key == "" or re.fullmatch(r"\{\{resolve:secretsmanager:[\w/:-]+\}\}", key)


def test_the_function_may_do_what_the_store_calls_and_nothing_else() -> None:
    statements = config()["provider"]["iam"]["role"]["statements"]
    granted: set[str] = set()
    for statement in statements:
        actions = statement["Action"]
        granted |= {actions} if isinstance(actions, str) else set(actions)
        assert "*" not in statement["Resource"]
    assert granted == set(needed())


def needed() -> Iterator[str]:
    """IAM actions for the requests that the store makes outside of administration."""
    for source in (ROOT / "state" / "dynamodb").glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr in ("dynamodb", "s3") and node.args and isinstance(node.args[0], ast.Constant):
                    yield from actions_of(node.func.attr, str(node.args[0].value))
            elif isinstance(node, ast.Constant) and node.value == "ConditionCheck":
                yield "dynamodb:ConditionCheckItem"


def actions_of(service: str, operation: str) -> list[str]:
    if operation in ADMINISTRATION:
        return []
    special = {
        "transact_write_items": ["PutItem", "UpdateItem", "DeleteItem"],
        "list_objects_v2": ["ListBucket"],
        "delete_objects": ["DeleteObject"],
    }
    named = "".join(word.title() for word in operation.split("_"))
    return [f"{service}:{action}" for action in special.get(operation, [named])]


def test_a_message_is_not_given_out_again_while_it_is_worked_on() -> None:
    timeout = config()["provider"]["timeout"]
    assert resource("Events")["VisibilityTimeout"] >= timeout
    assert resource("Events")["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    assert event("sqs")["functionResponseType"] == "ReportBatchItemFailures"


def test_a_turn_of_the_desk_fits_into_one_invocation() -> None:
    (limit,) = re.findall(r'time="(\w+)"\),?\n\)', (ROOT / "examples" / "support_desk.py").read_text("utf-8"))[-1:]
    assert config()["provider"]["timeout"] - RESERVE >= seconds(limit)


def test_nothing_that_fails_is_thrown_away() -> None:
    letters = {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    assert desk()["destinations"]["onFailure"]["arn"] == letters
    assert event("eventBridge")["deadLetterQueueArn"] == letters
    names = {resource(queue)["QueueName"] for queue in ("Events", "DeadLetters")}
    assert len(names) == 2
    for kept in ("Table", "Payloads"):
        assert config()["resources"]["Resources"][kept]["DeletionPolicy"] == "Retain"


def test_the_handler_exists_and_the_package_is_made_for_the_runtime() -> None:
    module, _, name = desk()["handler"].rpartition(".")
    assert importlib.util.find_spec(module) is not None and name == "handler"
    defaults = set(constants("examples/aws/package.py"))
    provider = config()["provider"]
    assert {provider["runtime"].removeprefix("python"), provider["architecture"]} <= defaults
    assert config()["package"]["artifact"] == "build/lambda.zip"
    assert event("schedule")["input"] == {"overwinter": "sweep"}


def constants(*places: str) -> Iterator[str]:
    """Texts in the code of these files and folders."""
    for place in places:
        path = ROOT / place
        for source in [path] if path.is_file() else path.rglob("*.py"):
            for node in ast.walk(ast.parse(source.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
