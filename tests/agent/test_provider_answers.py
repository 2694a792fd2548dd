"""Answers of providers, in their own shapes, through litellm and through the direct adapter: both read the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from overwinter.functions.models.direct import Direct
from overwinter.functions.models.litellm import LiteLLM
from overwinter.functions.models.port import Answer, Message, Model, Request, ToolSchema

from .answers import OTHERS, SAID, SAYING, Said
from .bodies import ROUTES
from .provider import Provider, serving

pytestmark = [pytest.mark.filterwarnings("ignore")]  # litellm and what it imports warn about themselves

SCHEMA = ToolSchema("lookup", "Look up.", {"type": "object", "properties": {"order_id": {"type": "string"}}})


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


def ask(provider: Provider, model: Model, said: Said, **settings: Any) -> Answer:
    """The answer of a model whose provider says that; it is asked once."""
    provider.asked.clear()
    provider.answer = (200, {}, said.body)
    request = Request(model.name, (Message("user", "hi"),), (SCHEMA,) if said.calls else (), settings=settings)
    answer = asyncio.run(model.complete(request))
    assert len(provider.asked) == 1
    return answer


def told(answer: Answer) -> Said:
    calls = tuple(call._replace(opaque=None) for call in answer.tool_calls)
    return Said(None, answer.text, calls, answer.finish, answer.refusal, answer.usage)


@pytest.mark.parametrize(("name", "case"), SAYING)
def test_litellm_reads_it(provider: Provider, name: str, case: str) -> None:
    said = SAID[name][case]
    model, path = ROUTES[name]
    settings: dict[str, Any] = {"api_base": provider.url.removesuffix("/v1") + path, "api_key": "k", "timeout": 5}
    settings |= {"api_version": "2024-10-21"} if name == "azure" else {}
    assert told(ask(provider, LiteLLM(model), said, **settings)) == said._replace(body=None)


@pytest.mark.parametrize(("name", "case"), [pair for pair in SAYING if pair[0] not in OTHERS])
def test_the_direct_adapter_reads_it(provider: Provider, name: str, case: str) -> None:
    said = SAID[name][case]
    assert told(ask(provider, Direct("m", provider.url), said)) == said._replace(body=None)
