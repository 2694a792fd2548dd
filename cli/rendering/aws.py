"""Subscriptions and schedules as templates of CloudFormation.

Subscriptions become the queue that a store's events are read from, with who may send to it and what AWS lets through to
it; a topic and a bus are there already. A schedule becomes one of EventBridge Scheduler that only wakes: it invokes the
function with the sweep at the times of the schedule, which stays an execution of ours, so overlap, missed runs and the
change of clocks are what they are elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from math import prod
from typing import Any, NamedTuple, cast

from ...functions.bus.aws_place import Place, Resource
from ...functions.bus.subscription import Subscription
from ...orchestrator.schedule.spec import Spec
from ...state.errors import InvalidInput
from .aws_cron import expressions
from .aws_patterns import Pattern, alternatives, either, foreign, wanted

LARGEST = 2048
"""Characters of a rule's pattern; of what is larger, everything is let through."""
_KEYS, _COMBINED = 5, 150
"""Attributes of a filter policy of SNS, and how many values it has when those of all its lists are multiplied."""
_EVERYTHING: Pattern = {"source": [{"prefix": ""}]}
_RECEIVES = 10
_KEPT = 14 * 24 * 3600
_SWEEP = '{"overwinter": "sweep"}'

Json = dict[str, Any]


class Template(NamedTuple):
    """``notes`` say what could not be expressed, and what becomes of it."""

    documents: Sequence[Json]
    notes: Sequence[str]


def queue(subscriptions: Iterable[Subscription], place: Place, function: str) -> Template:
    """What the events of these subscriptions come by. ``function``: of Lambda, that is given them; "" when processes
    read the queue. Raises InvalidInput for what AWS can't do."""
    if place.queue is None:
        raise InvalidInput("no queue is named: say OVERWINTER_QUEUE, or --broker 'sns://TOPIC?queue=NAME'")
    if place.target.kind == "events" and place.queue.fifo:
        raise InvalidInput("EventBridge knows no order of events; name a queue without .fifo")
    if place.target.kind == "sns" and place.queue.fifo and not place.target.fifo:
        raise InvalidInput(
            f"a topic that keeps no order delivers to no queue that does: name a topic like {place.target.name}.fifo, "
            "or a queue without .fifo"
        )
    known = list(subscriptions)
    notes: list[str] = []
    made: Json = _queues(place.queue, function)
    kind, target = place.target.kind, place.target
    if kind != "sqs":
        service = "sns" if kind == "sns" else "events"
        source = _arn(target) if kind == "sns" else _at("Rule")
        made["QueuePolicy"] = _resource("AWS::SQS::QueuePolicy", _policy(service, source))
    if kind == "sns":
        made["Subscription"] = _resource("AWS::SNS::Subscription", _subscription(known, target, notes))
    elif kind == "events":
        made["Rule"] = _resource("AWS::Events::Rule", _rule(known, target, notes))
    if function:
        given: Json = {"EventSourceArn": _at("Events"), "FunctionName": function, "BatchSize": 10}
        given["FunctionResponseTypes"] = ["ReportBatchItemFailures"]
        made["Reading"] = _resource("AWS::Lambda::EventSourceMapping", given)
    return Template(
        [_template("The events of overwinter's subscriptions", made, _timeout() if function else {})], notes
    )


def schedules(declared: Iterable[tuple[str, Spec]], function: str) -> Template:
    """What wakes the function at the times of these schedules."""
    notes: list[str] = []
    made: Json = {}
    arn = function if function.startswith("arn:") else _own(f"lambda:{_HERE}:function:{function}")
    for name, spec in declared:
        found, zone = ([], "") if spec.jitter else expressions(spec)
        if not found:
            why = "its jitter is" if spec.jitter else f"{spec.said()} is"
            notes.append(f"schedule {name}: {why} nothing that EventBridge Scheduler could say; the sweep finds it")
        for number, expression in enumerate(found):
            told: Json = {
                "Description": f"overwinter: wakes the schedule {name}"[:512],
                "ScheduleExpression": expression,
                "ScheduleExpressionTimezone": zone,
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {
                    "Arn": arn,
                    "RoleArn": _at("Waking"),
                    "Input": _SWEEP,
                    "RetryPolicy": {"MaximumRetryAttempts": 5, "MaximumEventAgeInSeconds": 600},
                },
            }
            made[f"{logical(name)}{number + 1 if number else ''}"] = _resource("AWS::Scheduler::Schedule", told)
    if made:
        made["Waking"] = _resource("AWS::IAM::Role", _waking(arn))
    return Template([_template("What wakes overwinter's schedules", made)] if made else [], notes)


# -- queues ----------------------------------------------------------------------------------------------


def _queues(queue: Resource, function: str) -> Json:
    order: Json = {"FifoQueue": True} if queue.fifo else {}
    events: Json = {"QueueName": queue.name, **order}
    if function:  # Lambda wants it to be as long as the function may take, and six times that is told to be well
        events["VisibilityTimeout"] = {"Ref": "HiddenFor"}
    events["RedrivePolicy"] = {"deadLetterTargetArn": _at("DeadLetters"), "maxReceiveCount": _RECEIVES}
    return {
        "DeadLetters": _resource("AWS::SQS::Queue", {**order, "MessageRetentionPeriod": _KEPT}),
        "Events": _resource("AWS::SQS::Queue", events),
    }


def _timeout() -> Json:
    said = "Seconds for which a message is hidden while the function works on it: six times the function's timeout."
    return {"HiddenFor": {"Type": "Number", "Default": 1980, "Description": said}}


def _policy(service: str, source: Any) -> Json:
    statement: Json = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": [_at("Events"), _at("DeadLetters")],
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }
    document: Json = {"Version": "2012-10-17", "Statement": [statement]}
    return {"Queues": [{"Ref": "Events"}, {"Ref": "DeadLetters"}], "PolicyDocument": document}


def _subscription(known: Sequence[Subscription], topic: Resource, notes: list[str]) -> Json:
    """One, because a topic knows a queue once; its policy lets through what any of them wants."""
    found = alternatives([pattern for one in known for pattern in wanted(one, suffixes=False)])
    keys = {name for pattern in found for name in pattern}
    made: Json = {"TopicArn": _arn(topic), "Protocol": "sqs", "Endpoint": _at("Events"), "RawMessageDelivery": True}
    made["RedrivePolicy"] = {"deadLetterTargetArn": _at("DeadLetters")}
    if {} in found or not found or len(keys) > _KEYS or _combined(found) > _COMBINED:
        notes += _told_of(known, suffixes=False, what="every event of the topic")
        return made
    return made | {"FilterPolicyScope": "MessageBody", "FilterPolicy": either(found)}


def _combined(patterns: Sequence[Pattern]) -> int:
    """What SNS counts. How it counts alternatives is not said, so the larger of their sum and their product: a filter
    that is left out costs messages, one that is refused the whole deployment."""
    each = [prod(sum(map(_weight, values)) for values in pattern.values()) for pattern in patterns]
    return max(sum(each), prod(each))


def _weight(value: Any) -> int:
    said: Any = cast("Json", value).get("anything-but") if isinstance(value, dict) else None
    return len(cast("Sequence[Any]", said)) if isinstance(said, list) else 1


def _rule(known: Sequence[Subscription], bus: Resource, notes: list[str]) -> Json:
    ours = alternatives([pattern for one in known for pattern in wanted(one, suffixes=True)])
    others = alternatives([pattern for one in known for pattern in foreign(one)])
    pattern = _EVERYTHING
    if ours and {} not in (*ours, *others):
        pattern = either([{"detail": either(ours)}, *others])
    if len(json.dumps(pattern)) > LARGEST:
        pattern = _EVERYTHING
    if pattern is _EVERYTHING:
        notes += _told_of(known, suffixes=True, what="every event of the bus")
    target: Json = {"Id": "events", "Arn": _at("Events"), "DeadLetterConfig": {"Arn": _at("DeadLetters")}}
    return {"EventBusName": bus.arn or bus.name, "EventPattern": pattern, "Targets": [target]}


def _told_of(known: Sequence[Subscription], *, suffixes: bool, what: str) -> list[str]:
    """Who it is that AWS can't compare for."""
    meant = [one.name for one in known if {} in wanted(one, suffixes=suffixes)] or [one.name for one in known]
    who = f"subscription{'s' if len(meant) > 1 else ''} {', '.join(meant)}" if meant else "no subscription"
    return [f"{who}: AWS can't compare what is wanted; {what} is brought, and what is not wanted is dropped here"]


# -- waking ----------------------------------------------------------------------------------------------


def _waking(function: Any) -> Json:
    assumed: Json = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    assumed["Condition"] = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    allowed: Json = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}
    policy: Json = {"Version": "2012-10-17", "Statement": [allowed]}
    return {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [assumed]},
        "Policies": [{"PolicyName": "invoke", "PolicyDocument": policy}],
    }


# -- pieces of templates -----------------------------------------------------------------------------------

_HERE = "${AWS::Region}:${AWS::AccountId}"


def _template(description: str, resources: Json, parameters: Json | None = None) -> Json:
    made: Json = {"AWSTemplateFormatVersion": "2010-09-09", "Description": description}
    return made | ({"Parameters": parameters} if parameters else {}) | {"Resources": resources}


def _resource(kind: str, properties: Json) -> Json:
    return {"Type": kind, "Properties": properties}


def _at(name: str) -> Json:
    return {"Fn::GetAtt": [name, "Arn"]}


def _own(rest: str) -> Json:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{rest}"}


def _arn(topic: Resource) -> str | Json:
    return topic.arn or _own(f"sns:{_HERE}:{topic.name}")


def logical(name: str) -> str:
    """The name of a schedule as that of a resource: letters and digits, and no two the same."""
    plain = "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name))
    return f"Schedule{plain[:80]}{sha256(name.encode()).hexdigest()[:8]}"
