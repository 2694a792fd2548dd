"""Each scheme against its provider's published example, and against all that is nearly right."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import InvalidInput
from overwinter.functions.triggers.scheme import VerifierUnready
from overwinter.functions.webhook import (
    Delivery,
    GitHub,
    Hmac,
    Rejected,
    Scheme,
    Slack,
    StandardWebhooks,
    Stripe,
    Token,
)

from .place import GITHUB, HMAC, STANDARD, STRIPE, TOKEN, Request, github, mac, slack, standard, stripe

NOW = 1_800_000_000


def delivery(request: Request, *more: tuple[str, str]) -> Delivery:
    body, headers = request
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in [*headers.items(), *more]]
    return Delivery("/hooks/x", pairs, body)


def let_in(scheme: Scheme, request: Request, *more: tuple[str, str], now: float = NOW) -> bool:
    """Whether it is, by the look at the headers and by the whole, which may not differ but in what the body decides."""
    came = delivery(request, *more)
    try:
        scheme.verify(came, now)
    except Rejected:
        return False
    scheme.glance(came, now)
    return True


# -- what the providers publish --------------------------------------------------------------------------------


def test_the_example_of_github(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs.github.com, "Validating webhook deliveries"."""
    monkeypatch.setenv("S", "It's a Secret to Everybody")
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-hub-signature-256": signature, "x-github-event": "push", "x-github-delivery": "1"}
    assert let_in(GitHub("env:S"), (b"Hello, World!", headers))
    assert not let_in(GitHub("env:S"), (b"Hello, World?", headers))


SLACK_BODY = (
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    "&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


def test_the_example_of_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs.slack.dev, "Verifying requests from Slack"."""
    monkeypatch.setenv("S", "8f742231b10e8888abcd99yyyzzz85a5")
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    request = SLACK_BODY.encode(), headers
    assert let_in(Slack("env:S"), request, now=1531420618)
    assert not let_in(Slack("env:S"), request, now=1531420618 + 301)
    known = Slack("env:S").describe(delivery(request))
    assert known.type == "com.slack.command"
    assert known.source == "https://slack.com/team/T1DC2JH3J"
    assert known.id.startswith("398738663015.")
    assert known.subject == "G8PSS9T3V"


@pytest.mark.parametrize("prefix", ["webhook-", "svix-"])
@pytest.mark.parametrize("secret", ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_the_example_of_standard_webhooks(monkeypatch: pytest.MonkeyPatch, prefix: str, secret: str) -> None:
    """The vector of the reference libraries."""
    monkeypatch.setenv("S", secret)
    headers = {
        f"{prefix}id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        f"{prefix}timestamp": "1614265330",
        f"{prefix}signature": "v1,bm9wZQ== v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    request = b'{"test": 2432232314}', headers
    assert let_in(StandardWebhooks("env:S"), request, now=1614265330)
    assert not let_in(StandardWebhooks("env:S"), request, now=1614265330 - 301)


# -- what is nearly right --------------------------------------------------------------------------------------

SIGNED: dict[str, tuple[Callable[[], Scheme], Callable[[], Request]]] = {
    "github": (lambda: GitHub("env:GITHUB_SECRET"), lambda: github({"action": "opened"})),
    "stripe": (lambda: Stripe("env:STRIPE_SECRET"), lambda: stripe({"id": "evt_1"}, NOW)),
    "slack": (lambda: Slack("env:SLACK_SECRET"), lambda: slack({"type": "event_callback"}, NOW)),
    "standard": (lambda: StandardWebhooks("env:STANDARD_SECRET"), lambda: standard({"type": "x"}, NOW)),
    "hmac": (
        lambda: Hmac("env:HMAC_SECRET", prefix="sha512=", algorithm="sha512"),
        lambda: (b"{}", {"x-signature": "sha512=" + mac(HMAC, b"{}", algorithm="sha512").hex()}),
    ),
    "token": (lambda: Token("env:TOKEN_SECRET"), lambda: (b"{}", {"authorization": f"Bearer {TOKEN}"})),
}
SIGNATURES = {
    "github": "x-hub-signature-256",
    "stripe": "stripe-signature",
    "slack": "x-slack-signature",
    "standard": "webhook-signature",
    "hmac": "x-signature",
    "token": "authorization",
}


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.usefixtures("secrets")
def test_only_what_is_right_is_let_in(name: str) -> None:
    scheme, (body, headers) = SIGNED[name][0](), SIGNED[name][1]()
    header = SIGNATURES[name]
    right = headers[header]
    assert let_in(scheme, (body, headers))
    if name != "token":
        assert not let_in(scheme, (body + b" ", headers))
        assert not let_in(scheme, (b"", headers))
    for wrong in (
        "",
        right[:-1],
        right + "0",
        right[::-1],
        " , ",
        "v1=",
        "sha256=",
        "v0=",
        "v1,",
        "sha256=zz",
        "\xff" * 8,
    ):
        assert not let_in(scheme, (body, headers | {header: wrong})), wrong
    assert not let_in(scheme, (body, {key: value for key, value in headers.items() if key != header}))
    assert not let_in(scheme, (body, headers), (header, right))  # twice, though both are right
    assert not let_in(scheme, (body, headers | {header: right + "," * 5000}))


@pytest.mark.parametrize("name", SIGNED)
def test_without_a_secret_nobody_is_known(name: str, monkeypatch: pytest.MonkeyPatch, secrets: None) -> None:
    scheme, request = SIGNED[name][0](), SIGNED[name][1]()
    monkeypatch.delenv(f"{name.upper()}_SECRET")
    with pytest.raises(VerifierUnready):
        let_in(scheme, request)


TIMES = [
    "",
    "-1800000000",
    "1800000000.0",
    "1.8e9",
    "0x6b49d200",
    " 1800000000",
    "9" * 40,
    "nan",
    "+1800000000",
]


@pytest.mark.parametrize("time", [*TIMES, NOW + 301, NOW - 301])
@pytest.mark.usefixtures("secrets")
def test_a_time_that_is_none_or_far_off_is_refused_though_it_is_signed(time: Any) -> None:
    shown = str(time)
    scheme = Hmac("env:HMAC_SECRET", time="X-Time")
    digest = mac(HMAC, f"{shown}.".encode(), b"{}").hex()
    if shown.isascii() and shown.strip() == shown:
        assert not let_in(Stripe("env:STRIPE_SECRET"), stripe({}, time))
        assert not let_in(StandardWebhooks("env:STANDARD_SECRET"), standard({}, time))
        assert not let_in(Slack("env:SLACK_SECRET"), slack({}, time))
        assert not let_in(scheme, (b"{}", {"x-signature": digest, "x-time": shown}))


@pytest.mark.parametrize("time", [NOW - 300, NOW, NOW + 300])
@pytest.mark.usefixtures("secrets")
def test_five_minutes_are_allowed_either_way(time: int) -> None:
    assert let_in(Stripe("env:STRIPE_SECRET"), stripe({}, time))
    assert let_in(StandardWebhooks("env:STANDARD_SECRET"), standard({}, time))
    assert let_in(Slack("env:SLACK_SECRET"), slack({}, time))
    assert not let_in(Stripe("env:STRIPE_SECRET", window="1m"), stripe({}, NOW - 61))


@pytest.mark.usefixtures("secrets")
def test_no_request_chooses_how_it_is_verified() -> None:
    body = b"{}"
    sha1 = "sha1=" + mac(GITHUB, body, algorithm="sha1").hex()
    named = {"x-github-event": "push", "x-github-delivery": "1"}
    assert not let_in(GitHub("env:GITHUB_SECRET"), (body, {"x-hub-signature": sha1, **named}))
    assert not let_in(GitHub("env:GITHUB_SECRET"), (body, {"x-hub-signature-256": sha1, **named}))
    digest = mac(STRIPE, f"{NOW}.".encode(), body).hex()
    for version in ("v0", "v2", "v10"):
        assert not let_in(Stripe("env:STRIPE_SECRET"), (body, {"stripe-signature": f"t={NOW},{version}={digest}"}))
    assert not let_in(Stripe("env:STRIPE_SECRET"), (body, {"stripe-signature": f"t={NOW},t={NOW},v1={digest}"}))
    _, headers = standard({}, NOW)
    asymmetric = headers["webhook-signature"].split(" ")[1].replace("v1,", "v1a,")
    assert not let_in(StandardWebhooks("env:STANDARD_SECRET"), (body, headers | {"webhook-signature": asymmetric}))
    sha512 = {"x-signature": mac(HMAC, body, algorithm="sha512").hex()}
    assert not let_in(Hmac("env:HMAC_SECRET"), (body, sha512))
    assert not let_in(Hmac("env:HMAC_SECRET"), (body, {"x-signature": mac(HMAC, body).hex()[:32]}))


@pytest.mark.usefixtures("secrets")
def test_where_id_ends_and_time_begins_can_be_read_in_one_way() -> None:
    """An old delivery, cut anew: the old time becomes the end of the id, and what the body begins with the time."""
    signed_then = standard(f"{NOW}.{{}}".encode(), NOW - 10_000, id="a")
    _, headers = signed_then
    cut = headers | {"webhook-id": f"a.{NOW - 10_000}", "webhook-timestamp": str(NOW)}
    assert not let_in(StandardWebhooks("env:STANDARD_SECRET"), (b"{}", cut))


@pytest.mark.usefixtures("secrets")
def test_headers_of_one_family_are_read_together() -> None:
    body, headers = standard({}, NOW)
    mixed = {name.replace("webhook-id", "svix-id"): value for name, value in headers.items()}
    assert not let_in(StandardWebhooks("env:STANDARD_SECRET"), (body, mixed))


@pytest.mark.usefixtures("secrets")
def test_the_signed_message_of_hmac_is_what_was_declared() -> None:
    scheme = Hmac("env:HMAC_SECRET", time="X-Time", message="v1:{time}:{body}", encoding="base64", header="X-Sum")
    digest = base64.b64encode(mac(HMAC, f"v1:{NOW}:".encode(), b"a{time}b")).decode()
    assert let_in(scheme, (b"a{time}b", {"x-sum": digest, "x-time": str(NOW)}))
    assert not let_in(scheme, (b"a{time}b", {"x-sum": digest, "x-time": str(NOW + 1)}))


@pytest.mark.parametrize(
    "options",
    [
        {"message": "{time}"},
        {"message": "{body}", "time": "X-Time"},
        {"message": "{body}{body}"},
        {"message": "{time}.{body}"},
        {"algorithm": "sha1"},
        {"algorithm": "none"},
        {"encoding": "utf-8"},
        {"window": "-1s"},
        {"window": "0s"},
        {"header": ""},
        {"header": "X Signature"},
        {"header": 5},
        {"header": "X-Time", "time": "x-time"},
        {"time": "X Time"},
        {"prefix": 5},
    ],
)
def test_what_would_verify_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises((InvalidInput, ValueError)):
        Hmac("env:HMAC_SECRET", **options)


@given(st.binary(max_size=60), st.text(max_size=80), st.text(max_size=20))
def test_whatever_comes_is_refused_in_order(body: bytes, signature: str, time: str) -> None:
    """Never with another error than Rejected, which would tell the sender more."""
    with pytest.MonkeyPatch.context() as patch:
        for name in SIGNED:
            patch.setenv(f"{name.upper()}_SECRET", STANDARD if name == "standard" else name * 8)
        for name, (scheme, request) in SIGNED.items():
            _, headers = request()
            changed = {key: (signature if key == SIGNATURES[name] else value) for key, value in headers.items()}
            changed |= {key: time for key in headers if key.endswith("timestamp")}
            pairs = [(key.encode(), value.encode("utf-8", "surrogatepass")) for key, value in changed.items()]
            with pytest.raises(Rejected):
                scheme().verify(Delivery("/x", pairs, body), NOW)


# -- what they call it -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("secrets")
def test_how_events_are_named() -> None:
    repository = {"html_url": "https://github.com/o/r"}
    issue = {"action": "opened", "issue": {"number": 7}, "repository": repository}
    named = GitHub("env:GITHUB_SECRET").describe(delivery(github(issue, id="d-9")))
    assert named == ("com.github.issues.opened", "d-9", "https://github.com/o/r", "7")
    push = github({"ref": "refs/heads/main", "repository": repository}, event="push")
    assert GitHub("env:GITHUB_SECRET").describe(delivery(push))[0::3] == ("com.github.push", "refs/heads/main")
    form = urlencode({"payload": '{"zen": "Keep it"}'}).encode()
    ping = github(form, event="ping", **{"content-type": "application/x-www-form-urlencoded"})
    assert GitHub("env:GITHUB_SECRET").describe(delivery(ping))[:3:2] == ("com.github.ping", "https://github.com")
    paid = {"id": "evt_1", "type": "invoice.paid", "data": {"object": {"id": "in_1"}}, "account": "acct_1"}
    found = Stripe("env:STRIPE_SECRET").describe(delivery(stripe(paid, NOW)))
    assert found == ("com.stripe.invoice.paid", "evt_1", "https://stripe.com/accounts/acct_1", "in_1")
    said = {"type": "event_callback", "event_id": "Ev1", "team_id": "T1", "event": {"type": "message", "channel": "C1"}}
    told = Slack("env:SLACK_SECRET").describe(delivery(slack(said, NOW)))
    assert told == ("com.slack.message", "Ev1", "https://slack.com/team/T1", "C1")
    pressed = urlencode({"payload": '{"type": "block_actions", "trigger_id": "1.2", "team": {"id": "T1"}}'}).encode()
    interaction = delivery(slack(pressed, NOW, "application/x-www-form-urlencoded"))
    assert Slack("env:SLACK_SECRET").describe(interaction)[:2] == ("com.slack.block_actions", "1.2")
    user = delivery(standard({"type": "user.created", "data": {}}, NOW, id="msg_2"))
    assert StandardWebhooks("env:STANDARD_SECRET").describe(user)[:2] == ("user.created", "msg_2")
