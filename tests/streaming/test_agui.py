"""AG-UI: what is told fits the protocol's own models, and a run that was interrupted goes on."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from overwinter import Runtime

from .test_http import blocks, served

core = pytest.importorskip("ag_ui.core", reason="ag-ui-protocol is not installed")
RUN = "/agents/{}?protocol=ag-ui"


def asked(run: str, content: Any = "hi", **more: Any) -> dict[str, Any]:
    message = {"id": "u1", "role": "user", "content": content}
    return {"threadId": "t", "runId": run, "messages": [message], "tools": [], "context": [], "state": {}, **more}


async def told(client: httpx.AsyncClient, agent: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a run, each of which is one of the protocol's."""
    answer = await client.post(RUN.format(agent), json=body)
    assert answer.status_code == 200, answer.text
    found = [block.data for block in blocks(answer.text)]
    for event in found:
        TypeAdapter(core.Event).validate_python(event)
    return sound(found)


def sound(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is opened is closed, and nothing stands outside of a run."""
    open_: set[str] = set()
    assert events[0]["type"] == "RUN_STARTED" and events[-1]["type"] in ("RUN_FINISHED", "RUN_ERROR")
    for event in events:
        kind, id = event["type"], event.get("messageId") or event.get("toolCallId") or ""
        if kind in ("TEXT_MESSAGE_START", "TOOL_CALL_START"):
            assert id not in open_
            open_.add(id)
        elif kind in ("TEXT_MESSAGE_CONTENT", "TOOL_CALL_ARGS"):
            assert id in open_ and event["delta"]
        elif kind in ("TEXT_MESSAGE_END", "TOOL_CALL_END"):
            open_.remove(id)
    assert not open_
    return events


def test_a_run_is_told_in_its_words() -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        events = await told(client, "desk", asked("r1"))
        assert {event["runId"] for event in events if "runId" in event} == {"r1"}
        assert {event["threadId"] for event in events if "threadId" in event} == {"t"}
        said = "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")
        assert said == "It snows in Oslo." == events[-1]["result"]
        (call,) = [event for event in events if event["type"] == "TOOL_CALL_START"]
        (result,) = [event for event in events if event["type"] == "TOOL_CALL_RESULT"]
        assert call["toolCallName"] == "note" and result["toolCallId"] == call["toolCallId"]
        assert result["content"] == "x"
        again = await told(client, "desk", asked("r1"))
        assert again[-1] == events[-1], "a run that is asked for twice is one"
        assert (await runtime.show("desk/t")).status == "idle"

    served(main)


def test_approvals_interrupt_a_run_and_the_next_one_answers_them() -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        events = await told(client, "payer", asked("r1"))
        outcome = events[-1]["outcome"]
        assert outcome["type"] == "interrupt"
        ids = [interrupt["id"] for interrupt in outcome["interrupts"]]
        assert ids == ["t1.m1.0", "t1.m1.1"]
        started = [event["toolCallId"] for event in events if event["type"] == "TOOL_CALL_START"]
        assert [interrupt["toolCallId"] for interrupt in outcome["interrupts"]] == started
        first = {"interruptId": ids[0], "status": "resolved", "payload": {"approved": True}}
        answer = await client.post(RUN.format("payer"), json=asked("r2", resume=[first]))
        assert answer.status_code == 422 and ids[1] in answer.text, "every one has to be answered"
        second = {"interruptId": ids[1], "status": "cancelled"}
        events = await told(client, "payer", asked("r2", resume=[first, second]))
        assert events[-1]["result"] == "Both are paid."
        results = [event["content"] for event in events if event["type"] == "TOOL_CALL_RESULT"]
        assert len(results) == 2 and any("denied" in one for one in results) and "paid 3" in results

    served(main)


def test_an_interrupt_tells_a_digest_and_an_answer_to_another_one_decides_nothing() -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        interrupts = (await told(client, "payer", asked("r1")))[-1]["outcome"]["interrupts"]

        def answers(*digests: str) -> list[Any]:
            said = [{"approved": True, "digest": digest} for digest in digests]
            ids = [interrupt["id"] for interrupt in interrupts]
            return [
                {"interruptId": id, "status": "resolved", "payload": one} for id, one in zip(ids, said, strict=True)
            ]

        first, second = (interrupt["metadata"]["digest"] for interrupt in interrupts)
        late = await client.post(RUN.format("payer"), json=asked("r2", resume=answers(first, "sha256:0")))
        assert late.status_code == 422 and "read it again" in late.text
        assert len(await runtime.approvals("payer/t")) == 2, "none of them was decided"
        events = await told(client, "payer", asked("r2", resume=answers(first, second)))
        assert events[-1]["result"] == "Both are paid."

    served(main)


def test_a_run_that_goes_on_may_be_asked_for_again() -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        await told(client, "payer", asked("r1"))
        yes = [{"interruptId": f"t1.m1.{n}", "status": "resolved", "payload": True} for n in (0, 1)]
        events = await told(client, "payer", asked("r2", resume=yes))
        again = await told(client, "payer", asked("r2", resume=yes))
        assert again[-1] == events[-1] and again[-1]["result"] == "Both are paid."
        twice = await client.post(RUN.format("payer"), json=asked("r3", resume=[*yes, yes[0]]))
        assert twice.status_code == 422

    served(main)


def test_where_a_run_is_told_on_it_keeps_its_words() -> None:
    async def main(client: httpx.AsyncClient, _: Runtime) -> None:
        answer = await client.post(RUN.format("desk"), json=asked("r1"))
        found = [block for block in blocks(answer.text) if block.id]
        for block in found[:-1]:
            rest = await client.get(answer.headers["location"], headers={"last-event-id": block.id})
            events = [one.data for one in blocks(rest.text)]
            assert events[0] == blocks(answer.text)[0].data
            assert events[-1] == blocks(answer.text)[-1].data

    served(main)


def test_an_agent_that_is_a_tool_has_a_result() -> None:
    async def main(client: httpx.AsyncClient, _: Runtime) -> None:
        events = await told(client, "boss", asked("r1"))
        (call,) = [event["toolCallId"] for event in events if event["type"] == "TOOL_CALL_START"]
        (result,) = [event for event in events if event["type"] == "TOOL_CALL_RESULT"]
        assert result["toolCallId"] == call and "snows" in result["content"]

    served(main)


def test_an_error_ends_a_run() -> None:
    async def main(client: httpx.AsyncClient, _: Runtime) -> None:
        events = await told(client, "fails", asked("r1"))
        assert events[-1]["type"] == "RUN_ERROR" and "no such thing" in events[-1]["message"]

    served(main)


@pytest.mark.parametrize(
    "body",
    [
        {"threadId": "t", "runId": "r", "messages": []},
        {"threadId": "t", "runId": "r", "messages": [{"id": "a", "role": "assistant", "content": "hi"}]},
        {"runId": "r", "messages": [{"id": "a", "role": "user", "content": "hi"}]},
        asked("r", [{"type": "image", "source": {}}]),
        asked(""),
        asked("r" * 201),
        asked("line\nbreak"),
        asked("r", None),
        asked("r", resume=[{"interruptId": "t1.m1.0", "status": "resolved"}]),
        asked("r", resume=[{"interruptId": "t1.m1.0", "status": "resolved", "payload": {"approved": "yes"}}]),
        asked("r", resume=[{"interruptId": "t1.m1.0", "status": "resolved", "payload": "approved"}]),
        asked("r", resume=[{"interruptId": "t9.m9.0", "status": "resolved", "payload": True}]),
    ],
)
def test_what_is_no_run_is_refused_and_decides_nothing(body: dict[str, Any]) -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        await told(client, "payer", asked("r1"))
        answer = await client.post(RUN.format("payer"), json=body)
        assert answer.status_code in (400, 404, 409, 422), answer.text
        assert len(await runtime.proposals("payer/t")) == 2

    served(main)


def test_text_in_parts_is_text() -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        content = [{"type": "text", "text": "Does it"}, {"type": "text", "text": "snow?"}]
        await told(client, "desk", asked("r1", content))
        assert (await runtime.history("desk/t"))[0]["content"] == "Does it\nsnow?"

    served(main)
