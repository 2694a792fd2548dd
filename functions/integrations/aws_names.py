"""Names of AWS's services and errors as state machines know them: those of the SDK for Java, which AWS itself calls."""

from __future__ import annotations

import re
from collections.abc import Collection

_RENAMED = {
    "sfn": "stepfunctions",
    "cloudwatchlogs": "logs",
    "eventbridge": "events",
    "cognitoidentityprovider": "cognito-idp",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "databasemigration": "dms",
    "configservice": "config",
    "config": "config",
    "costexplorer": "ce",
    "efs": "efs",
    "costandusagereport": "cur",
    "elasticsearch": "es",
    "iotdataplane": "iot-data",
    "servicequotas": "service-quotas",
    "transcribe": "transcribe",
    "lexruntimev2": "lexv2-runtime",
    "marketplacemetering": "meteringmarketplace",
}
"""Services that boto3 calls otherwise, beside those that differ in a dash."""
_BREAK = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[ _-]+")
_READS = re.compile(r"(get|list|describe|head|query|scan|batchGet|search|lookup|filter|detect|translate)(?=[A-Z]|$)")


def service_of(name: str, known: Collection[str]) -> str | None:
    """What boto3 calls the service ``aws-sdk:NAME``; None: there is none."""
    renamed = _RENAMED.get(name, name)
    if renamed in known:
        return renamed
    return next((one for one in known if one.replace("-", "") == renamed), None)


def shown(service_id: str) -> str:
    """``DynamoDb`` for the id DynamoDB, ``SecretsManager`` for Secrets Manager: what errors begin with."""
    return "".join(word[:1].upper() + word[1:].lower() for word in _BREAK.split(service_id) if word)


def exception(name: str) -> str:
    """The name of an error as the SDK's class: it ends in Exception."""
    plain = name.rpartition("#")[2].rpartition(".")[2]
    plain = plain[:1].upper() + plain[1:]
    return plain if plain.endswith("Exception") else f"{plain.removesuffix('Error') or plain}Exception"


def reads(action: str) -> bool:
    """Whether a call is one that changes nothing, by its name."""
    return _READS.match(action) is not None
