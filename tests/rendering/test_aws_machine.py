"""A state machine as resources for serverless.yml: what AWS takes, with the rights that it needs and no others, and
with the same outcome when its Tasks call the app on Lambda."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from overwinter import InvalidInput, StateFailed, StateMachine, asl, run
from overwinter.cli.rendering.aws import Template
from overwinter.cli.rendering.aws_machine import Target, logical, machine
from overwinter.cli.rendering.yaml_form import written
from overwinter.functions.aws import Handler, handler_for
from overwinter.orchestrator.machine.validation.checking import check
from overwinter.patterns import as_state_machine
from overwinter.state.errors import ExecutionFailed
from overwinter.tests.aws.lambda_events import Context
from overwinter.tests.aws.test_serverless import SCHEMA, config

ROOT = Path(__file__).parents[2]
DESK = "arn:aws:lambda:eu-central-1:123456789012:function:desk"
APP = '''
from overwinter import Agent, Scripted, StateMachine, asl, tool, workflow


@tool
async def weigh(parcel: str) -> int:
    """Grams."""
    if parcel == "nothing":
        raise LookupError("there is no parcel")
    return 100 * len(parcel)


@workflow
async def pack(ctx, parcel: dict) -> str:
    if parcel["grams"] > 900:
        raise OverflowError("too heavy")
    return "packed"


clerk = Agent("clerk", Scripted({".*": "thanks"}))
inner = StateMachine("inner", asl.machine(asl.Fail("F", error="Odd", cause="why")))
'''


def app(folder: Path) -> tuple[Handler, dict[str, Any]]:
    file = folder / "app.py"
    file.write_text(APP)
    held: dict[str, Any] = {}
    exec(compile(APP, "app.py", "exec"), held)
    return handler_for(str(file), auth="iam", store="memory://"), held


def on_aws(template: Template, handler: Handler, input: Any) -> Any:
    """What the definition of a template gives where its Lambda function is this handler."""
    definition = plain(template)

    def invoke(given: Any) -> Any:
        try:
            return handler(json.loads(json.dumps(given)), Context(30))
        except (LookupError, OverflowError, StateFailed) as error:  # all that Lambda tells of it
            raise type(type(error).__name__, (Exception,), {})(str(error)) from None

    return outcome(StateMachine("m", definition, resources={DESK: invoke}), input)


def outcome(function: Any, input: Any) -> Any:
    try:
        return run(function, input, store="memory://")
    except ExecutionFailed as failed:
        cause = failed.__cause__
        assert isinstance(cause, StateFailed)
        return cause.error, cause.cause


def properties(template: Template) -> dict[str, Any]:
    (document,) = template.documents
    found = [
        one["Properties"] for one in document["Resources"].values() if one["Type"] == "AWS::StepFunctions::StateMachine"
    ]
    return dict(found[0])


def plain(template: Template) -> Any:
    """The definition with its substitutions made, as CloudFormation does."""
    text = properties(template)["DefinitionString"]
    for name in properties(template).get("DefinitionSubstitutions", {}):
        text = text.replace(f"${{{name}}}", DESK)
    return json.loads(text)


def rights(template: Template) -> dict[str, list[Any]]:
    (document,) = template.documents
    (role,) = (one for one in document["Resources"].values() if one["Type"] == "AWS::IAM::Role")
    statements = [
        one for policy in role["Properties"].get("Policies", []) for one in policy["PolicyDocument"]["Statement"]
    ]
    return {action: one["Resource"] for one in statements for action in one["Action"]}


def weighed(held: dict[str, Any]) -> asl.Definition:
    given = {"parcel": asl.path("$.parcel")}
    missing = asl.catch(LookupError, then=asl.Fail("Lost", error="Lost", cause="no parcel"))
    return asl.machine(
        asl.Task("Weigh", held["weigh"], parameters=given, result_path="$.grams", catch=[missing]),
        asl.Task(
            "Pack",
            held["pack"],
            result_path="$.packed",
            catch=[asl.catch(OverflowError, then=asl.Pass("Send"), result_path="$.error")],
        ),
        asl.Choice("Thank?", asl.when(asl.var("$.thank").is_present(), asl.Succeed("Done")), otherwise="Clerk"),
        asl.Task("Clerk", held["clerk"], input_path="$.parcel", result_path="$.said"),
    )


@pytest.mark.parametrize("parcel", ["book", "a large wardrobe", "nothing"])
def test_it_gives_the_same_on_lambda(tmp_path: Path, parcel: str) -> None:
    handler, held = app(tmp_path)
    built = weighed(held)
    here = outcome(StateMachine("m", built), {"parcel": parcel})
    assert on_aws(machine(built.definition, Target("parcels", service="desk")), handler, {"parcel": parcel}) == here
    assert here == ("Lost", "no parcel") if parcel == "nothing" else here["said"] == "thanks"
    handler.close()


def test_jsonata_and_integrations_give_the_same(tmp_path: Path) -> None:
    handler, held = app(tmp_path)
    lambda_ = "arn:aws:states:::lambda:invoke"
    given = {"FunctionName": held["pack"], "Payload": {"grams": asl.jsonata("$states.input")}}
    built = asl.machine(
        asl.Task("Weigh", held["weigh"], arguments={"parcel": asl.jsonata("$states.input")}),
        asl.Map("Each", asl.Task("Pack", lambda_, arguments=given), items=asl.jsonata("[$states.input]")),
        asl.Task("Clerk", held["clerk"], arguments=asl.jsonata("$string($states.input.Payload)")),
        asl.Task("Inner", held["inner"]),
        query_language="JSONata",
    )
    here = outcome(StateMachine("m", built), "book")
    assert here == ("Odd", "why")
    error, cause = on_aws(machine(built.definition, Target("m", service="desk")), handler, "book")
    assert error == "Odd" and "why" in cause
    handler.close()


def test_a_pattern_is_deployed() -> None:
    from overwinter.functions.invocation.loading import load

    desk = load(str(ROOT / "examples" / "patterns" / "sort_the_mail.py")).desk
    template = machine(as_state_machine(desk).source, Target("desk", service="mail"))
    assert template.notes == []
    assert "${MailLambdaFunctionArn}" in properties(template)["DefinitionString"]


def test_serverless_yml_takes_it(tmp_path: Path) -> None:
    """What is printed, read back and put beside the resources that there are."""
    _, held = app(tmp_path)
    template = machine(weighed(held).definition, Target("parcels", "desk", tracing=True, log="ALL"))
    printed = yaml.safe_load(written(template.documents))
    assert printed == template.documents[0]
    whole = dict(config())
    assert not set(whole["resources"]["Resources"]) & set(printed["Resources"])
    merged = {
        key: whole["resources"][key] | printed[key] for key in ("Resources", "Outputs")
    }  # as osls does with a list
    whole["resources"] = merged
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(whole)
    substituted = properties(template)["DefinitionSubstitutions"]
    assert substituted == {"DeskLambdaFunctionArn": {"Fn::GetAtt": ["DeskLambdaFunction", "Arn"]}}
    assert [key for key in whole["functions"] if logical(key) == "DeskLambdaFunction"] == ["desk"]
    assert [one for one in check(plain(template), aws=True) if one.severity == "ERROR"] == []


def test_the_role_may_call_what_the_tasks_call_and_no_more() -> None:
    sync, account = "arn:aws:states:::states:startExecution.sync:2", "eu-central-1:123456789012"
    other = f"arn:aws:states:{account}:stateMachine:other"
    queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders"
    built = asl.machine(
        asl.Task("Own", "pay"),
        asl.Task("Served", "weigh"),
        asl.Task("Arn", f"arn:aws:lambda:{account}:function:ship"),
        asl.Task("Child", sync, parameters={"StateMachineArn": other}),
        asl.Task("Queue", "arn:aws:states:::sqs:sendMessage", parameters={"QueueUrl": queue, "MessageBody": "x"}),
        asl.Task("Table", "arn:aws:states:::dynamodb:getItem", parameters={"TableName": "t", "Key": {}}),
        asl.Task("Topic", "arn:aws:states:::sns:publish", parameters={"TopicArn": asl.path("$.t"), "Message": "x"}),
        asl.Task("Sdk", "arn:aws:states:::aws-sdk:ec2:describeInstances"),
    ).definition
    template = machine(built, Target("m", "desk", {"pay": "pay-now"}, log="OFF"))
    here = "${AWS::Region}:${AWS::AccountId}"
    rule = f"arn:${{AWS::Partition}}:events:{here}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
    table = f"arn:${{AWS::Partition}}:dynamodb:{here}:table/t"
    lambdas: list[Any] = [{"Fn::GetAtt": [name, "Arn"]} for name in ("PayDashnowLambdaFunction", "DeskLambdaFunction")]
    assert rights(template) == {
        "lambda:InvokeFunction": [*lambdas, f"arn:aws:lambda:{account}:function:ship"],
        "states:StartExecution": [other],
        "states:DescribeExecution": [f"arn:aws:states:{account}:execution:other:*"],
        "states:StopExecution": [f"arn:aws:states:{account}:execution:other:*"],
        **{key: [{"Fn::Sub": rule}] for key in ("events:PutTargets", "events:PutRule", "events:DescribeRule")},
        "sqs:SendMessage": ["arn:aws:sqs:eu-central-1:123456789012:orders"],
        "dynamodb:GetItem": [{"Fn::Sub": table}],
        "sns:Publish": ["*"],
        "ec2:DescribeInstances": ["*"],
    }  # fmt: skip
    assert [note.split(":")[0] for note in template.notes] == ["the role may sns", "the role may ec2"]
    states = json.loads(properties(template)["DefinitionString"])["States"]
    assert states["Own"] == {"Type": "Task", "Resource": "${PayDashnowLambdaFunctionArn}", "Next": "Served"}
    assert states["Served"]["Parameters"] == {"overwinter": "call", "function": "weigh", "input.$": "$"}
    assert states["Arn"]["Resource"] == f"arn:aws:lambda:{account}:function:ship"


def test_a_distributed_map_may_begin_itself_and_read_its_items() -> None:
    reader = asl.item_reader("arn:aws:states:::s3:getObject", input_type="JSON", parameters={"Bucket": "b", "Key": "k"})
    each = asl.Map("Each", asl.Pass("P"), mode="DISTRIBUTED", execution_type="STANDARD", item_reader=reader)
    template = machine(asl.machine(each).definition, Target("many", log="OFF"))
    assert "s3:GetObject" in rights(template)
    assert rights(template)["states:StartExecution"][0]["Fn::Sub"].endswith(":stateMachine:${AWS::StackName}-many")


def test_logs_and_traces_are_options() -> None:
    definition = asl.machine(asl.Pass("P")).definition
    quiet = machine(definition, Target("my-machine", log="OFF"))
    assert rights(quiet) == {}
    assert {"LoggingConfiguration", "TracingConfiguration"}.isdisjoint(properties(quiet))
    loud = machine(definition, Target("my-machine", log="ALL", tracing=True, express=True))
    assert {action.partition(":")[0] for action in rights(loud)} == {"logs", "xray"}
    assert properties(loud)["LoggingConfiguration"]["Level"] == "ALL"
    assert properties(loud)["TracingConfiguration"] == {"Enabled": True}
    assert properties(loud)["StateMachineType"] == "EXPRESS"
    assert set(loud.documents[0]["Resources"]) == {"MyMachineStateMachine", "MyMachineLog", "MyMachineRole"}


INVOKE = "arn:aws:states:::lambda:invoke"
WAITS = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
TOKEN = {"QueueUrl": "q", "MessageBody": asl.path("$$.Task.Token")}


@pytest.mark.parametrize(
    ("element", "target", "said"),
    [
        (asl.Task("T", "weigh"), Target("m"), "what weigh is on AWS: name the function"),
        (asl.Task("T", INVOKE, parameters={"FunctionName": "weigh"}), Target("m"), "what weigh is"),
        (asl.Pass("P"), Target("a b"), "no state machine of AWS is called 'a b'"),
        (asl.Task("T", WAITS, parameters=TOKEN), Target("m", express=True), "AWS would not take m"),
        (asl.Pass("P", result="x" * 1_100_000), Target("m"), "1,048,576"),
    ],
)  # fmt: skip
def test_what_aws_does_not_run_is_refused(element: Any, target: Target, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        machine(asl.machine(element).definition, target)


def test_what_others_would_read_into_a_definition_is_told() -> None:
    template = machine(asl.machine(asl.Pass("P", result="${self:service}")).definition, Target("m"))
    assert "${…}" in template.notes[-1]
