"""What a state machine on AWS may do: a role of what its Tasks call. Where a definition does not say on what, it is
everything of that action, and a note tells of it."""

from __future__ import annotations

import json
from typing import Any, cast

from ...orchestrator.machine.definition.resource import Resource

Json = dict[str, Any]
_ACCOUNT = "${AWS::Region}:${AWS::AccountId}"
_ACTIONS = {
    "sqs:sendMessage": ("sqs:SendMessage", "QueueUrl"),
    "sns:publish": ("sns:Publish", "TopicArn"),
    "events:putEvents": ("events:PutEvents", ""),
    "dynamodb:getItem": ("dynamodb:GetItem", "TableName"),
    "dynamodb:putItem": ("dynamodb:PutItem", "TableName"),
    "dynamodb:updateItem": ("dynamodb:UpdateItem", "TableName"),
    "dynamodb:deleteItem": ("dynamodb:DeleteItem", "TableName"),
    "s3:getObject": ("s3:GetObject", ""),
    "s3:putObject": ("s3:PutObject", ""),
    "s3:listObjectsV2": ("s3:ListBucket", ""),
}
_LOGS = (
    "CreateLogDelivery", "GetLogDelivery", "UpdateLogDelivery", "DeleteLogDelivery", "ListLogDeliveries",
    "PutResourcePolicy", "DescribeResourcePolicies", "DescribeLogGroups",
)  # fmt: skip
_TRACES = ("PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets")


class Rights:
    """Statements of a policy, as they come up; ``notes`` tell of those that are wider than they need to be."""

    def __init__(self) -> None:
        self.statements: dict[str, tuple[list[str], list[Any]]] = {}
        self.notes: list[str] = []

    def invoke(self, function: Any) -> None:
        """A function of Lambda, by its ARN."""
        self._allow(["lambda:InvokeFunction"], function)

    def anything(self, action: str, why: str) -> None:
        self._allow([action], "*")
        self.notes.append(f"the role may {action} on everything: {why}")

    def integration(self, resource: Resource, given: Any) -> None:
        """An integration, or an activity, with what its Task gives it."""
        members = cast("Json", given) if isinstance(given, dict) else {}
        service, _, action = resource.name.partition(":")
        if resource.kind == "activity":
            return
        if resource.name == "states:startExecution":
            self._start(resource, members)
        elif resource.name in _ACTIONS:
            allowed, field = _ACTIONS[resource.name]
            place = _place(field, members.get(field))
            if place is None:
                self.anything(allowed, f"{field or 'what it is done to'} is not said by a plain text")
            else:
                self._allow([allowed], place)
        elif service == "aws-sdk":
            of, _, call = action.partition(":")
            self.anything(
                f"{of}:{call[:1].upper()}{call[1:]}", "what the call is about is not known; see that the name is right"
            )
        else:
            self.notes.append(f"the role has no rights for {resource.name}: add those that your connection needs")

    def itself(self, name: str) -> None:
        """Executions of the machine of that name."""
        whole = f"arn:${{AWS::Partition}}:states:{_ACCOUNT}:{{}}:${{AWS::StackName}}-{name}"
        self._allow(["states:StartExecution"], {"Fn::Sub": whole.replace("{}", "stateMachine")})
        executions = {"Fn::Sub": whole.replace("{}", "execution") + "/*"}
        self._allow(["states:DescribeExecution", "states:StopExecution"], executions)

    def logs(self) -> None:
        self._allow([f"logs:{one}" for one in _LOGS], "*")  # AWS knows no narrower right for the delivery of logs

    def traces(self) -> None:
        self._allow([f"xray:{one}" for one in _TRACES], "*")

    def _start(self, resource: Resource, given: Json) -> None:
        arn: Any = given.get("StateMachineArn")
        if not isinstance(arn, str) or not arn.startswith("arn:"):
            self.anything("states:StartExecution", "StateMachineArn is not said by an ARN")
            executions = "*"
        else:
            self._allow(["states:StartExecution"], arn)
            executions = arn.replace(":stateMachine:", ":execution:") + ":*"
        if resource.pattern.startswith("sync"):
            self._allow(["states:DescribeExecution", "states:StopExecution"], executions)
            rule = f"arn:${{AWS::Partition}}:events:{_ACCOUNT}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
            self._allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"], {"Fn::Sub": rule})

    def _allow(self, actions: list[str], place: Any) -> None:
        _, places = self.statements.setdefault(json.dumps(actions), (actions, []))
        if place not in places:
            places.append(place)


def role(rights: Rights) -> Json:
    """Assumed by Step Functions alone, of this account alone."""
    assumed = {
        "Effect": "Allow",
        "Principal": {"Service": "states.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    properties: Json = {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [assumed]}}
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": places} for actions, places in rights.statements.values()
    ]
    if statements:
        document = {"Version": "2012-10-17", "Statement": statements}
        properties["Policies"] = [{"PolicyName": "tasks", "PolicyDocument": document}]
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def _place(field: str, value: Any) -> Any:
    """The ARN of what a text names; None where there is no such text."""
    if not isinstance(value, str) or not value or value.startswith("{%"):
        return None
    if value.startswith("arn:"):
        return value
    if field == "QueueUrl":
        parts = value.rstrip("/").split("/")  # https://sqs.REGION.amazonaws.com/ACCOUNT/NAME
        host = parts[2].split(".") if len(parts) == 5 else []
        return f"arn:aws:sqs:{host[1]}:{parts[3]}:{parts[4]}" if len(host) > 2 and host[0] == "sqs" else None
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:dynamodb:{_ACCOUNT}:table/{value}"} if field == "TableName" else None
