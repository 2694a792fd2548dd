"""Webhooks at a server: what they begin, once, and what each mistake and each attack is answered with."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import BaseModel

from overwinter import Agent, InvalidInput, Retry, tool, workflow
from overwinter.functions.event import CloudEvent
from overwinter.functions.events.intake import digest_of
from overwinter.functions.http.app import create_app
from overwinter.functions.runtime import Runtime
from overwinter.functions.webhook import (
    Delivery,
    GitHub,
    Hmac,
    Slack,
    StandardWebhooks,
    Stripe,
    Token,
    Unverified,
    webhook,
)
from overwinter.state.errors import StoreFull, StoreUnavailable
from overwinter.state.memory import MemoryStore

from .place import HMAC, SECRETS, TOKEN, Clock, Place, github, mac, served, slack, standard, stripe

pytestmark = pytest.mark.usefixtures("secrets")
ran: list[Any] = []


class Issue(BaseModel):
    action: str
    number: int


@pytest.fixture(autouse=True)
def _fresh() -> None:
    ran.clear()


def github_flow(**options: Any) -> Any:
    @webhook("/hooks/github", verify=GitHub("env:GITHUB_SECRET"), **options)
    @workflow
    async def triage(ctx: Any, issue: Issue) -> str:
        ran.append(issue)
        return f"{issue.action} {issue.number}"

    return triage


async def post(place: Place, path: str, request: Any, **more: Any) -> Any:
    body, headers = request
    return await place.client.post(path, content=body, headers=headers, **more)


OPENED: dict[str, Any] = {"action": "opened", "number": 7}


def test_a_delivery_begins_its_function_once_however_often_it_comes() -> None:
    async def main(place: Place) -> None:
        answers = [await post(place, "/hooks/github", github(OPENED)) for _ in range(3)]
        assert [(one.status_code, one.content) for one in answers] == [(202, b"")] * 3
        [one] = await place.executions()
        assert (one["function"], one["kind"]) == ("triage", "workflow")
        assert await place.runtime.result(one["id"]) == "opened 7"
        assert (await post(place, "/hooks/github", github(OPENED))).status_code == 202  # long after
        assert ran == [Issue(**OPENED)]
        await post(place, "/hooks/github", github(OPENED, id="d-2"))
        assert len(await place.executions()) == 2

    served([github_flow()], main, token="a-token-of-some-length")


def test_the_same_id_with_another_content_begins_nothing() -> None:
    async def main(place: Place) -> None:
        for number in (1, 2):
            assert (await post(place, "/hooks/github", github(OPENED | {"number": number}))).status_code == 202
        [one] = await place.executions()
        assert await place.runtime.result(one["id"]) == "opened 1"

    served([github_flow()], main)


def test_the_body_itself_can_be_the_id() -> None:
    """Of GitHub nothing but the body is signed: so who sends it again under a new id begins nothing either."""

    async def main(place: Place) -> None:
        for id in ("d-1", "d-2"):
            assert (await post(place, "/hooks/github", github(OPENED, id=id))).status_code == 202
        assert len(await place.executions()) == 1

    served([github_flow(id="{digest}")], main)


def test_what_is_not_wanted_begins_nothing() -> None:
    async def main(place: Place) -> None:
        ping = github({"zen": "Keep it logically awesome."}, event="ping")
        assert (await post(place, "/hooks/github", ping)).status_code == 204
        assert await place.executions() == []
        assert (await post(place, "/hooks/github", github(OPENED))).status_code == 202

    served([github_flow(only="com.github.issues.*")], main)


def test_deliveries_at_one_moment_begin_one() -> None:
    async def main(place: Place) -> None:
        answers = await asyncio.gather(*(post(place, "/hooks/github", github(OPENED)) for _ in range(20)))
        assert {one.status_code for one in answers} == {202}
        assert len(await place.executions()) == 1

    served([github_flow()], main)


def test_the_whole_event_where_the_function_takes_one() -> None:
    @webhook("/hooks/stripe", verify=Stripe("env:STRIPE_SECRET"))
    @workflow
    async def paid(ctx: Any, event: CloudEvent) -> str:
        return f"{event.type} {event.id} {event.source} {event.subject} {event.data['data']['object']['total']}"

    @webhook("/hooks/tool", verify=StandardWebhooks("env:STANDARD_SECRET"))
    @tool
    def book(event: CloudEvent) -> str:
        """Books it."""
        return f"{event.type} {event.id} {event.source}"

    clock = Clock()

    async def main(place: Place) -> None:
        invoice = {"id": "evt_1", "type": "invoice.paid", "data": {"object": {"id": "in_1", "total": 5}}}
        assert (await post(place, "/hooks/stripe", stripe(invoice, clock.seconds))).status_code == 202
        clock.seconds += 3600  # Stripe signs anew when it tries again
        assert (await post(place, "/hooks/stripe", stripe(invoice, clock.seconds))).status_code == 202
        [one] = await place.executions()
        assert await place.runtime.result(one["id"]) == "com.stripe.invoice.paid evt_1 https://stripe.com in_1 5"
        assert (await post(place, "/hooks/tool", standard({"type": "user.made"}, clock.seconds))).status_code == 202
        done = next(one for one in await place.executions() if one["kind"] == "tool")
        assert await place.runtime.result(done["id"]) == "user.made msg_1 /hooks/tool"

    served([paid, book], main, clock=clock)


def test_a_tool_is_begun_durably_and_tried_again_by_its_policy() -> None:
    @webhook("/hooks/token", verify=Token("env:TOKEN_SECRET"), id="{headers.X-Id}")
    @tool(retry=Retry(first="1ms"))
    def book(order: str) -> str:
        """Books it."""
        ran.append(order)
        if len(ran) < 2:
            raise ConnectionError("once")
        return order * 2

    async def main(place: Place) -> None:
        request = json.dumps({"order": "a"}).encode(), {"content-type": "application/json", "x-id": "1"}
        for _ in range(2):
            answer = await post(place, "/hooks/token", (request[0], request[1] | {"authorization": f"Bearer {TOKEN}"}))
            assert answer.status_code == 202
        [one] = await place.executions()
        assert await place.runtime.result(one["id"]) == "aa"
        assert ran == ["a", "a"]
        wrong = await post(place, "/hooks/token", (request[0], request[1] | {"authorization": "Bearer wrong"}))
        assert wrong.status_code == 401
        bare = await post(place, "/hooks/token", (request[0], request[1] | {"authorization": TOKEN}))
        assert bare.status_code == 401

    served([book], main, token="a-token-of-some-length")


def test_a_session_gets_messages_by_rule() -> None:
    desk = Agent("desk", "scripted:echo")
    webhook(
        "/hooks/slack",
        verify=Slack("env:SLACK_SECRET"),
        only="com.slack.message",
        session="{data.event.channel}",
        input="{data.event.text}",
    )(desk)
    clock = Clock()

    async def main(place: Place) -> None:
        said = {"type": "event_callback", "event_id": "Ev1", "team_id": "T1"}
        said["event"] = {"type": "message", "channel": "C1", "text": "Good morning"}  # type: ignore[assignment]
        for _ in range(2):
            answer = await post(place, "/hooks/slack", slack(said, clock.seconds))
            assert (answer.status_code, answer.content) == (200, b"")
        known = digest_of("webhook", "/hooks/slack", "https://slack.com/team/T1", "Ev1")
        assert await place.runtime.reply("desk/C1", known) == "Good morning"
        told = await place.runtime.history("desk/C1")
        assert [one["content"] for one in told if one["type"] == "message"] == ["Good morning"]
        lost = {**said, "event_id": "Ev2", "event": {"type": "message", "channel": "C1"}}
        answer = await post(place, "/hooks/slack", slack(lost, clock.seconds))
        assert answer.status_code == 422
        assert answer.headers["x-slack-no-retry"] == "1"
        assert "data.event.text" in answer.json()["detail"]
        other = {**said, "event_id": "Ev3", "event": {"type": "reaction_added"}}
        assert (await post(place, "/hooks/slack", slack(other, clock.seconds))).status_code == 200

    served([desk], main, clock=clock)


def test_a_challenge_is_answered_when_it_is_signed() -> None:
    @webhook("/hooks/slack", verify=Slack("env:SLACK_SECRET"))
    @workflow
    async def flow(ctx: Any, given: Any) -> None: ...

    clock = Clock()

    async def main(place: Place) -> None:
        asked = {"type": "url_verification", "challenge": "3eZbrw1a", "token": "x"}
        answer = await post(place, "/hooks/slack", slack(asked, clock.seconds))
        assert (answer.status_code, answer.text) == (200, "3eZbrw1a")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        answer = await post(place, "/hooks/slack", slack(asked, clock.seconds, secret="another-secret-of-length"))
        assert answer.status_code == 401
        assert "3eZbrw1a" not in answer.text
        assert await place.executions() == []

    served([flow], main, clock=clock)


def test_a_form_is_an_object_of_its_fields() -> None:
    @webhook("/hooks/form", verify=Slack("env:SLACK_SECRET"))
    @workflow
    async def flow(ctx: Any, given: dict[str, Any]) -> Any:
        return given

    clock = Clock()

    async def main(place: Place) -> None:
        for body, wanted in (
            ("a=1&b=&a=%C3%BC", {"a": ["1", "ü"], "b": ""}),
            (urlencode({"payload": '{"x": [1]}'}), {"x": [1]}),
            (urlencode({"payload": "no json"}), None),
            ("a=%FF", None),
        ):
            request = slack(body.encode(), clock.seconds, "application/x-www-form-urlencoded")
            answer = await post(place, "/hooks/form", request)
            assert answer.status_code == (400 if wanted is None else 200), answer.text
        results = [await place.runtime.result(one["id"]) for one in await place.executions()]
        assert sorted(results, key=str) == [{"a": ["1", "ü"], "b": ""}, {"x": [1]}]

    served([flow], main, clock=clock)


# -- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [None, "a-token-of-some-length"])
def test_whoever_is_not_proven_is_told_the_same(token: str | None, caplog: pytest.LogCaptureFixture) -> None:
    @webhook("/hooks/stripe", verify=Stripe("env:STRIPE_SECRET"))
    @workflow
    async def flow(ctx: Any, given: Any) -> None: ...

    clock = Clock()
    caplog.set_level(logging.INFO, "overwinter.http")

    async def main(place: Place) -> None:
        right = stripe({}, clock.seconds)
        wrong = [
            stripe({}, clock.seconds, "another-secret-of-some-length"),
            stripe({}, clock.seconds - 301),
            stripe({}, clock.seconds + 301),
            (b"{} ", right[1]),
            (b"{}", {"content-type": "application/json"}),
            (b"{}", right[1] | {"stripe-signature": "nonsense"}),
            (b"not json", right[1]),
        ]
        answers = [await post(place, "/hooks/stripe", one) for one in wrong]
        told = {(one.status_code, one.content, tuple(sorted(one.headers.items()))) for one in answers}
        assert len(told) == 1
        [(status, body, headers)] = told
        assert status == 401
        assert dict(headers)["www-authenticate"] == "Signature"
        assert json.loads(body)["status"] == 401
        assert await place.executions() == []
        assert "no signature fits" in caplog.text

    served([flow], main, token=token, clock=clock)


def test_a_body_of_the_wrong_kind_is_refused_after_its_sender_is_known() -> None:
    async def main(place: Place) -> None:
        for body, kind, status in (
            (b"{", "application/json", 400),
            (b"\xff\xfe", "application/json", 400),
            (b"x", "application/octet-stream", 415),
            (b"x", "", 415),
            (b"<a/>", "application/xml", 415),
            (b"{}", "application/json; charset=utf-16", 415),
            (b'{"action": "opened"}', "application/json", 422),
            (b'[{"action": "opened"}]', "application/json", 422),
            (b"", "application/json", 422),
        ):
            answer = await post(place, "/hooks/github", github(body, **{"content-type": kind}))
            assert answer.status_code == status, (body, kind, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            unsigned = await post(place, "/hooks/github", github(body, secret="wrong-but-long-enough"))
            assert unsigned.status_code == 401
        packed = github(b"{}", **{"content-encoding": "gzip"})
        assert (await post(place, "/hooks/github", packed)).status_code == 415
        assert await place.executions() == []

    served([github_flow()], main)


def test_a_body_is_bounded_before_it_is_read_and_what_is_unknown_takes_a_part_of_the_room() -> None:
    async def main(place: Place) -> None:
        large = github(b"x" * 5000)
        assert (await post(place, "/hooks/github", large)).status_code == 413
        read: list[int] = []

        async def endless() -> AsyncIterator[bytes]:
            while True:
                read.append(1000)
                yield b"x" * 1000

        _, headers = github(b"x")
        assert (await place.client.post("/hooks/github", content=endless(), headers=headers)).status_code == 413
        assert sum(read) < 8000
        read.clear()
        del headers["x-hub-signature-256"]
        assert (await place.client.post("/hooks/github", content=endless(), headers=headers)).status_code == 401
        assert not read  # nothing of it

    served([github_flow()], main, max_body=4000, max_held=8000)


def test_deliveries_that_are_not_verified_yet_leave_room_for_others() -> None:
    async def main(place: Place) -> None:
        begun, go = asyncio.Event(), asyncio.Event()
        open_now: list[int] = []

        async def slow() -> AsyncIterator[bytes]:
            open_now.append(1)
            yield b"{"
            if len(open_now) == 2:
                begun.set()
            await go.wait()
            yield b"}"

        _, headers = github(b"{}")
        waiting = [
            asyncio.ensure_future(place.client.post("/hooks/github", content=slow(), headers=headers)) for _ in "ab"
        ]
        await begun.wait()
        full = await post(place, "/hooks/github", github(OPENED))
        assert (full.status_code, full.headers["retry-after"]) == (503, "1")
        api = await place.client.get("/counts", headers={"authorization": "Bearer a-token-of-some-length"})
        assert api.status_code == 200
        go.set()
        assert [one.status_code for one in await asyncio.gather(*waiting)] == [422, 422]
        assert (await post(place, "/hooks/github", github(OPENED))).status_code == 202

    served([github_flow()], main, token="a-token-of-some-length", max_requests=8)


def test_bytes_of_those_who_are_unknown_are_bounded_together() -> None:
    async def main(place: Place) -> None:
        begun, go = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"x" * 3000
            begun.set()
            await go.wait()

        _, headers = github(b"")
        waiting = asyncio.ensure_future(place.client.post("/hooks/github", content=slow(), headers=headers))
        await begun.wait()
        assert (await post(place, "/hooks/github", github(b"x" * 3000))).status_code == 503
        assert (await post(place, "/hooks/github", github(b"x" * 500))).status_code == 400
        known = await place.client.post("/signal/nobody", content=b" " * 3000 + b"{}", headers={"host": "localhost"})
        assert known.status_code == 415  # the API has room for as much
        go.set()
        assert (await waiting).status_code == 401

    served([github_flow()], main, max_body=4000, max_held=16000)


@pytest.mark.parametrize(("error", "wait"), [(StoreUnavailable("away"), "1"), (StoreFull("full"), "30")])
def test_nothing_is_acknowledged_that_is_not_durable(error: Exception, wait: str) -> None:
    class Away(MemoryStore):
        broken = False

        async def accept(self, *args: Any, **kwargs: Any) -> Any:
            if self.broken:
                raise error
            return await super().accept(*args, **kwargs)

    store = Away()

    async def main(place: Place) -> None:
        store.broken = True
        answer = await post(place, "/hooks/github", github(OPENED))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, wait)
        store.broken = False
        assert (await post(place, "/hooks/github", github(OPENED))).status_code == 202
        assert len(await place.executions()) == 1

    served([github_flow()], main, store=store)


def test_a_secret_that_is_gone_makes_the_sender_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(place: Place) -> None:
        monkeypatch.delenv("GITHUB_SECRET")
        answer = await post(place, "/hooks/github", github(OPENED))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "GITHUB" not in answer.text
        monkeypatch.setenv("GITHUB_SECRET", SECRETS["GITHUB_SECRET"])
        assert (await post(place, "/hooks/github", github(OPENED))).status_code == 202

    served([github_flow()], main)


def test_a_secret_that_can_not_be_read_may_be_the_one_that_fits(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("another-secret-of-some-length")

    @webhook("/hooks/two", verify=GitHub(["env:GITHUB_SECRET", f"file:{other}"]))
    @workflow
    async def flow(ctx: Any, given: Any) -> None: ...

    async def main(place: Place) -> None:
        other.unlink()  # it is put anew in a moment
        assert (await post(place, "/hooks/two", github(OPENED))).status_code == 202
        sent = github({}, secret="another-secret-of-some-length")
        assert (await post(place, "/hooks/two", sent)).status_code == 503
        other.write_text("another-secret-of-some-length")
        assert (await post(place, "/hooks/two", sent)).status_code == 202
        assert (await post(place, "/hooks/two", github({}, secret="of-nobody-at-all-who-is-known"))).status_code == 401

    served([flow], main)


def test_the_log_tells_of_strangers_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    caplog.set_level(logging.WARNING, "overwinter.http")

    async def main(place: Place) -> None:
        forged = github({}, secret="of-nobody-at-all-who-is-known")
        for seconds, told in ((0, 1), (1, 1), (59, 2), (3, 2)):
            clock.seconds += seconds
            assert (await post(place, "/hooks/github", forged)).status_code == 401
            assert caplog.text.count("/hooks/github was refused: no signature fits") == told

    served([github_flow()], main, clock=clock)


def test_a_rule_that_fails_is_told_to_the_log_and_not_to_the_sender(caplog: pytest.LogCaptureFixture) -> None:
    def session(delivery: Delivery) -> str:
        raise KeyError("of nobody's business")

    async def main(place: Place) -> None:
        answer = await post(place, "/hooks/github", github(OPENED))
        assert (answer.status_code, "business" in answer.text) == (500, False)
        assert "rule for id failed" in answer.text
        assert await place.executions() == []
        assert "KeyError" in caplog.text

    served([github_flow(id=session)], main)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"id": "fixed"}, "only the first would count"),
        ({"type": ""}, "type is empty"),
        ({"type": "a\nb"}, "type holds the character"),
        ({"source": "no uri %%"}, "is not a URI-reference"),
        ({"only": ""}, "would let nothing in"),
        ({"only": ["a", ""]}, "would let nothing in"),
        ({"only": 5}, "would let nothing in"),
    ],
)
def test_rules_that_would_lose_all_deliveries_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        github_flow(**options)
    with pytest.raises(InvalidInput, match="is no path"):
        webhook(None, verify=GitHub("env:GITHUB_SECRET"))  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize("token", [None, "a-token-of-some-length"])
def test_a_path_is_open_to_what_is_posted_there_and_to_nothing_else(token: str | None) -> None:
    async def main(place: Place) -> None:
        closed = 403 if token is None else 401
        for path in (
            "/hooks/github/",
            "/hooks/github/x",
            "/hooks/githu",
            "/hooks/%67ithub%2F",
            "/HOOKS/github",
            "/hooks",
        ):
            assert (await post(place, path, github(OPENED))).status_code == closed, path
        for method in ("GET", "PUT", "DELETE", "OPTIONS", "HEAD"):
            assert (await place.client.request(method, "/hooks/github")).status_code == closed
        assert (await place.client.post("/workflows/triage", json=OPENED)).status_code == closed
        elsewhere = await post(place, "/hooks/github", github(OPENED), params={"access_token": "x"})
        assert elsewhere.status_code == 202
        if token is not None:
            known = {"authorization": f"Bearer {token}"}
            answer = await place.client.get("/hooks/github", headers=known)
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
            unsigned = await place.client.post("/hooks/github", json=OPENED, headers=known)
            assert unsigned.status_code == 401  # the API's token is no signature

    served([github_flow()], main, token=token)


# -- declarations that can't be --------------------------------------------------------------------------------


def made(*functions: Any, token: str | None = None) -> None:
    create_app(Runtime(list(functions), "memory://"), token=token)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "hooks",
        "/hooks/",
        "//x",
        "/a b",
        "/a/../b",
        "/a?b",
        "/a#b",
        "/{name}",
        "/%61",
        "/ü",
        "/a\n",
        "https://x/y",
    ],
)
def test_a_path_that_is_none(path: str) -> None:
    with pytest.raises(InvalidInput, match="is no path"):
        webhook(path, verify=GitHub("env:GITHUB_SECRET"))


@pytest.mark.parametrize(
    "path",
    [
        "/sweep",
        "/workflows/triage",
        "/events/x",
        "/readyz",
        "/results/a/b",
        "/openapi.json",
        "/cancel/x",
        "/bulk/retry",
    ],
)
def test_a_path_of_the_api_itself(path: str) -> None:
    flow = workflow(name="flow")(_nothing)
    with pytest.raises(InvalidInput, match="is the API's own"):
        made(webhook(path, verify=GitHub("env:GITHUB_SECRET"))(flow))


async def _nothing(ctx: Any, given: Any = None) -> None: ...


def flows(number: int) -> list[Any]:
    return [workflow(name=f"flow{index}")(_nothing) for index in range(number)]


def test_two_functions_of_one_path() -> None:
    one, other = (webhook("/hooks/x", verify=GitHub("env:GITHUB_SECRET"))(flow) for flow in flows(2))
    with pytest.raises(InvalidInput, match="flow0 and flow1 both take webhooks at /hooks/x"):
        made(one, other)
    with pytest.raises(InvalidInput, match="both take webhooks"):
        made(webhook("/hooks/x", verify=GitHub("env:GITHUB_SECRET"))(one))


def test_one_secret_for_two_paths() -> None:
    """What was sent to one of them would be let in by the other, by whatever scheme."""
    one, other = flows(2)
    webhook("/hooks/a", verify=GitHub("env:GITHUB_SECRET"))(one)
    webhook("/hooks/b", verify=Hmac(["env:HMAC_SECRET", "env:GITHUB_SECRET"], header="X-Hub-Signature-256"))(other)
    with pytest.raises(InvalidInput, match="/hooks/a and /hooks/b have the same secret"):
        made(one, other)
    one, other = flows(2)
    made(*(webhook(f"/{flow.__name__}", verify=Slack("env:SLACK_SECRET"))(flow) for flow in flows(1)))
    webhook("/hooks/a", verify=Slack("env:SLACK_SECRET"))(one)  # an app of Slack has one for all of its addresses
    webhook("/hooks/b", verify=Slack("env:SLACK_SECRET"))(other)
    made(one, other)


def test_a_delivery_to_one_path_is_nothing_at_another() -> None:
    one, other = flows(2)
    webhook("/hooks/a", verify=GitHub("env:GITHUB_SECRET"))(one)
    webhook("/hooks/b", verify=Hmac("env:HMAC_SECRET", header="X-Hub-Signature-256", prefix="sha256="))(other)

    async def main(place: Place) -> None:
        request = github(OPENED)
        assert (await post(place, "/hooks/a", request)).status_code == 202
        assert (await post(place, "/hooks/b", request)).status_code == 401
        own = b"{}", {"content-type": "application/json", "x-hub-signature-256": "sha256=" + mac(HMAC, b"{}").hex()}
        assert (await post(place, "/hooks/b", own)).status_code == 202

    served([one, other], main)


def test_without_a_secret_no_server_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_SECRET", " \n")
    with pytest.raises(InvalidInput, match="there is no secret of GitHub's webhook in env:GITHUB_SECRET"):
        made(github_flow())


def test_nothing_is_let_in_unverified_but_by_saying_so_and_from_here() -> None:
    with pytest.raises(InvalidInput, match="does not say how its sender is verified"):
        webhook("/hooks/x", verify=None)  # type: ignore[arg-type]  # the mistake
    [flow] = flows(1)
    webhook("/hooks/open", verify=Unverified())(flow)
    with pytest.raises(InvalidInput, match="verifies nothing"):
        made(flow, token="a-token-of-some-length")

    async def main(place: Place) -> None:
        here = {"host": "localhost:8000"}
        assert (await place.client.post("/hooks/open", json={}, headers=here)).status_code == 202
        handed_on = [here | {name: "192.0.2.1"} for name in ("x-forwarded-for", "forwarded", "via", "x-real-ip")]
        for stranger in ({"host": "hooks.example"}, here | {"origin": "https://evil.example"}, *handed_on):
            assert (await place.client.post("/hooks/open", json={}, headers=stranger)).status_code == 403

    async def far(place: Place) -> None:
        answer = await place.client.post("/hooks/open", json={}, headers={"host": "localhost"})
        assert answer.status_code == 403

    served([flow], main)
    served([flow], far, client=("192.0.2.1", 5))


def test_only_functions_have_webhooks() -> None:
    declare = webhook("/hooks/x", verify=GitHub("env:GITHUB_SECRET"))
    with pytest.raises(InvalidInput, match="write @webhook above @workflow"):
        declare(_nothing)
    with pytest.raises(InvalidInput, match="only agents have sessions"):
        webhook("/hooks/x", verify=GitHub("env:GITHUB_SECRET"), session="{data.x}")(flows(1)[0])
    for rule in ("{body}", "{data", "data}", "{}", "{header.x}", "{data..x}", 5):
        with pytest.raises(InvalidInput):
            webhook("/hooks/x", verify=GitHub("env:GITHUB_SECRET"), id=rule)  # type: ignore[arg-type]


def test_rules_make_what_the_scheme_does_not_say() -> None:
    def subject(delivery: Delivery) -> str:
        return str(delivery.data["who"]).upper()

    @webhook(
        "/hooks/rules",
        verify=Hmac("env:HMAC_SECRET"),
        type="com.shop.{data.kinds.1}",
        id="{headers.x-id}/{data.number}",
        source="https://shop.example/{data.who}",
        subject=subject,
    )
    @workflow
    async def flow(ctx: Any, event: CloudEvent) -> list[Any]:
        return [event.type, event.id, event.source, event.subject, event.data["number"]]

    async def main(place: Place) -> None:
        def request(data: Any) -> Any:
            body = json.dumps(data).encode()
            return body, {"content-type": "application/json", "x-id": "a", "x-signature": mac(HMAC, body).hex()}

        data = {"kinds": ["x", "order"], "number": 5, "who": "me"}
        assert (await post(place, "/hooks/rules", request(data))).status_code == 202
        [one] = await place.executions()
        told = await place.runtime.result(one["id"])
        assert told == ["com.shop.order", "a/5", "https://shop.example/me", "ME", 5]
        for wrong in ({"kinds": ["x"]}, {"kinds": [1, [2]]}, {"number": True}, {"who": "a b"}):
            answer = await post(place, "/hooks/rules", request(data | wrong))
            assert answer.status_code in (400, 422), wrong

    served([flow], main)


def test_the_document_tells_of_webhooks() -> None:
    from openapi_spec_validator import validate

    from overwinter.functions.http.openapi import document

    made_of = document(Runtime([github_flow()], "memory://").functions, "1", secured=True)
    validate(made_of)
    told = made_of["paths"]["/hooks/github"]["post"]
    assert told["security"] == []
    assert told["summary"] == "GitHub webhook of triage"
    assert {"202", "401", "413", "415", "503"} <= set(told["responses"])
