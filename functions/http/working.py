"""The endpoint that workers of activities ask for tasks, and how the document describes it.

What came of a task is told like that of any callback, with its token: /complete, /fail, /heartbeat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..messages.answer import Answer, json_answer
from .service import Call, Endpoint

Json = dict[str, Any]
PATH = "/activities/{name}"


async def take(call: Call) -> Answer:
    """POST /activities/{name}: a task, or 204 when there is none in the time that the request lets us wait."""
    name = call.path("name")
    call.query()
    found = await call.patiently(call.runtime.activity_task(name, wait=call.wait(0)))
    if found is None:
        return Answer(204)
    return json_answer({"taskToken": found.token, "input": found.input})


ROUTES: Mapping[str, Endpoint] = {PATH: take}


def paths(operation: Callable[..., Json], parameter: Callable[..., Json], wait: Json) -> Json:
    """How the document describes it, made of its parts."""
    token = {"type": "string"}
    task = {"type": "object", "required": ["taskToken", "input"], "properties": {"taskToken": token, "input": {}}}
    asked = (parameter("name"), wait)
    return {PATH: {"post": operation("Take a task of an activity", {200: task, 204: None}, parameters=asked)}}
