"""What answers under ``/console``: a file, or the one page for every address that is a place in the console.

Every answer, also a refusal, carries the policy that lets the page load nothing from elsewhere, send nothing elsewhere
and be framed nowhere. GET and HEAD alone are served; nothing redirects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..functions.messages.answer import Answer, Headers, Receive, Scope, Send
from ..functions.messages.message import RawHeaders, header
from ..functions.messages.problem import Refused, problem
from ..state.codec import dumps
from .files import KINDS, File, made, read

PREFIX = "/console"
PAGE = "index.html"
SETTINGS = "settings.json"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
GUARDED: Headers = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
_BY_ID = "execution/"
"""What follows is an id, which may look like the name of a file."""


class Console:
    """The ASGI application at ``/console`` and below. ``playground``: the page offers to try out what is served."""

    def __init__(self, *, playground: bool = False, files: Mapping[str, File] | None = None) -> None:
        settings = made(KINDS[".json"], dumps({"playground": playground}).encode())
        self._files = {**(read() if files is None else files), SETTINGS: settings}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Answer:
        if scope["method"] not in ("GET", "HEAD"):
            return _refusal(405, "the console's files are only read; send GET", [("allow", "GET, HEAD")])
        path: str = scope["path"]
        file = self._found(path.removeprefix(PREFIX).removeprefix("/"))
        if file is None:
            return _refusal(404, f"the console has no file {path[:200]!r}; its pages begin at {PREFIX}/")
        return _sent(file, scope["headers"], body=scope["method"] == "GET")

    def _found(self, name: str) -> File | None:
        """A file by its name, else the page, unless what is asked for is the name of a file."""
        if (file := self._files.get(name)) is not None:
            return file
        is_file = "." in name.rpartition("/")[2] and not name.startswith(_BY_ID)
        return None if is_file else self._files.get(PAGE)


def is_console(path: str) -> bool:
    """Whether a path is the console's."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def _sent(file: File, asked: RawHeaders, *, body: bool) -> Answer:
    packed = bool(file.packed) and takes_gzip(header(asked, b"accept-encoding"))
    tag = f'"{file.digest}{"-gzip" if packed else ""}"'
    own = [("etag", tag), ("cache-control", "no-cache"), ("vary", "accept-encoding"), *GUARDED]
    if _known(header(asked, b"if-none-match"), tag):
        return Bare(304, headers=own)
    own += [("content-type", file.kind), *([("content-encoding", "gzip")] if packed else [])]
    content = file.packed if packed else file.plain
    return Answer(200, content, own) if body else Bare(200, headers=[*own, ("content-length", str(len(content)))])


def takes_gzip(accepted: str) -> bool:
    """Whether an ``Accept-Encoding`` allows gzip (RFC 9110, 12.5.3)."""
    weights: dict[str, str] = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        weights[name.strip()] = weight.replace(" ", "").removeprefix("q=") or "1"
    return weights.get("gzip", weights.get("*", "0")).strip("0.") != ""


def _known(said: str, tag: str) -> bool:
    return said.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in said.split(","))


def _refusal(status: int, detail: str, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    answer = problem(Refused(status, detail, list(headers)))
    return Answer(answer.status, answer.body, (*answer.headers, *GUARDED))


class Bare(Answer):
    """An answer without a body: to HEAD, or that nothing has changed."""

    __slots__ = ()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
