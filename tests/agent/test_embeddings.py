"""Texts as vectors: in order, as many as there were texts, through both adapters, with errors, usage and price."""

from __future__ import annotations

import asyncio
import base64
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Context, Runtime, workflow
from overwinter.functions.model import (
    Embedder,
    Embeddings,
    KeyRefused,
    ModelError,
    ModelUnavailable,
    Prices,
    RateLimited,
    RequestRefused,
    Scripted,
    Unreadable,
    Usage,
    embed,
)
from overwinter.functions.models.chat import Unfit
from overwinter.functions.models.direct import Direct
from overwinter.functions.models.litellm import LiteLLM
from overwinter.functions.models.vectors import vectors
from overwinter.state.errors import InvalidInput

from .provider import Asked, Provider, serving

pytestmark = [pytest.mark.filterwarnings("ignore")]  # litellm and what it imports warn about themselves

CLOSED = {"connection": "close"}


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture
def provider(server: Provider) -> Provider:
    server.asked.clear()
    server.judge = lambda asked: (200, CLOSED, answered(asked))
    return server


def numbers(text: str) -> list[float]:
    return [float(len(text)), 0.5, -1.0]


def answered(asked: Asked, **more: Any) -> Any:
    """The vectors of what was asked, the last first."""
    data = [{"object": "embedding", "index": n, "embedding": numbers(text)} for n, text in enumerate(asked["input"])]
    usage = {"prompt_tokens": 10 * len(data), "total_tokens": 10 * len(data)}
    return {"object": "list", "model": "m", "data": data[::-1], "usage": usage, **more}


def models(provider: Provider) -> list[Any]:
    return [f"openai-compatible:m@{provider.url}", "openai/text-embedding-3-small"]


def ask(provider: Provider, model: Any, texts: Any, **more: Any) -> Embeddings:
    settings = {"api_base": provider.url, "api_key": "k", "timeout": 5, **more.pop("settings", {})}
    return asyncio.run(embed(model, texts, settings=settings, **more))


def test_vectors_come_in_the_order_of_the_texts(provider: Provider) -> None:
    for model in models(provider):
        found = ask(provider, model, ["a", "bb", "ccc"], dimensions=3)
        assert found.vectors == [numbers(text) for text in ("a", "bb", "ccc")] and found.usage == Usage(30)
        assert provider.asked[-1]["input"] == ["a", "bb", "ccc"] and provider.asked[-1]["dimensions"] == 3
        assert provider.paths[-1] == "/v1/embeddings" and "messages" not in provider.asked[-1]
        assert ask(provider, model, "one").vectors == [numbers("one")]
        assert "dimensions" not in provider.asked[-1]


def test_what_it_costs_is_known_or_not(provider: Provider) -> None:
    direct, listed = models(provider)
    assert ask(provider, direct, ["a"]).cost is None
    assert ask(provider, listed, ["a"]).cost == "0.0000002"
    assert ask(provider, direct, ["a", "b"], prices=Prices("0.1", 0)).cost == "0.000002"


def test_many_texts_are_asked_for_in_several_requests(provider: Provider) -> None:
    texts = [f"{n:0{n + 1}}" for n in range(7)]
    for model in models(provider):
        provider.asked.clear()
        found = ask(provider, model, texts, batch=3)
        assert [len(asked["input"]) for asked in provider.asked] == [3, 3, 1]
        assert found.vectors == [numbers(text) for text in texts] and found.usage.total == 70
    provider.asked.clear()
    assert len(ask(provider, models(provider)[0], ["x" * 150_000] * 3).vectors) == 3
    assert [len(asked["input"]) for asked in provider.asked] == [1, 1, 1]
    assert ask(provider, models(provider)[0], []) == Embeddings([], Usage(), "0", "openai-compatible/m")


def test_what_was_billed_before_an_error_is_billed_with_it(provider: Provider) -> None:
    def judge(asked: Asked) -> Any:
        if len(provider.asked) == 3:
            return (429, {**CLOSED, "retry-after": "3"}, {"error": {"message": "slow down", "code": 429}})
        return (200, CLOSED, answered(asked))

    for model in models(provider):
        provider.asked.clear()
        provider.judge = judge
        with pytest.raises(RateLimited) as caught:
            ask(provider, model, ["a"] * 9, batch=3)
        assert caught.value.billed is not None and caught.value.billed["usage"]["input"] == 60
        assert caught.value.retry_after == 3


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}}, KeyRefused),
        (400, {"error": {"message": "dimensions is not supported"}}, RequestRefused),
        (503, {"error": {"message": "overloaded"}}, ModelUnavailable),
        (200, {"error": {"message": "slow down", "code": 429}}, RateLimited),
        (200, "<html>bad gateway</html>", ModelUnavailable),
        (200, {"data": []}, Unreadable),
        (200, {"data": [{"index": 0, "embedding": ["x"]}]}, Unreadable),
    ],
)
def test_errors_are_those_of_models(provider: Provider, status: int, body: Any, kind: type[ModelError]) -> None:
    provider.judge = lambda asked: (status, CLOSED, body)
    for model in models(provider):
        provider.asked.clear()
        with pytest.raises(kind) as caught:
            ask(provider, model, ["a"])
        if status != 200 or not isinstance(body, dict) or "error" not in body or "compatible" in model:
            assert type(caught.value) is kind
        assert len(provider.asked) == 1


def base64_of(values: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


@given(st.permutations(range(5)), st.booleans())
def test_vectors_are_read_in_any_order_and_form(order: list[int], packed: bool) -> None:
    told: Any = [[float(n), 0.25] for n in range(5)]
    data = [{"index": n, "embedding": base64_of(told[n]) if packed else told[n]} for n in order]
    assert vectors({"data": data}, 5) == told


@pytest.mark.parametrize("index", [{}, {"index": 0}, {"index": None}])
def test_a_server_that_numbers_none_keeps_the_order(index: Any) -> None:
    assert vectors({"data": [{"embedding": [1, 2], **index}, {"embedding": [3, 4], **index}]}, 2) == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    "data",
    [
        None, {}, [], [5, 5], [{"embedding": [1]}], [{"index": 0, "embedding": [1]}, {"index": 2, "embedding": [1]}],
        [{"embedding": [1]}, {"embedding": [1, 2]}], [{"embedding": [1]}, {"embedding": [True]}],
        [{"embedding": []}, {"embedding": []}], [{"embedding": "?"}, {"embedding": "?"}],
        [{"embedding": "AAA="}, {"embedding": "AAA="}],
    ],
)  # fmt: skip
def test_what_are_no_vectors_is_unfit(data: Any) -> None:
    with pytest.raises(Unfit):
        vectors({"data": data}, 2)


def test_what_can_not_be_embedded_is_refused_at_once(provider: Provider) -> None:
    class Talks:
        name = "talks"

        async def complete(self, request: Any) -> Any:
            raise AssertionError

    for model, texts, more in (
        ("scripted:echo", ["a", " "], {}), ("scripted:echo", [5], {}), ("scripted:echo", ["a"], {"batch": 0}),
        (Talks(), ["a"], {}), (5, ["a"], {}),
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            asyncio.run(embed(model, texts, **more))  # type: ignore[arg-type]  # as users may give it


def test_a_script_embeds_the_same_each_time_and_says_so() -> None:
    near, same, far = "the red lamp", "the lamp, red", "send my parcel back"
    found = asyncio.run(embed("scripted:echo", [near, same, far, near]))
    assert found.model == "scripted/echo" and found.cost == "0" and found.usage.total > 0
    one, two, three, four = found.vectors
    assert one == four and math.isclose(math.hypot(*one), 1, rel_tol=1e-6) and len(one) == 8
    assert sum(a * b for a, b in zip(one, two, strict=True)) > sum(a * b for a, b in zip(one, three, strict=True))
    assert len(asyncio.run(embed(Scripted([]), ["a"], dimensions=3)).vectors[0]) == 3


def test_all_that_embed_are_embedders() -> None:
    assert all(isinstance(model, Embedder) for model in (Direct("m", "http://x"), LiteLLM("openai/m"), Scripted([])))


def test_a_model_of_ones_own_embeds() -> None:
    class Own:
        name = "own"

        async def embed(
            self, texts: Sequence[str], *, dimensions: int | None = None, settings: Mapping[str, Any] = {}
        ) -> Embeddings:
            return Embeddings([[1.0]] * (len(texts) - ("short" in texts)), Usage(len(texts)), "0", "own")

    assert asyncio.run(embed(Own(), ["a", "b"])).vectors == [[1.0], [1.0]]
    with pytest.raises(InvalidInput, match="gave 0 vectors for 1 texts"):
        asyncio.run(embed(Own(), ["short"]))


@workflow
async def library(ctx: Context, texts: list[str]) -> int:
    found = await ctx.step(embed, "scripted:echo", texts)
    assert isinstance(found, Embeddings) and isinstance(found.usage, Usage)
    return len(found.vectors)


def test_it_is_a_step_like_any_other() -> None:
    async def main() -> Any:
        async with Runtime([library], "memory://") as runtime:
            return await (await runtime.start(library, ["a", "b"], id="l-1")).result("30s")

    assert asyncio.run(main()) == 2
