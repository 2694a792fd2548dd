"""Who is talked to: an agent's session in this process (``here``) or on a running server (``there``). Both give what a
conversation needs to know in the shapes of the HTTP API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from ..state.errors import InvalidInput, UnknownFunction
from ..state.records import FINAL, Filter
from .exits import NOT_FOUND, UNAVAILABLE, USAGE, Exit
from .options import by_default

if TYPE_CHECKING:
    import httpx

    from ..functions.runtime import Runtime
    from .server import Server

Entry = dict[str, Any]
DEEPEST = 5
"""How many executions deep, from the session down, approvals are looked for."""


class State(NamedTuple):
    """How a session stands."""

    status: str
    awaits: str
    length: int


class Asked(NamedTuple):
    """An approval that is waited for, by the session itself or by what it has started."""

    execution: str
    approval: Entry

    @property
    def key(self) -> tuple[str, str, str]:
        return self.execution, str(self.approval.get("op")), str(self.approval.get("digest"))


class Party(Protocol):
    """One session. ``model`` is for people, ``input`` the schema of what may be said."""

    execution: str
    model: str
    input: Mapping[str, Any]

    async def state(self) -> State | None:
        """None when nothing has been said yet."""
        ...

    async def entries(self, after: int) -> list[Entry]: ...

    async def send(self, content: Any, id: str) -> None: ...

    async def outcome(self, message: str) -> Entry | None:
        """``status`` with ``result`` or ``error``; None when there is no reply yet."""
        ...

    async def asked(self) -> list[Asked]: ...

    async def decide(self, asked: Asked, approved: bool) -> None: ...

    async def close(self) -> None:
        """Hand over what is under way. What was said stays."""
        ...

    def hurry(self) -> None:
        """Somebody wants the end at once."""
        ...


def refuse_other(name: str, kind: str | None, listed: Sequence[str], where: str) -> None:
    """Raises UnknownFunction or Exit when it is no agent."""
    if kind == "agent":
        return
    agents = ", ".join(listed) or "none"
    if kind is None:
        raise UnknownFunction(f"{where} holds no agent {name!r}; its agents: {agents}")
    told = f"{name} is a {kind}, and only an agent can be talked to; agents: {agents}"
    from .view.command import command

    run = command("run", "FILE", name) if where.endswith(".py") else command("invoke", name)
    raise Exit(told, code=USAGE, advice=f"{run} runs it.")


@asynccontextmanager
async def here(agent: str, file: str, session: str, dsn: str) -> AsyncGenerator[Party]:
    """The session in this process, on the store."""
    from ..functions.http.schemas import input_schema
    from ..functions.invocation.loading import functions_of, kind_of, load, sound
    from ..functions.runtime import Runtime
    from .announcing import model

    functions = sound(functions_of(load(Path(file))))
    agents = [name for name, function in functions.items() if kind_of(function) == "agent"]
    refuse_other(agent, kind_of(functions.get(agent)), agents, file)
    served = functions[agent]
    async with Runtime(functions, dsn) as runtime:
        yield _Here(runtime, agent, session, model(served), input_schema(served))


class _Here:
    def __init__(self, runtime: Runtime, agent: str, session: str, model: str, input: Mapping[str, Any]) -> None:
        self.execution = f"{agent}/{session}"
        self.model, self.input = model, input
        self._runtime, self._agent, self._session = runtime, agent, session

    async def state(self) -> State | None:
        head = await self._runtime.find(self.execution)
        return None if head is None else State(head.status, head.awaits, head.length)

    async def entries(self, after: int) -> list[Entry]:
        return [entry async for entry in self._runtime.entries(self.execution, after)]

    async def send(self, content: Any, id: str) -> None:
        await self._runtime.send(self._agent, self._session, content, id=id, by=by_default())

    async def outcome(self, message: str) -> Entry | None:
        from ..functions.http.outcome import reply_to

        return await reply_to(self._runtime, self.execution, message, 0)

    async def asked(self) -> list[Asked]:
        return await self._below(self.execution, DEEPEST)

    async def _below(self, id: str, depth: int) -> list[Asked]:
        found = [Asked(id, approval) for approval in await self._runtime.approvals(id)]
        children = await self._runtime.page(Filter(("waiting",), parent=id), limit=100) if depth else None
        for head in children.heads if children is not None else ():
            found += await self._below(head.id, depth - 1)
        return found

    async def decide(self, asked: Asked, approved: bool) -> None:
        op, digest = str(asked.approval["op"]), str(asked.approval.get("digest") or "")
        await self._runtime.decide(asked.execution, op, approved, by=by_default(), digest=digest)

    async def close(self) -> None:
        await self._runtime.close()

    def hurry(self) -> None:
        self._runtime.engine.ending.hurry()


@asynccontextmanager
async def there(agent: str, session: str, url: str, token: str) -> AsyncGenerator[Party]:
    """The session on a running server."""
    from .server import Server

    with Server(url, token) as server:
        answer = await _first(server, agent)
        with server.understood():
            kinds = {str(item["name"]): item for item in cast("list[Entry]", answer.json()["functions"])}
            agents = [name for name, item in kinds.items() if item["kind"] == "agent"]
        refuse_other(agent, kinds.get(agent, {}).get("kind"), agents, url)
        yield _There(server, agent, session, kinds[agent].get("input") or {})


async def _first(server: Server, agent: str) -> httpx.Response:
    try:
        return await asyncio.to_thread(server.ask, "GET", "/functions")
    except Exit as error:
        if error.code != UNAVAILABLE:
            raise
        from .view.command import command

        here = command("chat", agent, "FILE")
        advice = f"With its file, {here} talks to it in this process; overwinter dev FILE starts a server."
        raise Exit(str(error), code=UNAVAILABLE, advice=advice) from None


class _There:
    model = ""

    def __init__(self, server: Server, agent: str, session: str, input: Mapping[str, Any]) -> None:
        from .server import segment

        self.execution = f"{agent}/{session}"
        self.input = input
        self._server = server
        self._place = "/".join(map(segment, self.execution.split("/")))
        self._session = f"/sessions/{segment(agent)}/{segment(session)}"

    async def _ask(self, method: str, place: str, body: Any = None, *, again: bool = True, **query: str) -> Any:
        answer = await asyncio.to_thread(self._server.ask, method, place, body, query=query, again=again)
        return answer.json() if answer.content else None

    async def state(self) -> State | None:
        try:
            head = await self._ask("GET", f"/executions/{self._place}")
        except Exit as refused:
            if refused.code != NOT_FOUND:
                raise
            return None
        return State(head["status"], head["awaits"], head["length"])

    async def entries(self, after: int) -> list[Entry]:
        found: list[Entry] = []
        while True:
            page = await self._ask("GET", f"/history/{self._place}", after=str(after + len(found)))
            found += page["entries"]
            if page["next"] is None:
                return found

    async def send(self, content: Any, id: str) -> None:
        body = {"content": content, "id": id, "by": by_default()}
        await asyncio.to_thread(self._server.ask, "POST", self._session, body, wait=0.0)

    async def outcome(self, message: str) -> Entry | None:
        found: Entry = await self._ask("GET", f"/messages/{self._place}", id=message)
        return None if found.get("status") == "running" else found

    async def asked(self) -> list[Asked]:
        return await self._below(self.execution, self._place, DEEPEST)

    async def _below(self, id: str, place: str, depth: int) -> list[Asked]:
        from .server import segment

        waiting = (await self._ask("GET", f"/approvals/{place}"))["approvals"]
        found = [Asked(id, approval) for approval in waiting]
        if depth:
            children = (await self._ask("GET", "/executions", parent=id, status="waiting"))["executions"]
            for head in children:
                below = "/".join(map(segment, str(head["id"]).split("/")))
                found += await self._below(head["id"], below, depth - 1)
        return found

    async def decide(self, asked: Asked, approved: bool) -> None:
        from .server import segment

        op, digest = asked.approval["op"], asked.approval.get("digest") or ""
        body = {"op": op, "approved": approved, "by": by_default(), "digest": digest}
        place = "/".join(map(segment, asked.execution.split("/")))
        try:
            await self._ask("POST", f"/decide/{place}", body)
        except Exit as refused:  # somebody else was faster
            raise InvalidInput(str(refused)) from None

    async def close(self) -> None:
        return None

    def hurry(self) -> None:
        return None


def is_over(status: str) -> bool:
    """Whether the session goes on by nothing that is said."""
    return status in FINAL or status in ("stuck", "paused")
