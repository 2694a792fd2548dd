"""A state machine as resources of CloudFormation, for the ``resources`` of ``serverless.yml``: the same definition on
AWS Step Functions, with a role that may do what its Tasks do and no more.

A Task that names a function of overwinter calls a function of Lambda there: its own, or the one that serves the app,
which is told what to call. ARNs stand in ``DefinitionSubstitutions``, so that the text is the same on every stage.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, cast

from ...orchestrator.machine.definition.resource import parse
from ...orchestrator.machine.validation.checking import check
from ...orchestrator.machine.validation.compiling import sentence
from ...state.errors import InvalidInput
from .aws import Template
from .aws_machine_rights import Rights, role

Json = dict[str, Any]
Level = Literal["ALL", "ERROR", "FATAL", "OFF"]
_STAND_IN = "arn:aws:lambda:eu-central-1:123456789012:function:stand-in"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


class Target(NamedTuple):
    """Where a machine goes. ``service``: the function in serverless.yml that serves the app, "" for none;
    ``functions``: names of ours that are functions of Lambda of their own, by their keys in serverless.yml or ARNs."""

    name: str
    service: str = ""
    functions: Mapping[str, str] = {}
    express: bool = False
    log: Level = "ERROR"
    tracing: bool = False


def machine(definition: Any, target: Target) -> Template:
    """Raises InvalidInput for what AWS does not run, and for functions of which nobody has said what they are there."""
    if not _NAME.fullmatch(target.name):
        raise InvalidInput(
            f"no state machine of AWS is called {target.name[:80]!r}; names have letters, digits, _ and -"
        )
    made = _Rendering(target)
    rendered = copy.deepcopy(definition)
    for state in _states(rendered):
        if state["Type"] == "Task":
            made.task(state, _jsonata(state, rendered))
        elif state["Type"] == "Map":
            made.map(state)
    if made.missing:
        raise InvalidInput(
            f"nobody has said what {', '.join(sorted(made.missing))} is on AWS: name the function in serverless.yml "
            "that serves them with --service KEY, or one of their own with --function NAME=KEY"
        )
    text = json.dumps(rendered, ensure_ascii=False, separators=(",", ":"))
    notes = [*_checked(text, made, target), *made.rights.notes]
    if "${" in made.plain(text):
        notes.append("the definition has ${…} of its own, which CloudFormation and Serverless take for theirs")
    return Template([_resources(text, made, target)], notes)


def logical(key: str) -> str:
    """What Serverless calls a function of serverless.yml in its template."""
    return f"{key[:1].upper()}{key[1:]}".replace("-", "Dash").replace("_", "Underscore") + "LambdaFunction"


class _Rendering:
    """``substituted``: what stands for an ARN in the text, and what that is."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.substituted: dict[str, Any] = {}
        self.rights = Rights()
        self.missing: set[str] = set()

    def task(self, state: Json, jsonata: bool) -> None:
        found = parse(state["Resource"])
        field = "Arguments" if jsonata else "Parameters"
        if found.kind == "function" or (found.kind == "lambda" and found.name in self.target.functions):
            state["Resource"], told = self._means(found.name)
            if told:
                state.update(_asked(state, field, found.name, jsonata))
        elif found.kind == "lambda":
            self.rights.invoke(found.text)
        elif found.name == "lambda:invoke":
            self._invoked(state.setdefault(field, {}), jsonata)
        else:
            self.rights.integration(found, state.get(field))

    def map(self, state: Json) -> None:
        """What a distributed Map does beside its Tasks: it reads, writes, and begins executions of itself."""
        for part in (state.get(name) for name in ("ItemReader", "ResultWriter")):
            if part is not None and "Resource" in part:
                self.rights.integration(parse(part["Resource"]), part.get("Arguments", part.get("Parameters")))
        if state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            self.rights.itself(self.target.name)

    def _invoked(self, given: Json, jsonata: bool) -> None:
        """The parameters of lambda:invoke."""
        text: Any = given.get("FunctionName")
        if not isinstance(text, str) or text.startswith("{%"):
            self.rights.anything("lambda:InvokeFunction", "FunctionName is only known while it runs")
        elif text.startswith("arn:"):
            self.rights.invoke(text)
        else:
            given["FunctionName"], told = self._means(text)
            if told:
                inner = {"Payload": given.pop("Payload")} if "Payload" in given else {}
                inner |= {"Payload.$": given.pop("Payload.$")} if "Payload.$" in given else {}
                given.update(_asked(inner, "Payload", text, jsonata))

    def _means(self, name: str) -> tuple[str, bool]:
        """The ARN of a function, and whether it has to be told which one is meant."""
        own = self.target.functions.get(name)
        key = own or self.target.service
        if not key:
            self.missing.add(name)
            return _STAND_IN, False
        if key.startswith("arn:"):
            self.rights.invoke(key)
            return key, own is None
        arn = {"Fn::GetAtt": [logical(key), "Arn"]}
        self.substituted[f"{logical(key)}Arn"] = arn
        self.rights.invoke(arn)
        return f"${{{logical(key)}Arn}}", own is None

    def plain(self, text: str) -> str:
        """The text with an ARN wherever one will stand."""
        for name in self.substituted:
            text = text.replace(f"${{{name}}}", _STAND_IN)
        return text


def _asked(state: Json, field: str, name: str, jsonata: bool) -> Json:
    """What the function that serves the app is given: whom to call, and with what."""
    asked: Json = {"overwinter": "call", "function": name}
    if f"{field}.$" in state:  # Payload alone may be a path
        return {field: asked | {"input.$": state[f"{field}.$"]}}
    if field in state:
        return {field: asked | {"input": state[field]}}
    return {field: asked | ({"input": "{% $states.input %}"} if jsonata else {"input.$": "$"})}


def _states(flow: Json) -> Iterator[Json]:
    """Every state of a flow and of what is inside of it."""
    for state in flow["States"].values():
        yield state
        for inner in (
            *state.get("Branches", ()),
            *(state[key] for key in ("ItemProcessor", "Iterator") if key in state),
        ):
            yield from _states(inner)


def _jsonata(state: Json, whole: Json) -> bool:
    return cast("str", state.get("QueryLanguage", whole.get("QueryLanguage", "JSONPath"))) == "JSONata"


def _checked(text: str, made: _Rendering, target: Target) -> list[str]:
    """What AWS will say of it: warnings. Raises InvalidInput for what it refuses."""
    found = check(made.plain(text), type="EXPRESS" if target.express else "STANDARD", aws=True)
    if wrong := [sentence(one) for one in found if one.severity == "ERROR"]:
        raise InvalidInput(f"AWS would not take {target.name}: {'; '.join(wrong[:5])}")
    return [sentence(one) for one in found]


def _resources(text: str, made: _Rendering, target: Target) -> Json:
    base = "".join(part[:1].upper() + part[1:] for part in re.split(r"[_-]+", target.name))
    properties: Json = {
        "StateMachineName": {"Fn::Sub": f"${{AWS::StackName}}-{target.name}"},
        "StateMachineType": "EXPRESS" if target.express else "STANDARD",
        "RoleArn": {"Fn::GetAtt": [f"{base}Role", "Arn"]},
        "DefinitionString": text,
    }
    if made.substituted:
        properties["DefinitionSubstitutions"] = dict(made.substituted)
    resources: Json = {f"{base}StateMachine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}
    if target.log != "OFF":
        group = {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": [f"{base}Log", "Arn"]}}}
        properties["LoggingConfiguration"] = {
            "Level": target.log, "IncludeExecutionData": False, "Destinations": [group],
        }  # fmt: skip
        name = {"Fn::Sub": f"/aws/vendedlogs/states/${{AWS::StackName}}-{target.name}"}
        resources[f"{base}Log"] = {
            "Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name, "RetentionInDays": 30},
        }  # fmt: skip
        made.rights.logs()
    if target.tracing:
        properties["TracingConfiguration"] = {"Enabled": True}
        made.rights.traces()
    resources[f"{base}Role"] = role(made.rights)
    outputs = {f"{base}StateMachineArn": {"Value": {"Ref": f"{base}StateMachine"}}}
    return {"Resources": resources, "Outputs": outputs}
