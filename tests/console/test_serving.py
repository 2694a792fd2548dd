"""The pages under ``/console``: open to anybody because they hold nothing, strict in what they may load, small, and
never in the way of the API beside them, whose data needs the token as before.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from overwinter import Agent, Runtime
from overwinter.console.files import File, made, read
from overwinter.console.serving import POLICY, Console, takes_gzip
from overwinter.functions.http.app import create_app

TOKEN = "a-secret-of-some-length"
MOST = 150 * 1024
SCRIPT = b"export const word = 'overwinter';\n" * 40
FILES = {
    "index.html": made("text/html; charset=utf-8", b"<!doctype html><title>console</title>"),
    "main.js": made("text/javascript; charset=utf-8", SCRIPT),
    "pages/inbox.js": made("text/javascript; charset=utf-8", b"export const a = 1;"),
}

Main = Callable[[httpx.AsyncClient], Awaitable[None]]


def asked(main: Main, *, token: str | None = None, playground: bool = False, files: dict[str, File] = FILES) -> None:
    async def whole() -> None:
        async with Runtime([Agent("echo", "scripted:echo")], "memory://") as runtime:
            app = create_app(runtime, token=token, pages={"/console": Console(playground=playground, files=files)})
            transport = httpx.ASGITransport(cast("Any", app))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                await asyncio.wait_for(main(client), 60)

    asyncio.run(whole())


def test_the_pages_need_no_token_and_the_data_does() -> None:
    async def main(client: httpx.AsyncClient) -> None:
        for path in ("/console", "/console/", "/console/main.js", "/console/inbox"):
            assert (await client.get(path)).status_code == 200
        for path in ("/executions", "/counts", "/functions", "/consoles", "/console.js", "//console", "/Console"):
            assert (await client.get(path)).status_code == 401
        assert (await client.get("/counts", headers={"authorization": f"Bearer {TOKEN}"})).status_code == 200

    asked(main, token=TOKEN)


@pytest.mark.parametrize(
    ("path", "status", "page"),
    [
        ("/console", 200, True),
        ("/console/", 200, True),
        ("/console/inbox", 200, True),
        ("/console/fleet", 200, True),
        ("/console/execution/echo/a/b.js", 200, True),
        ("/console/execution/..%2F..%2Fetc%2Fpasswd", 200, True),
        ("/console/main.js", 200, False),
        ("/console/pages/inbox.js", 200, False),
        ("/console/pages/none.js", 404, False),
        ("/console/favicon.ico", 404, False),
        ("/console/..%2Fserving.py", 404, False),
        ("/console/__init__.py", 404, False),
    ],
)
def test_each_place_of_the_console_is_the_page_and_a_missing_file_is_missing(
    path: str, status: int, page: bool
) -> None:
    async def main(client: httpx.AsyncClient) -> None:
        answer = await client.get(path)
        assert answer.status_code == status
        assert (answer.content == FILES["index.html"].plain) is page

    asked(main)


def test_every_answer_carries_the_policy() -> None:
    async def main(client: httpx.AsyncClient) -> None:
        tag = (await client.get("/console/main.js")).headers["etag"]
        answers = [
            await client.get("/console/"),
            await client.get("/console/main.js"),
            await client.get("/console/none.js"),
            await client.post("/console/"),
            await client.head("/console/main.js"),
            await client.get("/console/main.js", headers={"if-none-match": tag}),
        ]
        assert [one.status_code for one in answers] == [200, 200, 404, 405, 200, 304]
        for answer in answers:
            assert answer.headers["content-security-policy"] == POLICY
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
        assert answers[3].headers["allow"] == "GET, HEAD"

    asked(main)
    parts: dict[str, str] = {}
    for part in POLICY.split(";"):
        name, _, sources = part.strip().partition(" ")
        parts[name] = sources
    assert parts["default-src"] == "'none'" and parts["script-src"] == parts["style-src"] == "'self'"
    assert parts["frame-ancestors"] == parts["base-uri"] == parts["form-action"] == "'none'"


def test_a_file_is_sent_compressed_and_once() -> None:
    async def main(client: httpx.AsyncClient) -> None:
        async with client.stream("GET", "/console/main.js", headers={"accept-encoding": "br, gzip"}) as answer:
            raw = b"".join([piece async for piece in answer.aiter_raw()])
            assert answer.headers["content-encoding"] == "gzip" and answer.headers["vary"] == "accept-encoding"
            assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
            assert gzip.decompress(raw) == SCRIPT and len(raw) == int(answer.headers["content-length"])
            packed = answer.headers["etag"]
        plain = await client.get("/console/main.js", headers={"accept-encoding": "identity"})
        assert plain.content == SCRIPT and "content-encoding" not in plain.headers
        assert plain.headers["cache-control"] == "no-cache" and plain.headers["etag"] != packed
        for known in (plain.headers["etag"], f'"x", W/{plain.headers["etag"]}', "*"):
            again = await client.get(
                "/console/main.js", headers={"accept-encoding": "identity", "if-none-match": known}
            )
            assert (again.status_code, again.content) == (304, b"") and "content-length" not in again.headers
        other = await client.get("/console/main.js", headers={"accept-encoding": "gzip", "if-none-match": '"x"'})
        assert other.status_code == 200
        head = await client.head("/console/main.js", headers={"accept-encoding": "identity"})
        assert head.content == b"" and head.headers["content-length"] == str(len(SCRIPT))

    asked(main)


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("GZIP;q=0.5", True),
        ("*", True),
        ("br", False),
        ("", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
    ],
)
def test_who_takes_gzip(accepted: str, takes: bool) -> None:
    assert takes_gzip(accepted) is takes


@pytest.mark.parametrize("playground", [True, False])
def test_the_page_is_told_whether_there_is_a_playground(playground: bool) -> None:
    async def main(client: httpx.AsyncClient) -> None:
        answer = await client.get("/console/settings.json")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {"playground": playground}

    asked(main, playground=playground)


def test_what_is_read_and_what_is_not(tmp_path: Path) -> None:
    for name in ("index.html", "pages/a.js", ".hidden.js", ".git/b.js", "notes.md", "c.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    found = read(tmp_path)
    assert set(found) == {"index.html", "pages/a.js"}
    assert found["pages/a.js"].plain == b"pages/a.js" and found["pages/a.js"].packed == b""


def test_the_console_is_small_and_loads_nothing_from_elsewhere() -> None:
    files = read()
    assert "index.html" in files
    assert sum(file.smallest for file in files.values()) <= MOST
    page = files["index.html"].plain.decode()
    assert "<script>" not in page and "style=" not in page and "http://" not in page and "https://" not in page


def test_a_webhook_can_not_hide_it() -> None:
    from overwinter import workflow
    from overwinter.functions.messages.problem import Refused
    from overwinter.functions.webhook import Unverified, webhook

    @webhook("/console/x", verify=Unverified())
    @workflow
    async def taken(ctx: Any, input: dict[str, Any]) -> None: ...

    async def main() -> None:
        async with Runtime([taken], "memory://") as runtime:
            with pytest.raises(Refused, match="the API's own"):
                create_app(runtime, token=None, pages={"/console": Console()})
            create_app(runtime, token=None)

    asyncio.run(main())
