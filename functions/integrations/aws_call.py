"""One call of an API of AWS by boto3, and what came of it: a result, or an error under AWS's own name.

``dynamodb:…`` and ``aws-sdk:dynamodb:…`` make the same call and tell of it differently, as AWS does: the one adds what
is known of the request to its result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, NamedTuple, cast

from ...orchestrator.machine.language.failure import QueryError
from ...state.errors import InvalidInput, StateFailed
from ..invocation.aws import Clients, Rejected, is_expired
from ..invocation.posting import Unreached
from . import aws_shapes
from .aws_names import exception, service_of, shown
from .http_invoke import key

SILENCE = 60.0
"""Seconds for which AWS may say nothing."""
LARGEST = 1024 * 1024
"""Bytes of a body that is read whole, as of an object of S3."""
_THREADS = 16
_clients = Clients(_THREADS, "aws-integrations")


class Wanted(NamedTuple):
    """A call: ``service`` and ``action`` as the resource names them. ``optimized``: by the integration of the service,
    not as aws-sdk."""

    service: str
    action: str
    arguments: Mapping[str, Any]
    region: str
    optimized: bool

    @property
    def name(self) -> str:
        return f"{self.service}:{self.action}"


class _Answer(NamedTuple):
    """What a call gave, or what was wrong with it: ``error`` is AWS's name for it."""

    value: Any = None
    error: str = ""
    cause: str = ""


async def call(wanted: Wanted) -> Any:
    """Raises StateFailed under the name that AWS gives the error."""
    once = key()
    sdk = _prefix(wanted, wanted.service)
    try:
        service = await asyncio.to_thread(_service, wanted.service)
        found = await _clients.use(service, wanted.region, SILENCE, lambda client: _called(client, wanted, once))
    except InvalidInput as error:
        raise StateFailed("States.Runtime", str(error)) from None
    except (Unreached, Rejected) as error:  # of a call of its own only credentials can be rejected
        raise StateFailed(f"{sdk}.SdkClientException", str(error)) from None
    if found.error:
        raise StateFailed(found.error, found.cause)
    return found.value


def _service(name: str) -> str:
    """What boto3 calls a service. Raises InvalidInput."""
    found = service_of(name, _services())
    if found is None:
        raise InvalidInput(f"AWS has no service {name!r} that boto3 knows")
    return found


@cache
def _services() -> Collection[str]:
    try:
        from botocore import loaders  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
    except ModuleNotFoundError:
        raise InvalidInput("AWS is asked by boto3, which is not installed; install overwinter[aws]") from None
    known: Any = loaders
    listed: list[str] = known.create_loader().list_available_services("service-2")
    return listed


def _called(client: Any, wanted: Wanted, once: str) -> _Answer:
    """In a thread. Raises InvalidInput, what botocore raises."""
    from botocore import exceptions as aws  # pyright: ignore[reportMissingTypeStubs]

    model: Any = client.meta.service_model
    operation = next((name for name in model.operation_names if name.lower() == wanted.action.lower()), None)
    if operation is None:
        raise InvalidInput(f"{wanted.service} of AWS has no call {wanted.action!r}")
    shapes: Any = model.operation_model(operation)
    method = next(name for name, its in client.meta.method_to_api_mapping.items() if its == operation)
    try:
        given = _arguments(shapes, wanted, once)
        answer: dict[str, Any] = getattr(client, method)(**given)
    except QueryError as error:
        return _Answer(error=error.error, cause=error.cause)
    except aws.ClientError as error:
        response = cast("dict[str, Any]", error.response)
        code = str(response.get("Error", {}).get("Code", ""))
        if is_expired(code):
            raise
        return _failed(client, wanted, response, code)
    meta = answer.pop("ResponseMetadata", {})
    streamed = shapes.output_shape is not None and shapes.get_streaming_output()
    if shapes.has_event_stream_output:
        raise InvalidInput(f"what {wanted.name} gives is a stream of events, which can't be recorded")
    output: Any = shapes.output_shape
    if streamed:
        name = output.serialization["payload"]
        answer[name] = _read(answer[name], wanted)
    value: dict[str, Any] = {} if output is None else aws_shapes.told(output, answer)
    return _Answer(value | _metadata(meta) if wanted.optimized else value)


def _arguments(shapes: Any, wanted: Wanted, once: str) -> dict[str, Any]:
    """Raises QueryError."""
    if shapes.input_shape is None:
        return {}
    given: dict[str, Any] = aws_shapes.given(shapes.input_shape, wanted.arguments, lenient=wanted.optimized)
    for name in shapes.idempotent_members:
        given.setdefault(name, once)
    return given


def _read(stream: Any, wanted: Wanted) -> bytes:
    body: bytes = stream.read(LARGEST + 1)
    if len(body) > LARGEST:
        stream.close()
        raise InvalidInput(f"what {wanted.name} gives has more than {LARGEST:,} bytes; let a function read it")
    return body


def _failed(client: Any, wanted: Wanted, response: Mapping[str, Any], code: str) -> _Answer:
    from botocore import exceptions as aws  # pyright: ignore[reportMissingTypeStubs]

    meta: Mapping[str, Any] = response.get("ResponseMetadata", {})
    told: Mapping[str, Any] = response.get("Error", {})
    text, status, request = str(told.get("Message") or code), meta.get("HTTPStatusCode"), meta.get("RequestId")
    kind: Any = client.exceptions.from_code(code)
    sdk = _prefix(wanted, client.meta.service_model.service_id)
    if wanted.optimized:  # as the older SDK says it
        name = f"Amazon{sdk}Exception" if kind is aws.ClientError else exception(kind.__name__)
        known = f"Service: Amazon{sdk}v2; Status Code: {status}; Error Code: {code}; Request ID: {request}; Proxy: null"
        return _Answer(error=f"{sdk}.{name}", cause=f"{text} ({known})")
    name = f"{sdk}Exception" if kind is aws.ClientError else exception(kind.__name__)
    extended = f", Extended Request ID: {meta['HostId']}" if meta.get("HostId") else ""
    known = f"Service: {sdk}, Status Code: {status}, Request ID: {request}{extended}"
    return _Answer(error=f"{sdk}.{name}", cause=f"{text} ({known})")


def _prefix(wanted: Wanted, service_id: str) -> str:
    return "DynamoDB" if wanted.optimized else shown(service_id)


def _metadata(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What AWS's integrations tell of a request beside its result."""
    headers: Mapping[str, str] = meta.get("HTTPHeaders", {})
    http = {
        "AllHttpHeaders": {name: [value] for name, value in headers.items()},
        "HttpHeaders": dict(headers),
        "HttpStatusCode": meta.get("HTTPStatusCode"),
    }
    return {"SdkHttpMetadata": http, "SdkResponseMetadata": {"RequestId": meta.get("RequestId")}}
