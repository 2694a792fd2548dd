"""AWS Lambda in this process, on loopback: functions are handlers of ``functions.aws``, invoked as Lambda's own API
invokes them, and asked by function URLs with IAM authentication.

    with Lambdas({"shop": lambda: handler_for("shop.py")}) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", aws.url)

Each environment takes one event at a time; while all of a function's are busy, another is made, as Lambda does. A
signature is made again with the secret that is known here and compared.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from .moto import credentials

_INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=(\w+)")  # fmt: skip  # noqa: E501
CALLER = "arn:aws:iam::111122223333:role/desk"


class Context(NamedTuple):
    """What Lambda says about an invocation."""

    seconds: float = 60.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Lambdas:
    """``functions`` make the handler of a new environment. ``invoked`` are the invocations: qualified name and type.
    ``faults`` are answered in place of what is asked next: status, the error's type, what it says; or a payload, as a
    function that has failed."""

    def __init__(self, functions: Mapping[str, Callable[[], Any]], seconds: float = 60.0) -> None:
        self.functions = functions
        self.invoked: list[tuple[str, str]] = []
        self.signed: list[tuple[str, str]] = []
        self.faults: list[tuple[int, str, str] | dict[str, Any]] = []
        self.behind_url = next(iter(functions))
        self._seconds = seconds
        self._idle: dict[str, list[Any]] = {name: [] for name in functions}
        self._made: list[Any] = []
        self._lock = threading.Lock()
        self._later: list[threading.Thread] = []

    def __enter__(self) -> Lambdas:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._answering())
        self._server.daemon_threads = False  # the end of the block waits for what is under way
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for thread in self._later:
            thread.join()
        for handler in self._made:
            handler.close()

    def run(self, name: str, event: Any) -> Any:
        """What a function gives back for an event."""
        with self._lock:
            idle = self._idle[name]
            handler = idle.pop() if idle else None
        if handler is None:
            handler = self.functions[name]()
            self._made.append(handler)
        try:
            return handler(event, Context(self._seconds))
        finally:
            with self._lock:
                idle.append(handler)

    # -- Lambda's API --------------------------------------------------------------------------------

    def invoke(self, qualified: str, kind: str, payload: bytes) -> tuple[int, dict[str, str], bytes]:
        self.invoked.append((qualified, kind))
        name = qualified.rpartition(":function:")[2].partition(":")[0]
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, dict):
            return 200, {"x-amz-function-error": "Unhandled"}, json.dumps(fault).encode()
        if fault is None and name not in self.functions:
            fault = (404, "ResourceNotFoundException", f"Function not found: {qualified}")
        if fault is not None:
            status, code, text = fault
            return status, {"x-amzn-errortype": code}, json.dumps({"Type": "User", "Message": text}).encode()
        event = json.loads(payload)
        if kind == "Event":
            self._later.append(threading.Thread(target=self._quietly, args=(name, event)))
            self._later[-1].start()
            return 202, {}, b""
        try:
            return 200, {}, json.dumps(self.run(name, event)).encode()
        except Exception as error:  # noqa: BLE001  # as Lambda does with whatever a handler raises
            told = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return 200, {"x-amz-function-error": "Unhandled"}, json.dumps(told).encode()

    def _quietly(self, name: str, event: Any) -> None:
        for _ in range(3):
            try:
                self.run(name, event)
                return
            except Exception:  # noqa: BLE001  # as above
                continue

    # -- a function URL with IAM authentication --------------------------------------------------------

    def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """What the function answers, or AWS in its place."""
        if self.faults and isinstance(fault := self.faults.pop(0), tuple):
            text = json.dumps({"Message": fault[2]})
            return {"statusCode": fault[0], "headers": {"x-amzn-errortype": fault[1]}, "body": text}
        found = _SIGNED.fullmatch(headers.get("authorization", ""))
        if found is None or not self._is_right(method, target, headers, body, *found.groups()):
            return {"statusCode": 403, "headers": {}, "body": json.dumps({"Message": "Forbidden"})}
        self.signed.append((found[3], found[2]))
        parts = urlsplit(target)
        host = "abc.lambda-url.eu-central-1.on.aws"
        event = {
            "version": "2.0",
            "rawPath": parts.path,
            "rawQueryString": parts.query,
            "headers": dict(headers),
            "requestContext": {
                "domainName": host,
                "stage": "$default",
                "http": {"method": method, "path": unquote(parts.path), "sourceIp": "127.0.0.1"},
                "authorizer": {"iam": {"userArn": CALLER}},
            },
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }
        answer: dict[str, Any] = self.run(self.behind_url, event)
        return answer

    def _is_right(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, key: str, region: str, service: str,
        names: str, signature: str,
    ) -> bool:  # fmt: skip
        from botocore.auth import SigV4Auth  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
        from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
        from botocore.credentials import (  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
            Credentials,
        )

        known = credentials()
        if key != known["AWS_ACCESS_KEY_ID"] or headers.get("x-amz-security-token") != known["AWS_SESSION_TOKEN"]:
            return False
        given = {name: headers.get(name, "") for name in names.split(";")}
        request: Any = AWSRequest(method=method, url=self.url + target, data=body, headers=given)
        request.context["timestamp"] = headers["x-amz-date"]
        auth: Any = SigV4Auth(Credentials(key, known["AWS_SECRET_ACCESS_KEY"]), service, region)
        made = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        return hmac.compare_digest(made, signature) and {"host", "x-amz-date"} <= set(given)

    def _answering(self) -> type[BaseHTTPRequestHandler]:
        aws = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 1  # of a connection that is kept and says nothing

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                invoked = _INVOKE.fullmatch(urlsplit(self.path).path)
                if invoked is not None:
                    kind = self.headers.get("x-amz-invocation-type", "RequestResponse")
                    self._write(*aws.invoke(unquote(invoked[1]), kind, body))
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                told = aws.request(self.command, self.path, headers, body)
                text = told["body"]
                whole = base64.b64decode(text) if told.get("isBase64Encoded") else text.encode()
                self._write(told["statusCode"], told["headers"], whole)

            do_GET = do_POST

            def _write(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        if name != "content-length":
                            self.send_header(name, value)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:  # whoever asked has gone
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                return

        return Answering
