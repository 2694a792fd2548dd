"""A signed link: one person decides once, what they have read, until it is over. A look at it decides nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import jwt
import pytest
from click.testing import CliRunner

from overwinter import Approval, Context, Runtime, tool, workflow
from overwinter.cli.main import cli
from overwinter.functions.http.app import create_app
from overwinter.functions.http.decision_link import Keys, Link, configured

from .waiting import until

SECRET = "a-long-secret-for-links-0123456789"
EVIL = "<script>alert(1)</script>\u202e\"'>"


@tool(approval=Approval("desk"))
async def transfer(order: str, amount: int) -> str:
    """Move money."""
    return f"{amount} for {order}"


@workflow
async def payout(ctx: Context, input: str) -> str:
    return await ctx.step(transfer, input, amount=60)


@tool(name="transfer", approval=Approval("desk", by=2))
async def of_two(order: str, amount: int) -> str:
    """Move money."""
    return f"{amount} for {order}"


@workflow
async def together(ctx: Context, input: str) -> str:
    return await ctx.step(of_two, input, amount=60)


Client = httpx.AsyncClient
Work = Callable[[Client, Runtime, str, Link], Awaitable[None]]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKS", SECRET)
    monkeypatch.setenv("OVERWINTER_LINK_KEY", "env:LINKS")


def signed(link: Link) -> str:
    keys = configured()
    assert keys is not None
    return keys.sign(link)


def with_link(work: Work, *, token: str | None = None, by: str = "ben", order: str = EVIL) -> None:
    async def main() -> None:
        async with Runtime([payout], "memory://") as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=token)))
            async with Client(transport=transport, base_url="https://desk.example") as client:
                await runtime.start(payout, order, id="p-1", by="ana")
                (one,) = await until(lambda: runtime.approvals("p-1"))
                link = Link("p-1", one["op"], one["digest"], by, runtime.clock() + 60_000)
                await work(client, runtime, signed(link), link)

    asyncio.run(main())


async def given(runtime: Runtime) -> bool:
    """Whether it is for one person to decide."""
    return "approver" in (await runtime.approvals("p-1"))[0]


async def decide(client: Client, path: str, decision: str = "approve", reason: str = "fine") -> httpx.Response:
    return await client.post(path, data={"decision": decision, "reason": reason})


def test_a_look_shows_what_is_asked_and_decides_nothing_then_one_press_does() -> None:
    async def work(client: Client, runtime: Runtime, path: str, link: Link) -> None:
        for method in ("GET", "HEAD", "GET"):
            assert (await client.request(method, path)).status_code == 200
        assert len(await runtime.approvals("p-1")) == 1
        page = await client.get(path)
        assert "Shall transfer be called?" in page.text and "<pre>60</pre>" in page.text and "ben" in page.text
        told = await decide(client, path)
        assert told.status_code == 200 and "You have approved transfer" in told.text
        assert str(await runtime.result("p-1")).startswith("60 for")
        (entry,) = [one for one in await runtime.history("p-1") if one["type"] == "decided"]
        assert (entry["by"], entry["reason"], entry["digest"]) == ("ben", "fine", link.digest)
        assert entry["event"].startswith("link ")
        assert (await decide(client, path, "deny")).status_code == 410  # used up
        assert (await client.get(path)).status_code == 410

    with_link(work, token="a-token-that-others-do-not-have")


def test_the_page_runs_nothing_and_shows_what_is_hidden() -> None:
    async def work(client: Client, runtime: Runtime, path: str, link: Link) -> None:
        page = await client.get(path)
        assert (
            "<script" not in page.text and "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e&quot;&#x27;&gt;" in page.text
        )
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src" not in policy
        assert "frame-ancestors 'none'" in policy and "form-action 'self'" in policy
        assert page.headers["referrer-policy"] == "no-referrer" and page.headers["cache-control"] == "no-store"
        assert not re.search(r"(src|href|action)=", page.text)

    with_link(work)


def test_an_edit_or_a_delegation_ends_the_link_and_a_time_does() -> None:
    async def work(client: Client, runtime: Runtime, path: str, link: Link) -> None:
        over = await decide(client, signed(link._replace(until=runtime.clock() - 1000)))
        assert over.status_code == 410 and "good for a time" in over.text
        await runtime.delegate("p-1", by="cleo", to="dora")
        await until(lambda: given(runtime))
        for told in (await client.get(path), await decide(client, path)):
            assert told.status_code == 409 and "has changed since" in told.text
        assert len(await runtime.approvals("p-1")) == 1

    with_link(work)


@pytest.mark.parametrize("at_once", [False, True])
def test_where_others_have_to_decide_as_well_a_link_is_used_up_all_the_same(at_once: bool) -> None:
    async def main() -> None:
        async with Runtime([together], "memory://") as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None)))
            async with Client(transport=transport, base_url="https://desk.example") as client:
                await runtime.start(together, "o-1", id="p-1", by="ana")
                (one,) = await until(lambda: runtime.approvals("p-1"))
                path = signed(Link("p-1", one["op"], one["digest"], "ben", runtime.clock() + 60_000, "link-1"))
                if at_once:
                    told = await asyncio.gather(decide(client, path), decide(client, path, "deny"))
                    assert sorted(one.status_code for one in told) in ([200, 409], [200, 410])
                else:
                    assert (await decide(client, path)).status_code == 200
                    again = await decide(client, path)
                    for late in (await decide(client, path, "deny"), await client.get(path), again):
                        assert late.status_code == 410 and "used up" in late.text
                    (now,) = await runtime.approvals("p-1")
                    assert now["votes"] == ["ben"]
                    other = signed(Link("p-1", now["op"], now["digest"], "cleo", runtime.clock() + 60_000, "link-2"))
                    assert (await decide(client, other)).status_code == 200
                    assert await runtime.result("p-1") == "60 for o-1"

    asyncio.run(main())


def test_who_may_not_decide_may_not_by_a_link() -> None:
    async def work(client: Client, runtime: Runtime, path: str, link: Link) -> None:
        told = await decide(client, path)
        assert told.status_code == 409 and "somebody else has to decide" in told.text
        assert len(await runtime.approvals("p-1")) == 1

    with_link(work, by="ana")


@pytest.mark.parametrize(
    "forge",
    [
        lambda link, good: good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"),
        lambda link, good: jwt.encode(claims(link), SECRET, "HS256"),  # the secret itself is not the key
        lambda link, good: jwt.encode(claims(link), "", "none"),
        lambda link, good: Keys("env:OTHER").sign(link).rpartition("/")[2],
        lambda link, good: "x",
        lambda link, good: f"{good}.{good}",
    ],
)
def test_what_was_not_signed_here_opens_nothing(forge: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "another-secret-0123456789")

    async def work(client: Client, runtime: Runtime, path: str, link: Link) -> None:
        told = await decide(client, f"/decision/{forge(link, path.rpartition('/')[2])}")
        assert told.status_code == 404 and "<pre>" not in told.text
        assert len(await runtime.approvals("p-1")) == 1

    with_link(work)


def claims(link: Link) -> dict[str, Any]:
    said = {"execution": link.execution, "op": link.op, "digest": link.digest, "by": link.by, "jti": "1"}
    return {**said, "aud": "overwinter decision", "exp": link.until // 1000}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"content": b"decision=approve", "headers": {"content-type": "text/plain"}}, 415),
        ({"data": {"decision": "yes"}}, 400),
        ({"data": {"decision": ["approve", "deny"]}}, 400),
        ({"data": {"decision": "approve", "reason": "x" * 2001}}, 400),
        ({"data": {"reason": "why"}}, 400),
    ],
)
def test_nothing_is_taken_for_a_yes_that_does_not_say_so(body: Any, status: int) -> None:
    async def work(client: Client, runtime: Runtime, path: str, link: Link) -> None:
        assert (await client.post(path, **body)).status_code == status
        assert len(await runtime.approvals("p-1")) == 1

    with_link(work)


def test_keys_turn_over_and_without_one_there_are_no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(client: Client, runtime: Runtime, path: str, link: Link) -> None:
        monkeypatch.setenv("NEW", "a-newer-secret-for-links-0123")
        monkeypatch.setenv("OVERWINTER_LINK_KEY", "env:NEW env:LINKS")
        assert (await client.get(path)).status_code == 200
        monkeypatch.setenv("OVERWINTER_LINK_KEY", "env:NEW")
        assert (await client.get(path)).status_code == 404
        monkeypatch.delenv("OVERWINTER_LINK_KEY")
        assert (await client.get(path)).status_code == 404

    with_link(work)


def test_a_link_is_made_at_a_shell(tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path}/x.db"

    async def begin() -> None:
        async with Runtime([payout], dsn) as runtime:
            await runtime.start(payout, "o-1", id="p-1", by="ana")
            await until(lambda: runtime.approvals("p-1"))

    asyncio.run(begin())

    def shell(*words: str) -> Any:
        return CliRunner(env={"COLUMNS": "240"}).invoke(cli, ["approval-link", "p-1", *words, "--store", dsn])

    made = shell("--by", "ben", "--for", "2h", "--url", "https://desk.example/")
    assert made.exit_code == 0 and made.output.startswith("https://desk.example/decision/")
    keys = configured()
    assert keys is not None
    link = keys.read(made.output.strip().rpartition("/")[2])
    assert link is not None and (link.execution, link.by) == ("p-1", "ben")
    for words, why in (([], "--by"), (["--by", "ana"], "somebody else"), (["--by", "ben", "--for", "99d"], "30 days")):
        refused = shell(*words)
        assert refused.exit_code == 2 and why in refused.output
