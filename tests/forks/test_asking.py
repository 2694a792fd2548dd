"""Forks by HTTP and on the command line: what is asked for, what is refused, and that asking twice makes one."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from overwinter.cli.main import cli
from overwinter.functions.http.outcome import result_url
from overwinter.functions.models import choosing, direct, remote
from overwinter.orchestrator import forking
from overwinter.state.errors import ExecutionFailed, InvalidInput
from overwinter.state.records import EVERYTHING
from overwinter.tests.apart.place import on_a_loop, served

APP = """''
from overwinter import Agent, Scripted, call, tool

@tool(effect="irreversible")
async def refund(order: str, amount: int) -> str:
    'Refund an order.'
    with open("done", "a") as file:
        file.write(f"{amount} ")
    return f"refunded {amount}"

def say(messages, tools):
    if messages[-1].role == "user":
        return call("refund", order="A-1", amount=30 if "stingy" in messages[0].content else 80)
    return f"So: {messages[-1].content}"

clerk = Agent("clerk", model=Scripted(say), instructions="Be kind.", tools=[refund])
"""


def overwinter(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, list(words))
    return done.exit_code, done.output


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text(APP, "utf-8")
    Path("stingy.txt").write_text("Be stingy.\n", "utf-8")
    assert overwinter("run", "app.py", "clerk", '"broken"', "--id", "r")[0] == 0
    code, said = overwinter("fork", "r", "--op", "t1.m1", "--instructions", "@stingy.txt", "--by", "ann", "--json")
    assert code == 0, said
    made = json.loads(said)
    assert made["of"] == "r" and made["id"].startswith("clerk/fork:")
    code, said = overwinter("fork", "r", "--at", "2")
    assert code == 0 and "goes on from there, without effects" in said
    assert overwinter("sweep", "app.py")[0] == 0
    shown = overwinter("show", made["id"], "--full")[1]
    told = next(one for one in json.loads(overwinter("show", made["id"], "--json")[1])["entries"] if "from" in one)
    assert (told["from"], told["n"], told["by"], told["instructions"]) == ("r", 2, "ann", "Be stingy.")
    assert "of r, from its entry 2" in shown
    assert "EffectBlocked" in shown and Path("done").read_text() == "80 "
    assert '"recorded":"t1.m1.0"' in overwinter("show", said.split()[0], "--json")[1].replace(" ", "")
    assert overwinter("store", "check")[1].strip().endswith("nothing is wrong")
    assert "fork" in overwinter("audit", "list")[1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("r",), 2, "say where it goes on"),
        (("r", "--at", "2", "--op", "t1.m1"), 2, "say where it goes on"),
        (("r", "--at", "1"), 2, "1 is not in the range"),
        (("r", "--at", "99"), 2, "there is no entry 99"),
        (("r", "--op", "t9"), 2, "it has no operation 't9'; these are its: t1.m1"),
        (("nobody", "--at", "2"), 3, "there is no execution 'nobody'"),
        (("r", "--at", "2", "--instructions", "@nothing.txt"), 2, "can't be read"),
        (("r", "--at", "2", "--instructions", "@empty.txt"), 2, "empty.txt is empty"),
    ],
)
def test_what_the_command_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text(APP, "utf-8")
    assert overwinter("run", "app.py", "clerk", '"broken"', "--id", "r")[0] == 0
    Path("empty.txt").write_text("\n", "utf-8")
    got, output = overwinter("fork", *words)
    assert said in " ".join(output.split()) and got == code


@on_a_loop
async def test_over_http() -> None:
    async with served(_functions()) as there, httpx.AsyncClient(base_url=there.url) as client:
        runtime = there.runtime
        await (await runtime.start("clerk", "broken", id="r")).result()
        answer = await client.post("/fork/r", json={"op": "t1.m1", "by": "ann"}, headers={"idempotency-key": "k-1"})
        assert answer.status_code == 202 and answer.headers["location"] == result_url(answer.json()["id"])
        again = await client.post("/fork/r", json={"op": "t1.m1", "by": "ann"}, headers={"idempotency-key": "k-1"})
        assert again.json() == answer.json(), "asked again, it is the same fork"
        another = await client.post("/fork/r", json={"op": "t1.m1"})
        assert another.json() != answer.json()
        assert await runtime.result(answer.json()["id"]) == "So: refunded 80"
        for body, status, said in (
            ({}, 422, "say where it goes on"),
            ({"at": 2, "op": "t1.m1"}, 422, "say where it goes on"),
            ({"at": 1}, 422, "greater than or equal to 2"),
            ({"at": True}, 422, "at"),
            ({"at": 99}, 409, "there is no entry 99"),
            ({"at": 2, "model": ""}, 422, "model"),
            ({"at": 2, "colour": "red"}, 422, "colour"),
        ):
            refused = await client.post("/fork/r", json=body)
            assert refused.status_code == status and said in refused.text, (body, refused.text)
        assert (await client.post("/fork/nobody", json={"at": 2})).status_code == 404
        assert len((await runtime.page(EVERYTHING)).heads) == 3


def _functions() -> list[object]:
    names: dict[str, object] = {}
    exec(APP.replace('"done"', "os.devnull").replace("from overwinter", "import os\nfrom overwinter"), names)
    return [names["clerk"]]


@pytest.mark.parametrize(
    "model",
    [
        "scripted:os.system",
        "scripted:echo",
        "openai-compatible:m@http://127.0.0.1:9/v1",
        "function:refund",
        "a\nb",
        " ",
        "x/",
        "file:///etc/passwd",
    ],
)
@on_a_loop
async def test_a_model_from_outside_is_one_of_a_provider_or_of_the_agents(model: str) -> None:
    """It names no module, no function and no address, and nothing gets stuck by it."""
    async with served(_functions()) as there, httpx.AsyncClient(base_url=there.url) as client:
        runtime = there.runtime
        await (await runtime.start("clerk", "broken", id="r")).result()
        refused = await client.post("/fork/r", json={"op": "t1.m1", "model": model})
        assert refused.status_code == 409 and "provider/model" in refused.text
        assert len((await runtime.page(EVERYTHING)).heads) == 1
        clerk: Any = runtime.functions["clerk"]
        with pytest.raises(InvalidInput):
            clerk.altered(model, "")  # also of a journal that was brought from elsewhere
        used = next(entry["name"] for entry in await runtime.history("r") if entry["type"] == "model")
        assert (await client.post("/fork/r", json={"op": "t1.m1", "model": used})).status_code == 202


@on_a_loop
async def test_nobody_waits_for_it_until_when_the_other_one_was_wanted() -> None:
    async with served(_functions()) as there:
        runtime = there.runtime
        said = {"caller": {"deadline": 1, "user": "ann", "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}}
        clerk = runtime.engine.function("clerk")
        await runtime.order(clerk, "broken", id="r", **said)  # type: ignore[arg-type]
        with suppress(ExecutionFailed):
            await runtime.result("r")
        (start, *_) = await runtime.history(await runtime.fork("r", 2))
        assert start["caller"] == {"user": "ann"}


def test_what_only_code_may_say_is_refused_when_it_is_asked_for() -> None:
    """The list stands where no models are known; it holds what these rooms take for more than a name."""
    assert set(forking.CODE) == {choosing.PREFIX, direct.PREFIX, remote.PREFIX}
