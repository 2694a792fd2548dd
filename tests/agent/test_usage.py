"""Tokens in parts that don't overlap, whoever counted them; what they cost; what failed attempts were billed for."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Agent, Limits, Retry, Runtime, Scripted
from overwinter.functions.model import Answer, Prices, Request, Unreadable, Usage
from overwinter.functions.models.counting import split
from overwinter.orchestrator.agent.answer import read
from overwinter.orchestrator.governance.parts import PARTS, Tokens, tokens_of
from overwinter.orchestrator.governance.usage import Usage as Used
from overwinter.orchestrator.governance.usage import recorded
from overwinter.state.codec import loads
from overwinter.state.errors import InvalidInput, ModelUnavailable

from .driver import Driver

REPORTED: dict[str, tuple[dict[str, Any], Usage]] = {
    "openai": (
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 192, "audio_tokens": 0, "accepted_prediction_tokens": 10},
        },
        Usage(input=86, output=108, cache_read=1920, reasoning=192),
    ),
    "openai, audio": (
        {
            "prompt_tokens": 120,
            "completion_tokens": 80,
            "total_tokens": 200,
            "prompt_tokens_details": {"audio_tokens": 100, "cached_tokens": 0, "text_tokens": 20},
            "completion_tokens_details": {"audio_tokens": 60, "reasoning_tokens": 0, "text_tokens": 20},
        },
        Usage(input=20, output=20, audio_in=100, audio_out=60),
    ),
    "openai, cached audio": (
        {
            "prompt_tokens": 120,
            "completion_tokens": 8,
            "prompt_tokens_details": {
                "audio_tokens": 100,
                "cached_tokens": 70,
                "cached_tokens_details": {"audio_tokens": 60, "text_tokens": 10},
            },
        },
        Usage(input=10, output=8, cache_read=70, audio_in=40),
    ),
    "litellm for anthropic": (
        {
            "prompt_tokens": 3050,
            "completion_tokens": 40,
            "total_tokens": 3090,
            "prompt_tokens_details": {"cached_tokens": 2000, "cache_creation_tokens": 1000},
            "cache_read_input_tokens": 2000,
            "cache_creation_input_tokens": 1000,
        },
        Usage(input=50, output=40, cache_read=2000, cache_write=1000),
    ),
    "a gateway that counts the cache beside the input": (
        {"prompt_tokens": 50, "completion_tokens": 40, "cache_read_input_tokens": 2000},
        Usage(input=50, output=40, cache_read=2000),
    ),
    "the same, told by the total": (
        {
            "prompt_tokens": 3000,
            "completion_tokens": 40,
            "total_tokens": 5040,
            "prompt_tokens_details": {"cached_tokens": 2000},
        },
        Usage(input=3000, output=40, cache_read=2000),
    ),
    "deepseek": (
        {
            "prompt_tokens": 500,
            "completion_tokens": 90,
            "total_tokens": 590,
            "prompt_cache_hit_tokens": 448,
            "prompt_cache_miss_tokens": 52,
            "completion_tokens_details": {"reasoning_tokens": 70},
        },
        Usage(input=52, output=20, cache_read=448, reasoning=70),
    ),
    "xai, reasoning beside the output": (
        {
            "prompt_tokens": 32,
            "completion_tokens": 9,
            "total_tokens": 135,
            "completion_tokens_details": {"reasoning_tokens": 94},
        },
        Usage(input=32, output=9, reasoning=94),
    ),
    "gemini's images": (
        {
            "prompt_tokens": 300,
            "completion_tokens": 1300,
            "total_tokens": 1600,
            "prompt_tokens_details": {"image_tokens": 258, "text_tokens": 42},
            "completion_tokens_details": {"image_tokens": 1290},
        },
        Usage(input=42, output=10, image_in=258, image_out=1290),
    ),
    "ollama": ({"prompt_tokens": 26, "completion_tokens": 298, "total_tokens": 324}, Usage(26, 298)),
    "nulls": ({"prompt_tokens": 5, "completion_tokens": None, "prompt_tokens_details": None}, Usage(5)),
    "no sense": ({"prompt_tokens": "many", "completion_tokens": -3, "prompt_tokens_details": [1]}, Usage()),
}


@pytest.mark.parametrize("case", REPORTED)
def test_what_a_provider_counts_is_taken_apart(case: str) -> None:
    reported, parts = REPORTED[case]
    assert split(reported) == parts


COUNT = st.none() | st.integers(-5, 5000) | st.booleans() | st.text(max_size=3)
DETAILS = st.none() | st.dictionaries(
    st.sampled_from(
        ["cached_tokens", "audio_tokens", "image_tokens", "reasoning_tokens", "cache_write_tokens", "text_tokens"]
    ),
    COUNT,
)
WHOLE = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": COUNT,
        "completion_tokens": COUNT,
        "total_tokens": COUNT,
        "cache_read_input_tokens": COUNT,
        "cache_creation_input_tokens": COUNT,
        "prompt_tokens_details": DETAILS,
        "completion_tokens_details": DETAILS,
    },
)


@given(WHOLE)
def test_no_part_is_negative_and_none_of_what_was_told_is_lost(usage: dict[str, Any]) -> None:
    parts = split(usage)
    assert all(count >= 0 for count in parts)
    told = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    assert parts.total >= sum(count for count in told if type(count) is int and count > 0)


@given(st.builds(Tokens, *[st.integers(0, 2**40)] * len(PARTS)))
def test_parts_come_back_from_a_record_that_leaves_zeros_out(tokens: Tokens) -> None:
    record = tokens.record()
    assert tokens_of(record) == tokens and all(record[part] for part in record if part not in ("input", "output"))
    used = Used(3, tokens, Decimal("0.5"), 1)
    assert recorded(used.record()) == used and used.plus(used).minus(used) == used
    assert used.tokens == tokens.total == sum(tokens)


def test_records_of_older_releases_keep_their_meaning() -> None:
    assert recorded({"iterations": 2, "input": 30, "output": 10, "cost": "0.02"}).tokens == 40
    old = read({"text": "x", "usage": {"input": 812, "output": 31}, "cost": "0.1"}, "t1.m1").usage
    assert (old.iterations, old.parts, old.cost, old.unpriced) == (1, Tokens(812, 31), Decimal("0.1"), 0)


def test_a_limit_on_tokens_counts_every_part() -> None:
    driver = Driver(Agent("desk", Scripted(["?"]), limits=Limits(tokens=100)))
    driver.start()
    usage = {"input": 10, "output": 10, "cache_read": 60, "reasoning": 20}
    driver.model({"text": "", "usage": usage, "cost": "0"})
    assert driver.entries()[-1]["error"]["data"] == {"limit": "tokens", "used": 100, "allowed": 100}
    assert loads(driver.state)["usage"] == {"iterations": 1, **usage, "cost": "0"}


# -- prices ------------------------------------------------------------------------------------------


def test_prices_are_exact_and_by_part() -> None:
    prices = Prices("0.25", 2, cache_read="0.025", cache_write="0.3125", audio_in=10)
    assert prices.of(Usage(1, 1)) == "0.00000225"
    assert prices.of(Usage(1_000_000, 1_000_000)) == "2.25"
    assert prices.of(Usage(86, 108, cache_read=1920, reasoning=192, cache_write=8)) == "0.000672"
    assert prices.of(Usage(audio_in=3)) == "0.00003"
    assert Prices("0.1", "0.2").of(Usage(3)) == "0.0000003"  # as no float has it
    assert Prices(0, 0).of(Usage(5, 5)) == "0"


def test_a_part_without_a_price_is_unpriced_and_not_free() -> None:
    prices = Prices("0.25", "2")
    assert prices.of(Usage(0, 0, cache_read=4, reasoning=1)) == "0.000003", "never more than reading and writing anew"
    for part in ("cache_write", "audio_in", "audio_out", "image_in", "image_out"):
        assert prices.of(Usage(5, 5)._replace(**{part: 1})) is None


@pytest.mark.parametrize("prices", ["0.25", {"x": "0.25"}, {1: Prices(1, 1)}, 5])
def test_what_is_no_price_list_is_refused_at_once(prices: Any) -> None:
    with pytest.raises(InvalidInput, match=r"prices are Prices"):
        Agent("desk", "scripted:echo", prices=prices)
    with pytest.raises(InvalidInput, match="the price of output"):
        Prices("1", "-1")


class Metered:
    """A model that answers or fails as it is told, and knows no price."""

    name = "metered"

    def __init__(self, *said: Answer | Exception) -> None:
        self.said = iter(said)

    async def complete(self, request: Request) -> Answer:
        said = next(self.said)
        if isinstance(said, Exception):
            raise said
        return said


def ask(*said: Answer | Exception, **more: Any) -> dict[str, Any]:
    """The usage of a session's first turn, as the head has it."""

    async def main() -> dict[str, Any]:
        options: dict[str, Any] = {"retry": Retry(first=0), **more}
        agent = Agent("desk", Metered(*said), **options)
        async with Runtime([agent], "memory://") as runtime:
            await (await runtime.send(agent, "s", "hello")).reply("30s")
            head = await runtime.store.head("desk/s")
            assert head is not None
            used: dict[str, Any] = loads(head.state)["usage"]
            return used

    return asyncio.run(main())


ANSWER = Answer("hello", usage=Usage(100, 20, cache_read=1000), model="metered")


def test_an_agents_prices_hold_for_whoever_answers() -> None:
    whole = {"iterations": 1, "input": 100, "output": 20, "cache_read": 1000}
    assert ask(ANSWER) == whole | {"cost": "0", "unpriced": 1}
    mine = Prices(1, 10, cache_read="0.1")
    assert ask(ANSWER, prices=mine) == whole | {"cost": "0.0004"}
    assert ask(ANSWER._replace(cost="5"), prices={"metered": mine, "": Prices(9, 9)}) == whole | {"cost": "0.0004"}
    assert ask(ANSWER._replace(model="other", cost="5"), prices={"metered": mine}) == whole | {"cost": "5"}


def unreadable(input: int, cost: str | None) -> Unreadable:
    error = Unreadable("metered: no answer", model="metered")
    error.billed = {"usage": {"input": input, "output": 1}, "cost": cost}
    return error


def test_attempts_that_failed_and_were_billed_count() -> None:
    said = (unreadable(7, "0.01"), ModelUnavailable("no"), unreadable(8, "0.02"), ANSWER._replace(cost="0.03"))
    used = ask(*said, retry=Retry(first=0, retry=(Unreadable,)))
    assert used == {"iterations": 1, "input": 115, "output": 22, "cache_read": 1000, "cost": "0.06"}
    priced = ask(*(unreadable(1_000_000, None), ANSWER), prices=Prices(1, 0, cache_read=0))
    assert priced["cost"] == "1.0001" and "unpriced" not in priced
    assert ask(unreadable(7, None), ANSWER._replace(cost="1"))["unpriced"] == 1


def test_they_count_through_durable_retries_and_processes_once_each() -> None:
    """A sum is told anew with each fact; another process begins its own."""

    def failing(first: int, input: int, cost: str | None = "0.01") -> dict[str, Any]:
        error = {"kind": "overwinter.state.errors.Unreadable", "message": "no"}
        billed = {"first": first, "usage": {"input": input, "output": 0}, "cost": cost}
        return {"type": "retrying", "op": "t1.m1", "name": "m", "n": first, "until": 9000, "error": error | {
            "data": {"billed": billed}}}  # fmt: skip

    driver = Driver(Agent("desk", Scripted(["?"])))
    driver.say("m1")
    driver.turn([failing(1, 5)])
    driver.turn([failing(1, 9, "0.02")])  # the same process again
    driver.restart()
    driver.turn([failing(3, 2)])  # and another
    assert loads(driver.state)["usage"] == {"iterations": 0, "input": 11, "output": 0, "cost": "0.03"}
    driver.expire(9000)
    driver.now = 1000
    driver.model(
        {"text": "hi", "usage": {"input": 1, "output": 1}, "cost": "1", "billed": {"first": 3, "usage": {"input": 4}}}
    )
    assert loads(driver.state)["usage"] == {"iterations": 1, "input": 14, "output": 1, "cost": "1.02", "unpriced": 1}
    driver.say("m2")
    driver.turn([failing(1, 100) | {"op": "t2.m1"}])
    assert loads(driver.state)["usage"]["input"] == 114


def test_what_a_failed_turn_was_billed_for_counts() -> None:
    driver = Driver(Agent("desk", Scripted(["?"])))
    driver.say("m1")
    driver.model(unreadable(30, "0.5"))
    assert loads(driver.state)["usage"] == {"iterations": 0, "input": 30, "output": 1, "cost": "0.5"}
