"""Endpoints about schedules: ``runtime.schedules`` over HTTP, and how the document describes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from ...orchestrator.schedule.naming import check_run
from ...orchestrator.schedules import Schedule
from ..messages import schedules as shapes
from ..messages.answer import Answer, accepted, json_answer
from ..messages.models import Reason
from ..messages.problem import Refused
from .controlling import refusing
from .outcome import result_url
from .service import Call, Endpoint, single

Json = dict[str, Any]
_NAME: Json = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[^/]+$"}


async def listed(call: Call) -> Answer:
    """GET /schedules"""
    query = call.query("function", "prefix")
    for name in ("function", "prefix"):
        if name in query and not single(query, name):
            raise Refused(400, f"{name} is empty; leave it out, or say which schedules are meant")
    found = await call.runtime.schedules.list(single(query, "function"), prefix=single(query, "prefix"))
    return json_answer({"schedules": [schedule.to_json() for schedule in found]})


async def create(call: Call) -> Answer:
    """POST /schedules: make one."""
    call.query()
    body = await call.model(shapes.NewSchedule)
    made = await call.runtime.schedules.create(body.function, name=body.name, by=call.by(body.by), **body.said())
    return _told(made)


async def show(call: Call) -> Answer:
    """GET /schedules/{name}"""
    call.query()
    return _told(await call.runtime.schedules.show(call.path("name")))


async def change(call: Call) -> Answer:
    """PATCH /schedules/{name}: give it other values for some of what there is."""
    name = call.path("name")
    call.query()
    body = await call.model(shapes.ScheduleTimes)
    return _told(await call.runtime.schedules.change(name, by=call.by(body.by), **body.said()))


async def remove(call: Call) -> Answer:
    """DELETE /schedules/{name}: take it away; with ``cancel`` what is going on ends."""
    name, query = call.path("name"), call.query("cancel")
    cancel = single(query, "cancel")
    if cancel not in ("", "true", "false"):
        raise Refused(400, f"cancel is true or false, not {cancel[:40]!r}")
    await call.runtime.schedules.remove(name, cancel=cancel == "true", by=call.by(""))
    return accepted()


async def pause(call: Call) -> Answer:
    """POST /schedules/{name}/pause"""
    name = call.path("name")
    call.query()
    body = await call.model(Reason)
    await call.runtime.schedules.pause(name, by=call.by(body.by), reason=body.reason)
    return accepted()


async def resume(call: Call) -> Answer:
    """POST /schedules/{name}/resume"""
    name = call.path("name")
    call.query()
    body = await call.model(Reason)
    await call.runtime.schedules.resume(name, by=call.by(body.by), reason=body.reason)
    return accepted()


async def run(call: Call) -> Answer:
    """POST /schedules/{name}/run: begin a run now."""
    name = call.path("name")
    call.query()
    body = await call.model(shapes.RunNow)
    if body.id:
        check_run(body.id)
    asked: list[str] = []

    async def ask() -> None:
        asked.append(await call.runtime.schedules.run_now(name, id=body.id, by=call.by(body.by)))

    await refusing(409, ask())
    return accepted(result_url(asked[0]), {"run": asked[0]})


def _told(schedule: Schedule) -> Answer:
    return json_answer({**schedule.to_json(), "input": schedule.spec.input})


def _of(**endpoints: Endpoint) -> tuple[Endpoint, list[str]]:
    """One endpoint for a path with several methods, and these."""

    async def endpoint(call: Call) -> Answer:
        return await endpoints[call.scope["method"]](call)

    return endpoint, list(endpoints)


ROUTES: Mapping[str, tuple[Endpoint, list[str]]] = {
    "/schedules": _of(GET=listed, POST=create),
    "/schedules/{name}": _of(GET=show, PATCH=change, DELETE=remove),
    "/schedules/{name}/pause": _of(POST=pause),
    "/schedules/{name}/resume": _of(POST=resume),
    "/schedules/{name}/run": _of(POST=run),
}


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[[type[BaseModel]], Json]
) -> Json:
    """How the document describes them, made of its parts."""
    one, told = (parameter("name", "path", _NAME),), {200: ref(shapes.Schedule)}
    texts = tuple(parameter(name, "query", {"type": "string", "maxLength": 200}) for name in ("function", "prefix"))
    cancel = parameter("cancel", "query", {"enum": ["true", "false"]})
    reason = {"body": ref(Reason), "body_needed": False, "parameters": one}
    times, new = ref(shapes.ScheduleTimes), ref(shapes.NewSchedule)

    return {
        "/schedules": {
            "get": operation("List schedules", {200: ref(shapes.Schedules)}, parameters=texts),
            "post": operation("Make a schedule", told, body=new),
        },
        "/schedules/{name}": {
            "get": operation("One schedule", told, parameters=one),
            "patch": operation("Change a schedule", told, body=times, parameters=one),
            "delete": operation("Remove a schedule", {202: None}, parameters=(*one, cancel)),
        },
        "/schedules/{name}/pause": {"post": operation("Pause a schedule", {202: None}, **reason)},
        "/schedules/{name}/resume": {"post": operation("Resume a schedule", {202: None}, **reason)},
        "/schedules/{name}/run": {
            "post": operation(
                "Run a schedule now", {202: ref(shapes.RunAsked)}, **reason | {"body": ref(shapes.RunNow)}
            )
        },
    }
