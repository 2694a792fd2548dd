"""An HTTP endpoint as a foreign agent: each turn is one request and one step.

The request is a POST of ``{"input", "past", "session"}`` as JSON with an ``Idempotency-Key``, which is the same each
time the request of that turn is repeated. The answer is ``{"output"}``, with ``"keep"`` where later turns are to find
something else than question and answer in ``past``; any other JSON, or text, is the output as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from ...orchestrator.engine.performing import current_call
from ...orchestrator.usercode.resilience import Breaker, Policy, Retry, wait_of
from ...security.address import shown
from ...security.redaction import holds_a_secret
from ...state.codec import dumps, stored
from ...state.errors import Final, FunctionUnavailable, InvalidInput
from ...state.quantities import Duration, seconds
from ..invocation.posting import Posts, Told, Unreached, Unwanted, read
from ..invocation.secrets import is_reference, look_up
from ..invocation.trace import add_trace
from .port import Turn

_NOT_NOW = (408, 425, 429)
_SAID = 500  # characters of an answer that an error tells
_RETRY = Retry(attempts=10, first="500ms", most="10m")


class Endpoint:
    """``ForeignAgent("research", Endpoint("https://agents.example.com/research", token="env:RESEARCH_TOKEN"))``.

    - ``token``: sent as a bearer token. ``headers``: sent with each request. Secrets by reference, ``env:NAME`` or
      ``file:PATH``, looked up for each request.
    - ``timeout``: how long one request may take. ``retry``, ``breaker``: as those of a step. What can't be reached, is
      busy or broken (408, 425, 429, 5xx) is asked again; any other status fails the turn.

    Raises InvalidInput for what is no address, for a secret that is none's reference, and for a time that is none.
    """

    name = "http"
    output: Any = Any
    whole = True

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        headers: Mapping[str, str] | None = None,
        timeout: Duration = "2m",
        retry: Retry = _RETRY,
        breaker: Breaker | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(f"{shown(url)!r} is no address of an agent; write https://…")
        self._url, self._host = url, parts.hostname
        if token and not is_reference(token):
            raise InvalidInput(
                f"{self._host}: say where the token lies, by env:NAME or file:PATH, not the token itself"
            )
        for key, value in (headers or {}).items():
            if holds_a_secret(key) and not is_reference(value):
                raise InvalidInput(f"{self._host}: say where the header {key} lies, by env:NAME or file:PATH")
        try:
            Policy(retry, timeout, breaker)
        except ValueError as error:
            raise InvalidInput(f"{self._host}: {error}") from None
        self._token, self._headers = token, dict(headers or {})
        self._timeout, self._retry, self._breaker = timeout, retry, breaker
        self._posts = Posts()

    async def answer(self, turn: Turn) -> Any:
        asked = {"input": stored(turn.input), "past": turn.past, "session": turn.session}
        more: dict[str, Any] = {} if self._breaker is None else {"breaker": self._breaker}
        told: Any = await turn.ctx.step(
            self._ask, asked, name=f"ask {self._host}", retry=self._retry, timeout=self._timeout, **more
        )
        if not isinstance(told, dict) or "output" not in told:
            return cast("Any", told)
        answer = cast("dict[str, Any]", told)
        if (keep := answer.get("keep")) is not None:
            if not isinstance(keep, list):
                raise Final(f"{self._host} answered with a `keep` that is no list")
            turn.keep(keep)  # pyright: ignore[reportUnknownArgumentType]  # JSON
        return answer["output"]

    async def _ask(self, asked: dict[str, Any]) -> Any:
        """One request. Raises FunctionUnavailable, Final, InvalidInput."""
        try:
            body, silence = dumps(asked).encode(), seconds(self._timeout)
            async with self._posts.posted(self._url, body, self._sent(), silence) as response:
                told = Told(response.status_code, response.reason_phrase, response.headers, await read(response))
        except Unreached as error:
            raise FunctionUnavailable(f"{self._host} {error}") from None
        except Unwanted as error:
            raise Final(f"{self._host}: {error}") from None
        if 200 <= told.status < 300:
            return _value(told)
        said = told.body[: 4 * _SAID].decode("utf-8", "replace")[:_SAID]
        why = f"{self._host} answered with {told.status}" + (f": {said}" if said.strip() else "")
        if told.status in _NOT_NOW or told.status >= 500:
            raise FunctionUnavailable(why, retry_after=wait_of(told.headers))
        raise Final(why)

    def _sent(self) -> dict[str, str]:
        sent = {"content-type": "application/json", "accept": "application/json, text/*;q=0.9"}
        sent["idempotency-key"] = current_call().idempotency_key
        for key, value in self._headers.items():
            sent[key] = look_up(value, f"header {key} of {self._host}") if is_reference(value) else value
        if self._token:
            sent["authorization"] = f"Bearer {look_up(self._token, f'token of {self._host}')}"
        add_trace(sent)
        return sent


def _value(told: Told) -> Any:
    media = str(told.headers.get("content-type", "")).partition(";")[0].strip().lower()
    if media.endswith(("/json", "+json")):
        if (found := told.json) is None and told.body.strip() != b"null":
            raise Final("what was answered is no JSON")
        return found
    return told.body.decode("utf-8", "replace")
