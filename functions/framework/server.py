"""Agents, tools and workflows behind Functions Framework: one request in, one answer out.

A CloudEvent is answered with an event, a plain HTTP call with JSON; what is still going on after a while with
202. The request stays open while this process works for it, because a platform may freeze a process that
has none. A GET describes the function, so that HTTP probes succeed. docs/functions-framework.md has examples.

Executions elsewhere call it by its name, as they would call it at a server of overwinter (``elsewhere``).
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from ...orchestrator.engine.settings import Settings
from ...orchestrator.usercode.calling import alone
from ...orchestrator.usercode.threads import Threads
from ...state.errors import InvalidInput, UnknownFunction
from ...state.ids import check_id
from ...state.quantities import seconds, size
from ..events.http import Mode, mode_of, parse
from ..events.intake import PREFIX, Fate, Taken, arguments_of, checked_call, content_of, digest_of, take_for
from ..events.tracing import trace_of
from ..http.events import event_answer, failed, taken_in
from ..http.handshake import from_environment as handshake_of_environment
from ..http.outcome import answer_of, reply_to, result_of
from ..http.schemas import input_schema
from ..http.sweeping import Swept, sweep_for
from ..invocation.loading import functions_of, kind_of, reachable
from ..messages.answer import NO_CONTENT, Answer, Receive, Scope, Send, accepted, json_answer
from ..messages.media import essence
from ..messages.message import (
    header,
    idempotency_key,
    preference,
    read_body,
    read_json,
    read_model,
    read_text,
    refuse_compressed,
)
from ..messages.problem import Raised, Refused, answered, settle, status_of
from . import elsewhere
from .asked import Asked
from .process_runtime import ProcessRuntime
from .request import is_request

if TYPE_CHECKING:
    from ..runtime import Runtime

MAX_BODY = "4MB"
KEEP_OPEN = "240s"
"""How long a request stays open for its execution; OVERWINTER_WAIT sets another time."""


class Server:
    """Serves one function of one module. There is one for each target, made at its first request."""

    def __init__(self, served: Any, module: str) -> None:
        self.served = served
        self.name: str = served.name
        self.kind = kind_of(served)
        self._module = module
        self._handshake = handshake_of_environment()
        self._process = ProcessRuntime(self._functions)
        self._threads = Threads(Settings.threads, Settings.spare_threads)  # for tools, which need no runtime
        self.limit = size(MAX_BODY)
        self.keep_open = seconds(os.environ.get("OVERWINTER_WAIT", KEEP_OPEN))
        self._models = elsewhere.Models(self.keep_open, self.limit)
        if self.kind == "model":
            self._process.leaving = self._models.finish

    def _functions(self) -> dict[str, Any]:
        module = sys.modules.get(self._module)
        functions: dict[str, Any] = {} if module is None else functions_of(module)
        return functions if functions.get(self.name) is self.served else reachable([self.served])

    def flask(self, request: Any) -> tuple[bytes, int, list[tuple[str, str]]]:
        """Answer a Flask request, as the tuple that Flask takes."""
        limit = self.limit
        body: bytes = b"" if (request.content_length or 0) > limit else request.stream.read(limit + 1)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
        asked = Asked(request.method, request.path, request.query_string, headers, body, streams=False)
        answer = self._process.run(lambda: answered(self._within(asked, request.content_length or len(body))))
        return answer.body, answer.status, list(answer.headers)

    async def _within(self, asked: Asked, length: int) -> Answer:
        if max(length, len(asked.body)) > self.limit:
            raise Refused(413, f"the body is larger than {self.limit} bytes; send a reference to the data")
        refuse_compressed(asked.headers)
        return await self.answer(asked)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request as an ASGI application, which is what Starlette takes as a response."""

        async def work() -> Answer:
            body = await read_body(scope, receive, self.limit)
            return await self.answer(
                Asked(scope["method"], scope["path"], scope["query_string"], scope["headers"], body)
            )

        await (await answered(work()))(scope, receive, send)

    async def answer(self, asked: Asked) -> Answer:
        if asked.method in ("GET", "HEAD"):
            return await self._look(asked)
        if asked.method == "OPTIONS":
            return await self._handshake.answer(asked.headers)
        if asked.method != "POST":
            raise Refused(405, f"{asked.method} is not served; send POST", [("allow", "GET, HEAD, OPTIONS, POST")])
        mode = mode_of(asked.headers)
        if asked.path == "/sweep":
            swept = await self._sweep(asked)
            return json_answer(swept._asdict()) if mode is Mode.NONE else NO_CONTENT
        if mode is Mode.NONE and (meant := elsewhere.meant(asked.path)) is not None:
            elsewhere.check_name(meant.name, self.name)
            return await (self._ordered(asked) if meant.place == elsewhere.CALLS else self._modelled(asked, meant))
        if self.kind == "model":
            raise Refused(404, f"{self.name} is a model function; ask it at POST /models/{self.name}")
        if mode is not Mode.NONE:
            return await self._event(asked, mode)
        if self.kind == "tool":
            return json_answer(await self._invoke(arguments_of(read_json(asked.headers, asked.body))))
        session = asked.parameter("session")
        return await (self._start(asked) if session is None else self._message(asked, session))

    # -- plain HTTP ----------------------------------------------------------------------------------

    async def _look(self, asked: Asked) -> Answer:
        if asked.path.endswith(elsewhere.FUNCTIONS):
            from ..http.asking import described

            return json_answer({"functions": [described(self.name, self.served)]})
        id, message = asked.parameter("result"), asked.parameter("message")
        if not id or self.kind in ("tool", "model"):
            shown = {"function": self.name, "kind": self.kind, "input": input_schema(self.served)}
            return json_answer(shown)
        runtime = await self._process.runtime()
        wait = min(self.keep_open, preference(asked.headers).wait or 0.0)
        look = partial(reply_to, runtime, id, message) if message else partial(result_of, runtime, id)
        outcome = await look(0.0)
        if outcome is None and wait:
            outcome = await look(wait)
        return answer_of(outcome, _location(id, message or ""), {"id": id})

    async def _start(self, asked: Asked) -> Answer:
        runtime = await self._process.runtime()
        key = idempotency_key(asked.headers)
        id = asked.parameter("id")
        if id is None and key is not None:
            id = f"{self.name}-{digest_of(self.name, key)}"
        id = f"{self.name}-{secrets.token_hex(8)}" if id is None else check_id(id)
        caller = trace_of(asked.headers, traces=runtime.tracing is not None)
        given = read_json(asked.headers, asked.body)
        created = await runtime.order(runtime.engine.function(self.name), given, id=id, caller=caller)
        outcome = await self._outcome(runtime, Taken(Fate.ACCEPTED, self.name, id), asked, not created)
        return answer_of(outcome, _location(id), {"id": id})

    async def _message(self, asked: Asked, session: str) -> Answer:
        runtime = await self._process.runtime()
        if essence(header(asked.headers, b"content-type")) == "text/plain":
            content: Any = read_text(asked.headers, asked.body)
        else:
            content = content_of(read_json(asked.headers, asked.body))
        key = idempotency_key(asked.headers)
        id = None if key is None else digest_of(key)
        trace = trace_of(asked.headers, traces=runtime.tracing is not None)
        sent = await runtime.send(self.name, session, content, id=id, trace=trace)
        taken = Taken(Fate.ACCEPTED, self.name, sent.execution, sent.id)
        outcome = await self._outcome(runtime, taken, asked, sent.duplicate)
        pending = {"id": sent.execution, "message": sent.id}
        return answer_of(outcome, _location(sent.execution, sent.id), pending)

    # -- for executions elsewhere ---------------------------------------------------------------------

    async def _ordered(self, asked: Asked) -> Answer:
        from ..events.ordered import Ordered
        from ..http.called import carried_out

        ordered = read_model(Ordered, read_json(asked.headers, asked.body))
        runtime = await self._process.runtime()

        async def look(id: str) -> dict[str, Any] | None:
            return await self._outcome(runtime, Taken(Fate.ACCEPTED, self.name, id), asked)

        return await carried_out(runtime, self.name, ordered, look)

    async def _modelled(self, asked: Asked, meant: elsewhere.Meant) -> Answer:
        if self.kind != "model":
            raise UnknownFunction(f"{self.name!r} is a {self.kind}; call it at POST /calls/{self.name}")
        return await self._models.ask(await self._process.runtime(), meant, asked)

    # -- CloudEvents ---------------------------------------------------------------------------------

    async def _event(self, asked: Asked, mode: Mode) -> Answer:
        event = parse(asked.headers, asked.body)
        if self.kind == "tool":
            if event.type.startswith(PREFIX) and event.type != f"{PREFIX}call.{self.name}":
                return NO_CONTENT
            settled = await settle(self._invoke(arguments_of(event.data)))
            if settled.error is None:
                outcome = {"status": "completed", "result": settled.value}
            elif status_of(settled.error) != 422:
                raise settled.error  # the sender will try again, or keep the event for a person
            else:
                outcome = failed(settled.error.error if isinstance(settled.error, Raised) else settled.error)
            return event_answer(event, Taken(Fate.DONE, self.name), outcome, mode)
        runtime = await self._process.runtime()
        taken = await taken_in(take_for(runtime, self.name, event))
        if taken.fate is Fate.UNWANTED:
            return NO_CONTENT
        if taken.fate is Fate.SWEPT:
            await self._sweep(asked)
            return NO_CONTENT
        found = await self._outcome(runtime, taken, asked) if taken.function else None
        return accepted() if found is None else event_answer(event, taken, found, mode)

    # -- work ----------------------------------------------------------------------------------------

    async def _invoke(self, arguments: dict[str, Any]) -> Any:
        checked_call(self.served, arguments)
        thread = partial(self._threads.run, self.name) if self.served.threaded else None
        settled = await settle(self._called(arguments, thread))
        if settled.error is not None:
            raise Raised(settled.error) from settled.error
        return settled.value

    async def _called(self, arguments: dict[str, Any], thread: Any) -> Any:
        return self.served.write(await alone(partial(self.served.invoke, arguments), thread))

    async def _sweep(self, asked: Asked) -> Swept:
        wait = preference(asked.headers).wait
        left = self.keep_open if wait is None else min(self.keep_open, wait)
        return await sweep_for(await self._process.runtime(), left)

    async def _outcome(
        self, runtime: Runtime, taken: Taken, asked: Asked, again: bool = False
    ) -> dict[str, Any] | None:
        """The outcome, when it comes while this process works for it or the sender waits; else None. ``again``: it was
        asked for before, so it may be there."""
        wait = preference(asked.headers).wait
        left = self.keep_open if wait is None else min(self.keep_open, wait)
        look = partial(result_of, runtime, taken.execution)
        if taken.message:
            look = partial(reply_to, runtime, taken.execution, taken.message)
        within = 0.0 if again else min(left, 0.1)  # 0 looks once, however long that takes
        while left > 0 or again:
            settled = await settle(look(within))
            if settled.error is not None:
                if self._process.stopping:
                    return None  # the store has been closed; what was taken is durable in it
                raise settled.error
            if settled.value is not None:
                return settled.value
            if (self._process.stopping or wait is None) and not runtime.engine.works_for(taken.execution):
                return await look(0.0) if within and not self._process.stopping else None  # it may just have ended
            left, again, within = left - within, False, min(left - within, 1.0, max(0.1, within * 2))
        return None


def _location(id: str, message: str = "") -> str:
    return f"?result={quote(id, safe='')}" + (f"&message={quote(message, safe='')}" if message else "")


_making = threading.Lock()


def respond(served: Any, module: str, request: Any) -> Any:
    """What a target returns to the framework: a tuple for Flask, an ASGI application for Starlette."""
    server = server_of(served, module)
    return server.flask(request) if hasattr(request, "environ") else server


def server_of(served: Any, module: str) -> Server:
    """The server of a function, made once; it hangs on the function."""
    with _making:
        server = getattr(served, "_framework_server", None)
        if server is None:
            server = Server(served, module)
            served._framework_server = server
    return cast("Server", server)


def function_for(served: Any, *, module: str = "") -> FunctionType:
    """A plain function that Functions Framework takes as its target, for an agent or a model function.

    ``module`` is the name of the module whose functions the agent may call; by default it reaches its own
    tools and agents. Raises InvalidInput for what is no agent, tool, workflow or model function.
    """
    if kind_of(served) is None:
        raise InvalidInput(f"{served!r} is no agent, tool, workflow or model function, so it can't be served")

    def serve(request: Any) -> Any:
        if not is_request(request):
            raise UnknownFunction(f"{served.name} is served to Functions Framework here; send HTTP requests")
        return respond(served, module, request)

    serve.__name__ = serve.__qualname__ = str(served.name)
    serve.__module__ = module or serve.__module__
    serve.__overwinter__ = served  # type: ignore[attr-defined]  # functions carry what they serve
    return cast("FunctionType", serve)
