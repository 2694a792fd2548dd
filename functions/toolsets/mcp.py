"""The tools of an MCP server, through the official SDK (``overwinter[mcp]``): a program on this machine, or an address.

The SDK is imported when the server is connected to, and never before. What the server lists is recorded and pinned for
a turn. A call goes out only while the server still has the tool as it was recorded; it carries its idempotency key, and
what it may do is what was declared here, since nobody else answers for what a server says of itself.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from ...orchestrator.usercode.reconciling import InDoubtRule
from ...orchestrator.usercode.resilience import Breaker, Retry
from ...security.redaction import holds_a_secret, names_a_secret
from ...state.errors import InvalidInput
from ...state.ids import check_name
from ...state.quantities import Duration, positive
from ..invocation.secrets import is_reference
from ..tools.tool import EFFECTS, Effect, Reconcile, Tool
from .mcp_asking import Answers, Elicit, Sample
from .mcp_connection import Connection
from .mcp_listing import listed_tools, read
from .mcp_place import Place
from .mcp_remote import Remote
from .source import UNASKED, Listed, Server
from .toolset import Toolset


class MCP(Toolset):
    """The tools of one MCP server: ``MCP("crm", "https://crm.example/mcp", token="env:CRM_TOKEN")``.

    - ``name``: under which what it lists is recorded. ``where``: the command that starts it, as a list; its address; or
      a server object of the SDK, in tests.
    - ``effect``: what calling a tool twice does, ``effects`` by the names of tools. Without a word a tool is
      irreversible: begun at most once. ``trust_hints=True`` takes the server's own word for those not named.
    - ``reconcile``: who says whether a call took effect, by the names of tools, which makes them reconcilable.
      ``in_doubt``: as that of ``@tool``. ``keys``: by the names of tools, the argument that gets the idempotency key,
      which models then don't see.
    - ``timeout`` bounds one call, ``timeouts`` by the names of tools. ``retry``, ``breaker``: as those of ``@tool``.
    - ``token``, ``headers``: what is sent to an address; ``env``: more variables for a command, ``cwd`` its folder.
      Secrets are told by reference, ``env:NAME`` or ``file:PATH``.
    - ``sampling``, ``elicitation``: async functions that answer when the server asks for a model or a person. Without
      one it is told that nobody answers.
    - ``required=False``: an agent goes on without it when it can't be reached.
    - ``idle``: how long a connection is kept that nobody uses.

    Raises InvalidInput for what can't be.
    """

    def __init__(
        self,
        name: str,
        where: str | Sequence[str] | object,
        *,
        effect: Effect = "irreversible",
        effects: Mapping[str, Effect] | None = None,
        reconcile: Mapping[str, Reconcile] | None = None,
        in_doubt: InDoubtRule = "fail",
        keys: Mapping[str, str] | None = None,
        trust_hints: bool = False,
        timeout: Duration = "60s",
        timeouts: Mapping[str, Duration] | None = None,
        retry: Retry | None = None,
        breaker: Breaker | None = None,
        token: str = "",
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        sampling: Sample | None = None,
        elicitation: Elicit | None = None,
        required: bool = True,
        idle: Duration = "5m",
    ) -> None:
        self.name = check_name(name, "MCP server", for_models=True)
        declared: tuple[Effect, ...] = (effect, *(effects or {}).values())
        for one in declared:
            if one not in EFFECTS:
                raise InvalidInput(f"MCP server {name!r}: effect {one!r} is unknown; it is one of {', '.join(EFFECTS)}")
        for bound in (timeout, *(timeouts or {}).values()):
            positive(bound, "timeout")
        for what, given in (("headers", headers or {}), ("env", env or {})):
            for key, value in given.items():
                if (names_a_secret(key) or holds_a_secret(key)) and not is_reference(value):
                    raise InvalidInput(
                        f"MCP server {name!r}: say in {what} where {key} lies, by env:NAME or file:PATH, not the "
                        "secret itself"
                    )
        if token and not is_reference(token):
            raise InvalidInput(f"MCP server {name!r}: say where its token lies, like env:CRM_TOKEN")
        self._place = Place(name, where, token, dict(headers or {}), dict(env or {}), cwd)
        self._answers = Answers(name, sampling, elicitation)
        self._effect: Effect = effect
        self._reconcile, self._keys = dict(reconcile or {}), dict(keys or {})
        self._in_doubt: InDoubtRule = in_doubt
        self._effects: dict[str, Effect] = {**(effects or {}), **dict.fromkeys(self._reconcile, "reconcilable")}
        self._trusts = trust_hints
        self._timeout, self._timeouts = timeout, dict(timeouts or {})
        self._retry, self._breaker = retry, breaker
        self._required, self._idle = required, positive(idle, "idle")
        self._connections: WeakKeyDictionary[AbstractEventLoop, Connection] = WeakKeyDictionary()
        self._source = self

    def __repr__(self) -> str:
        return f"MCP({self.name!r}, {self._place})"

    @property
    def servers(self) -> Sequence[Server]:
        return (self,)

    async def listing(self) -> dict[str, Any]:
        """What it offers now. Raises FunctionUnavailable, InvalidInput."""
        return await read(self.connection(), self.name, self._required, self._tool, self._named())

    def tools(self, listed: Listed = UNASKED) -> Sequence[Tool]:
        return [self._tool(tool) for tool in listed_tools(listed.get(self.name))]

    def connection(self) -> Connection:
        """That of this event loop. It is opened when it is first used, and again when it was lost."""
        loop = get_running_loop()
        found = self._connections.get(loop)
        if found is None:
            found = self._connections[loop] = Connection(self.name, self._place, self._answers, self._idle)
        return found

    async def close(self) -> None:
        """End the connection of this event loop. Whoever uses the server next opens another one."""
        found = self._connections.pop(get_running_loop(), None)
        if found is not None:
            await found.close()

    def _named(self) -> set[str]:
        return {*self._effects, *self._timeouts, *self._keys}

    def _tool(self, said: Mapping[str, Any]) -> Tool:
        name = str(said["tool"])
        effect: Effect = self._effects.get(name) or (self._hinted(said) if self._trusts else self._effect)
        once = effect == "irreversible"
        within = self._timeouts.get(name, self._timeout)
        return Tool(
            Remote(self.connection, self.name, name, str(said["digest"]), once=once, within=within),
            name=str(said["name"]),
            description=str(said["description"]),
            effect=effect,
            reconcile=self._reconcile.get(name),
            key=self._keys.get(name, ""),
            retry=None if once else self._retry,
            timeout=None if once else within,  # then it says itself that nobody knows
            breaker=self._breaker,
            in_doubt=self._in_doubt,
            schema=said["schema"],
        )

    def _hinted(self, said: Mapping[str, Any]) -> Effect:
        hints: Mapping[str, Any] = said.get("hints") or {}
        if hints.get("readOnlyHint") is True:
            return "pure"
        return "idempotent" if hints.get("idempotentHint") is True else self._effect
