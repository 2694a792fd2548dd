"""What is wrong with an agent's model is found before it is asked: at ``Agent(…)``, at the start, by ``look``."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from typing import Any, cast

import pytest

from overwinter import Agent, tool
from overwinter.functions.invocation.loading import reachable, sound
from overwinter.functions.invocation.looking import Finding, look
from overwinter.functions.model import Answer, Request
from overwinter.functions.models import litellm as adapter
from overwinter.functions.models.litellm import LiteLLM
from overwinter.state.errors import InvalidInput

pytestmark = [pytest.mark.filterwarnings("ignore")]  # litellm and what it imports warn about themselves


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "name", ["", " ", "openai/", "/gpt", "openai/ gpt-5-mini", "openai/gpt\n", "scripted:", "scripted:x"]
)
def test_what_can_be_no_model_is_refused_at_once(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"scripted:|openai/"):
        Agent("desk", name)


def found(*agents: Agent) -> list[Finding]:
    return look(reachable(agents))


def test_each_agent_whose_model_can_not_answer_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    keyless = Agent("keyless", "openai/gpt-5-mini")
    nobody = Agent("nobody", "nobody/nothing")
    upper = Agent("upper", "Anthropic/claude-sonnet-4-5")
    bare = Agent("bare", "gemini-2.5-flsh")
    lost = Agent("lost", "scripted:nowhere.script")
    told = {finding.function: finding for finding in found(keyless, nobody, upper, bare, lost)}
    assert "set OPENAI_API_KEY in the environment" in told["keyless"].text
    assert "no provider is known for the model 'nobody/nothing'" in told["nobody"].text
    assert "is it anthropic/claude-sonnet-4-5?" in told["upper"].text
    assert re.search(r"is it [a-z_-]+/gemini-2.5-flash", told["bare"].text)
    assert "there is no script 'nowhere.script'" in told["lost"].text
    assert all(finding.certain and finding.text.startswith(f"agent {name}: ") for name, finding in told.items())
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert found(keyless) == []


def test_a_name_that_is_like_a_known_one_is_a_doubt_and_no_verdict() -> None:
    key = {"api_key": "k"}
    (doubt,) = found(Agent("desk", "openai/gpt-5-minni", settings=key))
    assert not doubt.certain and "is it openai/gpt-5-mini" in doubt.text
    own = key | {"api_base": "http://127.0.0.1:1"}
    new = Agent("new", "openai/zebra-9000", settings=key)
    assert found(new, Agent("own", "openai/gpt-5-minni", settings=own), Agent("local", "hosted_vllm/gpt-5-minni")) == []


def test_a_missing_library_is_found_without_loading_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent("desk", "openai/gpt-5-mini")
    monkeypatch.delitem(sys.modules, "litellm", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidInput, match=r"agent desk: .*pip install 'overwinter\[llm\]'"):
        sound(reachable([agent]))
    (finding,) = found(agent)
    assert finding.certain and "pip install" in finding.text and "litellm" not in sys.modules


def test_what_begins_to_serve_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_load", lambda: pytest.fail("it is loaded"))
    assert sound(reachable([Agent("desk", "openai/gpt-5-mini")]))


def test_an_agent_whose_types_have_no_form_is_found_too() -> None:
    class Own:
        pass

    (finding,) = found(Agent("desk", "scripted:echo", output=cast("Any", Own)))
    assert finding.certain and finding.text.startswith("agent desk: ") and "Own" in finding.text

    @tool
    def take(own: Own) -> None: ...

    (alone,) = found(Agent("desk", "scripted:echo", tools=[take]))  # said once, though the agent has it too
    assert alone.function == "take"


def test_a_model_of_ones_own_may_know_what_it_lacks() -> None:
    class Sulking:
        name = "sulking"

        async def complete(self, request: Request) -> Answer:
            raise AssertionError(request)

        def wrong(self, settings: Any) -> str:
            return f"{self.name} has no key"

    assert [finding.text for finding in found(Agent("desk", Sulking()))] == ["agent desk: sulking has no key"]
    assert LiteLLM("ollama/llama3").wrong({}) == ""
