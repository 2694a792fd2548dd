"""A provider that does not answer: what each of its errors means, through litellm, through the journal, for a retry."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Retry
from overwinter.functions.model import (
    ContextTooLong,
    ModelError,
    ModelUnavailable,
    QuotaUsedUp,
    RateLimited,
    Request,
    RequestRefused,
)
from overwinter.functions.models.failing import Told, failure
from overwinter.functions.models.litellm import LiteLLM
from overwinter.functions.models.port import Message
from overwinter.orchestrator.errors.failures import decode, encode
from overwinter.orchestrator.usercode.resilience import retry_after
from overwinter.state.codec import dumps, loads
from overwinter.state.errors import InvalidInput

from .bodies import CASES, REFUSALS, ROUTES, Refusal
from .provider import BROKEN, Provider, breaking, serving

pytestmark = [pytest.mark.filterwarnings("ignore")]  # litellm and what it imports warn about themselves


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


def raised(provider: Provider, name: str, refusal: Refusal) -> ModelError:
    """What the model raises when it is answered so; it is asked once."""
    provider.asked.clear()
    provider.answer = (refusal.status, refusal.headers, refusal.body)
    model, path = ROUTES[name]
    settings: dict[str, Any] = {"api_base": provider.url.removesuffix("/v1") + path, "api_key": "k", "timeout": 5}
    settings |= {"api_version": "2024-10-21"} if name == "azure" else {}
    with pytest.raises(ModelError) as caught:
        asyncio.run(LiteLLM(model).complete(Request(model, (Message("user", "hi"),), settings=settings)))
    assert len(provider.asked) == 1
    assert caught.value.model == model
    return caught.value


@pytest.mark.parametrize("sent", BROKEN)
@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini"])
def test_a_connection_that_dies_in_the_middle_may_be_tried_again(name: str, sent: bytes) -> None:
    model, path = ROUTES[name]
    with breaking(sent, sent) as url, pytest.raises(ModelUnavailable) as caught:
        settings = {"api_base": url + path, "api_key": "k", "timeout": 5}
        asyncio.run(LiteLLM(model).complete(Request(model, (Message("user", "hi"),), settings=settings)))
    assert type(caught.value) is ModelUnavailable


def means(error: ModelError, refusal: Refusal) -> None:
    """The error is what the refusal says, for a retry as well."""
    assert type(error) is refusal.kind, error
    assert error.status == refusal.status
    assert retry_after(error) == refusal.wait
    final = issubclass(refusal.kind, InvalidInput)
    assert Retry().again(error) is not final
    assert error.elsewhere is (refusal.kind is not RequestRefused)
    assert error.shorter is (refusal.kind is ContextTooLong)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_what_a_provider_says_is_an_error_of_what_can_be_done(provider: Provider, name: str, case: str) -> None:
    refusal = REFUSALS[name][case]
    means(raised(provider, name, refusal), refusal)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_it_comes_back_from_the_journal_as_itself(name: str, case: str) -> None:
    refusal = REFUSALS[name][case]
    error = failure("some/model", Told("it said so", refusal.status, refusal.body, refusal.wait))
    back = decode(loads(dumps(encode(error))))
    assert isinstance(back, ModelError)
    means(back, refusal)
    assert (str(back), back.model) == (str(error), "some/model")


def test_it_comes_back_where_no_model_was_ever_loaded() -> None:
    """A process that only reads, or runs a workflow which asks an agent elsewhere, knows the classes too."""
    recorded = dumps(encode(RateLimited("m: too often", retry_after=7, status=429, model="m")))
    old = dumps({"kind": "overwinter.functions.models.failing.ModelUnavailable", "message": "no"})
    code = (
        "import json, sys\n"
        "from overwinter.orchestrator.errors.failures import decode\n"
        "first, second = (decode(json.loads(line)) for line in sys.stdin)\n"
        "loaded = any('functions.models' in name for name in sys.modules)\n"
        "print(json.dumps([type(first).__name__, first.retry_after, first.status, type(second).__name__, loaded]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=f"{recorded}\n{old}", capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == ["RateLimited", 7, 429, "StepFailed", False]


def test_records_of_older_releases_come_back_too() -> None:
    for name in ("ModelUnavailable", "Unreadable"):
        old = {"kind": f"overwinter.functions.models.failing.{name}", "message": "m: no", "data": {"status": 503}}
        back = decode(old)
        assert isinstance(back, ModelUnavailable) and type(back).__name__ == name and back.status == 503


@pytest.mark.parametrize(
    "text", ["Too many tokens, please wait before trying again.", "context window rate limit exceeded", "no api key"]
)
def test_a_rate_limit_stays_one_whatever_it_is_about(text: str) -> None:
    body = {"error": {"message": text}}
    assert type(failure("m", Told(text, 429, body))) is RateLimited


def test_only_what_the_provider_said_counts() -> None:
    """Not what was asked: a gateway may repeat the request behind its sentence."""
    body = {"error": {"message": "Bad request"}, "request": "the maximum context length is exceeded, no api key"}
    assert type(failure("m", Told(json.dumps(body), 400, body))) is RequestRefused


def test_a_body_of_any_form_is_looked_at_without_trust() -> None:
    deep: Any = {"code": "insufficient_quota"}
    for _ in range(50):
        deep = {"details": [deep]}
    bodies: tuple[Any, ...] = (
        None,
        [],
        [1],
        {},
        {"error": None},
        {"error": []},
        {"error": {"details": 5}},
        {"error": deep},
        "x",
        7,
    )
    for body in bodies:
        assert type(failure("m", Told("x", 429, body))) is RateLimited
        assert type(failure("m", Told("x", 400, body))) is RequestRefused
    listed = [{"error": {"code": "insufficient_quota"}}]
    assert type(failure("m", Told("x", 429, listed))) is QuotaUsedUp


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["error", "message", "code", "details"]), inner),
    max_leaves=20,
)


@given(JSON, st.none() | st.integers(100, 599))
def test_any_answer_is_an_error_and_none_breaks_the_judge(body: object, status: int | None) -> None:
    error = failure("m", Told("x", status, body))
    assert isinstance(error, (ModelUnavailable, InvalidInput)) and error.status == status
    if status is None or not 400 <= status < 500:
        assert isinstance(error, ModelUnavailable)
