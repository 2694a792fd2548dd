"""A running server as the command line talks to it. Once it has answered, a break is waited out: it may be restarting,
and everything asked here may be asked again (starts and messages carry their ids). Refusals become ``Exit``.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, cast
from urllib.parse import quote

import click
import httpx

from ..security.address import shown
from ..state.ids import can_exist
from .exits import FAILED, NOT_FOUND, RUNNING, UNAVAILABLE, USAGE, Exit
from .options import DEFAULT_URL

PATIENCE = 60.0  # seconds to wait for a server that has been there
PAUSE = 0.25
LONGEST_WAIT = 25.0  # seconds of one request: shorter than the idle limits of proxies
CODES = {401: USAGE, 403: USAGE, 404: NOT_FOUND, 502: UNAVAILABLE, 503: UNAVAILABLE, 504: RUNNING}


class Server:
    """The server at ``url``. ``token`` "" sends none."""

    def __init__(self, url: str, token: str) -> None:
        if token and not (token.isascii() and token.isprintable()):
            raise click.BadParameter("a token consists of printable ASCII characters", param_hint="--token")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        timeout = httpx.Timeout(10, read=LONGEST_WAIT + 35)
        try:
            if not url.startswith(("http://", "https://")):
                raise httpx.InvalidURL("no scheme")
            self._client = httpx.Client(base_url=url, headers=headers, timeout=timeout)
        except httpx.InvalidURL as error:
            hint = f"{url!r} is no address like {DEFAULT_URL} ({error})"
            raise click.BadParameter(hint, param_hint="--url") from None
        self._reached = False
        self.url = url

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ask(
        self,
        method: str,
        place: str,
        body: Any = None,
        *,
        wait: float | None = None,
        query: Mapping[str, str | list[str]] | None = None,
        again: bool = True,
    ) -> httpx.Response:
        """One answer that is no refusal. ``wait`` seconds for an outcome; ``again``: it may be sent twice."""
        headers = {} if wait is None else {"prefer": f"wait={round(wait)}" if wait >= 1 else "respond-async"}
        until = time.monotonic() + PATIENCE
        while True:
            broken = ""
            try:
                answer = self._client.request(method, place, params=query, headers=headers, json=body)
            except httpx.DecodingError:
                raise self.stranger() from None
            except httpx.TransportError as error:
                broken = type(error).__name__
                self._reached = self._reached or not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))
            else:
                if not (self._reached and _away(answer)):
                    self._reached = True
                    if answer.is_error:
                        raise _refused(answer)
                    if answer.has_redirect_location:
                        raise self.stranger(f"it leads on to {shown(answer.headers['location'])}")
                    if answer.content and not _is_json(answer):
                        raise self.stranger()
                    return answer
            if not (self._reached and again) or time.monotonic() > until:
                raise self._gone(broken)
            time.sleep(PAUSE)

    @contextmanager
    def listen(
        self, method: str, place: str, body: Any, *, query: Mapping[str, str] | None, last: str, within: float
    ) -> Generator[httpx.Response | None]:
        """An answer that goes on, after the event ``last``, and of which something comes ``within`` so many seconds;
        None while a server that has answered is away. Raises Exit."""
        headers = {"accept": "text/event-stream"} | ({"last-event-id": last} if last else {})
        try:
            timeout = httpx.Timeout(10, read=within)
            with self._client.stream(
                method, place, params=query, headers=headers, json=body, timeout=timeout
            ) as answer:
                if self._reached and _away(answer):
                    yield None
                    return
                self._reached = True
                if answer.is_error:
                    answer.read()
                    raise _refused(answer)
                yield answer
        except httpx.TransportError as error:
            if not self._reached and isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
                raise self.gone() from None
            self._reached = True
            yield None

    @contextmanager
    def understood(self) -> Generator[None]:
        """Around what takes an answer apart. Raises Exit when it is of another form than ours."""
        try:
            yield
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            raise self.stranger() from error

    def stranger(self, why: str = "its answer is none of ours") -> Exit:
        """What is said when something else answers there."""
        advice = f"--url is the address of the server itself, like {DEFAULT_URL}, with nothing behind it."
        return Exit(f"no server of this release answers at {self.url}: {why}", code=UNAVAILABLE, advice=advice)

    def gone(self) -> Exit:
        """What is said when it answers no more."""
        return self._gone("")

    def _gone(self, broken: str) -> Exit:
        if self._reached:
            why = f" ({broken})" if broken else ""
            return Exit(
                f"the server at {self.url} went away{why}",
                code=UNAVAILABLE,
                advice="What it accepted goes on when it is back: overwinter ps",
            )
        advice = "Start it: overwinter dev FILE; --url or OVERWINTER_URL names another."
        return Exit(f"no server answers at {self.url}", code=UNAVAILABLE, advice=advice)


def segment(name: str) -> str:
    """A name as one part of a path. Raises Exit for what no address can hold."""
    return quote(_addressed(name), safe="")


def execution(id: str) -> str:
    """The id of an execution as the end of a path. Raises Exit when nothing can have it: clients resolve dots."""
    if not id or not {".", ".."}.isdisjoint(id.split("/")):
        raise Exit(f"there is no execution {id!r}", code=NOT_FOUND)
    return quote(_addressed(id))


def _addressed(text: str) -> str:
    if not can_exist(text):
        raise Exit(f"there is nothing with the name {text!r}: it is no text", code=NOT_FOUND)
    return text


def _away(answer: httpx.Response) -> bool:
    """Whether the server is away, as it says itself, or what stands before it does: its 502 and 504 hold no JSON."""
    return answer.status_code == 503 or (answer.status_code > 501 and not _is_json(answer))


def _is_json(answer: httpx.Response) -> bool:
    return "json" in answer.headers.get("content-type", "")


def _refused(answer: httpx.Response) -> Exit:
    """The problem document of the server as an error of ours."""
    code = CODES.get(answer.status_code, FAILED if answer.status_code >= 500 else USAGE)
    code = UNAVAILABLE if _away(answer) else code
    advice = "Give the server's token by --token or OVERWINTER_TOKEN." if answer.status_code == 401 else ""
    return Exit(_detail(answer) or f"the server answered {answer.status_code}", code=code, advice=advice)


def _detail(answer: httpx.Response) -> str:
    """What a problem document says; "" for any other body."""
    try:
        problem: Any = answer.json()
    except ValueError:
        return ""
    return str(cast("Mapping[str, Any]", problem).get("detail") or "") if isinstance(problem, dict) else ""
