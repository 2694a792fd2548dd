"""Calls of AWS's APIs, on moto's server: parameters, results and errors as AWS has them, and only what is allowed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from overwinter import ExecutionFailed, InvalidInput, Runtime, StateFailed, StateMachine
from overwinter.functions.integrations import aws_call
from overwinter.functions.integrations.aws_names import exception, reads, service_of, shown
from overwinter.functions.integrations.aws_shapes import given
from overwinter.functions.invocation.aws import Clients
from overwinter.orchestrator.machine.language.failure import QueryError
from overwinter.tests.servers.moto import Moto, credentials

ALL = {"aws": {"allow": ["*:*"], "region": "eu-central-1"}}


@pytest.fixture(autouse=True)
def _reached(moto_server: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        **credentials(),
        "AWS_ENDPOINT_URL": moto_server.url,
        "OVERWINTER_MACHINE": json.dumps(ALL),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws_call, "_clients", Clients(4, "test"))


def calling(name: str, parameters: Any) -> StateMachine:
    task = {"Type": "Task", "Resource": f"arn:aws:states:::{name}", "Parameters": parameters, "End": True}
    return StateMachine("m", {"StartAt": "A", "States": {"A": task}})


async def _called(machine: StateMachine) -> tuple[Any, list[str]]:
    async with Runtime([machine], "memory://") as runtime:
        value = await (await runtime.start(machine, id="x")).result(timeout=60)
        return value, [entry["type"] async for entry in runtime.entries("x")]


def called(name: str, **parameters: Any) -> Any:
    return asyncio.run(_called(calling(name, parameters)))[0]


def recorded(name: str, **parameters: Any) -> list[str]:
    return asyncio.run(_called(calling(name, parameters)))[1]


def failed(name: str, **parameters: Any) -> StateFailed:
    with pytest.raises(ExecutionFailed) as told:
        called(name, **parameters)
    cause = told.value.__cause__
    assert isinstance(cause, StateFailed)
    return cause


@pytest.fixture(scope="module")
def table(moto_server: Moto) -> str:
    import boto3  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

    made: Any = boto3
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    client = made.client("dynamodb", endpoint_url=moto_server.url, region_name="eu-central-1", **keys)
    client.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "orders"


def test_items_of_dynamodb(table: str) -> None:
    item = {"id": {"S": "o1"}, "n": {"N": "1.5"}, "raw": {"B": "AAH/"}, "list": {"L": [{"BOOL": True}, {"NULL": True}]}}
    put = called("dynamodb:putItem", TableName=table, Item=item)
    assert put.keys() == {"SdkHttpMetadata", "SdkResponseMetadata"} and put["SdkHttpMetadata"]["HttpStatusCode"] == 200
    assert put["SdkHttpMetadata"]["AllHttpHeaders"]["content-type"] == ["application/x-amz-json-1.0"]
    found = called("dynamodb:getItem", TableName=table, Key={"id": {"S": "o1"}})
    assert found["Item"] == item
    update = {"UpdateExpression": "SET n = n + :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
    changed = called(
        "dynamodb:updateItem", TableName=table, Key={"id": {"S": "o1"}}, ReturnValues="UPDATED_NEW", **update
    )
    assert changed["Attributes"] == {"n": {"N": "2.5"}}
    called("dynamodb:deleteItem", TableName=table, Key={"id": {"S": "o1"}})
    assert "Item" not in called("aws-sdk:dynamodb:getItem", TableName=table, Key={"id": {"S": "o1"}})
    assert called("aws-sdk:dynamodb:putItem", TableName=table, Item=item) == {}


def test_errors_of_dynamodb_have_the_names_of_aws(table: str) -> None:
    key = {"id": {"S": "none"}}
    error = failed("dynamodb:deleteItem", TableName=table, Key=key, ConditionExpression="attribute_exists(id)")
    assert error.error == "DynamoDB.ConditionalCheckFailedException"
    assert error.cause.startswith("The conditional request failed (Service: AmazonDynamoDBv2; Status Code: 400; Error ")
    assert "Code: ConditionalCheckFailedException; Request ID: " in error.cause
    error = failed("aws-sdk:dynamodb:deleteItem", TableName=table, Key=key, ConditionExpression="attribute_exists(id)")
    assert error.error == "DynamoDb.ConditionalCheckFailedException"
    assert "(Service: DynamoDb, Status Code: 400, Request ID: " in error.cause
    assert failed("dynamodb:getItem", TableName="never", Key=key).error == "DynamoDB.ResourceNotFoundException"
    wrong = failed("dynamodb:getItem", TableName=table, Key={"other": {"S": "x"}})
    assert wrong.error == "DynamoDB.AmazonDynamoDBException"
    assert "no Base64" in failed("dynamodb:putItem", TableName=table, Item={"id": {"B": "?"}}).cause
    assert failed("dynamodb:getItem", TableName=table).error == "States.Runtime"


def test_what_may_be_repeated_has_one_record(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    item, key = {"id": {"S": "r"}}, {"id": {"S": "r"}}
    update = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
    conditional = {"ConditionExpression": "attribute_exists(id)"}
    assert "begun" not in recorded("dynamodb:putItem", TableName=table, Item=item)
    assert "begun" not in recorded("dynamodb:getItem", TableName=table, Key=key)
    assert "begun" in recorded("dynamodb:updateItem", TableName=table, Key=key, **update)
    assert "begun" in recorded("dynamodb:putItem", TableName=table, Item=item, **conditional)
    told = {"effects": {"dynamodb:updateItem": "idempotent", "dynamodb:getItem": "irreversible"}}
    monkeypatch.setenv("OVERWINTER_MACHINE", json.dumps({**ALL, **told}))
    assert "begun" not in recorded("dynamodb:updateItem", TableName=table, Key=key, **update)
    assert "begun" in recorded("dynamodb:getItem", TableName=table, Key=key)


def test_calls_of_s3() -> None:
    location = {"LocationConstraint": "eu-central-1"}
    called("aws-sdk:s3:createBucket", Bucket="bucket-b", CreateBucketConfiguration=location)
    called("aws-sdk:s3:putObject", Bucket="bucket-b", Key="k", Body={"a": "ü"})
    found = called("aws-sdk:s3:getObject", Bucket="bucket-b", Key="k")
    assert json.loads(found["Body"]) == {"a": "ü"} and found["ContentLength"] == 10
    assert found["LastModified"].endswith("Z") and "ResponseMetadata" not in found
    listed = called("aws-sdk:s3:listObjectsV2", Bucket="bucket-b")
    assert listed["Contents"][0]["Key"] == "k"
    error = failed("aws-sdk:s3:getObject", Bucket="bucket-b", Key="never")
    assert error.error == "S3.NoSuchKeyException" and "(Service: S3, Status Code: 404, " in error.cause
    assert failed("aws-sdk:s3:getBucketPolicy", Bucket="bucket-b").error == "S3.S3Exception"
    assert "'Colour' is not supported" in failed("aws-sdk:s3:getObject", Bucket="bucket-b", Key="k", Colour=1).cause
    assert "has no call 'fly'" in failed("aws-sdk:s3:fly").cause
    assert "no service 'moon'" in failed("aws-sdk:moon:fly").cause


def test_a_body_that_is_too_large_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    called(
        "aws-sdk:s3:createBucket",
        Bucket="bucket-large",
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    called("aws-sdk:s3:putObject", Bucket="bucket-large", Key="k", Body="x" * 11)
    monkeypatch.setattr(aws_call, "LARGEST", 10)
    assert "more than 10 bytes" in failed("aws-sdk:s3:getObject", Bucket="bucket-large", Key="k").cause


def test_who_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    error = failed("dynamodb:getItem", TableName="t", Key={"id": {"S": "x"}})
    assert error.error == "DynamoDB.SdkClientException" and "127.0.0.1:9" in error.cause


@pytest.mark.parametrize("allow", [[], ["s3:putObject"], ["dynamodb:*"]])
def test_nothing_is_allowed_that_is_not_named(allow: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_MACHINE", json.dumps({"aws": {"allow": allow}}))
    with pytest.raises(InvalidInput, match=r"aws-sdk:s3:getObject is not allowed here; set allow = \['s3:getObject'\]"):
        calling("aws-sdk:s3:getObject", {})
    monkeypatch.setenv("OVERWINTER_MACHINE", json.dumps({"aws": {"allow": [*allow, "s3:get*"]}}))
    calling("aws-sdk:s3:getObject", {})


def test_names() -> None:
    ids = ["S3", "DynamoDB", "SFN", "SNS", "Secrets Manager", "CloudWatch Logs", "EventBridge", "EC2", "Lambda"]
    names = ["S3", "DynamoDb", "Sfn", "Sns", "SecretsManager", "CloudWatchLogs", "EventBridge", "Ec2", "Lambda"]
    assert [shown(one) for one in ids] == names
    known = ["stepfunctions", "bedrock-runtime", "logs", "s3", "cognito-idp"]
    asked = ["sfn", "bedrockruntime", "cloudwatchlogs", "s3", "cognitoidentityprovider", "moon"]
    assert [service_of(one, known) for one in asked] == [
        "stepfunctions", "bedrock-runtime", "logs", "s3", "cognito-idp", None,
    ]  # fmt: skip
    told = {"NoSuchKey": "NoSuchKeyException", "a#ThrottlingException": "ThrottlingException"}
    assert {code: exception(code) for code in told} == told
    assert reads("getObject") and reads("listTables") and reads("scan")
    assert not reads("putObject") and not reads("getaway") and not reads("scanned")


def test_parameters_are_told_by_their_place() -> None:
    from botocore.session import Session  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

    made: Any = Session()
    shape = made.get_service_model("stepfunctions").operation_model("StartExecution").input_shape
    assert given(shape, {"StateMachineArn": "a", "Input": {"n": 1}}) == {"stateMachineArn": "a", "input": '{"n":1}'}
    with pytest.raises(QueryError, match="'Colour'"):
        given(shape, {"Colour": 1})
    assert given(shape, {"Colour": 1}, lenient=True) == {}
