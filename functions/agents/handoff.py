"""``Handoff``: one agent hands the conversation to another, as a tool that its model may call.

What follows from such a call is the loop's business (``orchestrator/agent/handing.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, Protocol, cast

from ...orchestrator.agent.leaving import Leaving
from ...orchestrator.governance.approvals.version import version_of
from ...orchestrator.usercode.calling import judged
from ...orchestrator.usercode.resilience import DEFAULT
from ...state.codec import Writer, adapter, stored, taker
from ...state.errors import InvalidInput
from ...state.formless import FORMLESS, INSTEAD, reason
from ...state.ids import check_name
from ...state.quantities import milliseconds
from ..framework.target import served
from ..models.port import ToolSchema
from ..tools.parameters import Schema, complaint
from ..tools.tool import APPROVAL_WITHIN

Keep = Literal["all", "last"] | Callable[[Leaving], str]
_NOTHING: Schema = {"type": "object", "properties": {}, "additionalProperties": False}


class Colleague(Protocol):
    """An agent that a conversation may be handed to."""

    name: str
    description: str
    input: Any
    output: Any

    @property
    def handoffs(self) -> tuple[Handoff, ...]: ...


class Handoff:
    """The conversation may go on with ``agent``: ``Agent(handoffs=[Handoff(billing, keep="last")])``.

    - ``name``, ``description``: of the tool that the model calls; by default ``transfer_to_NAME``, and what the agent
      says of itself.
    - ``keep``: what the other one reads of the conversation. "all" of it; the "last" message alone; or what a pure
      function makes of the rest (``Leaving``): the text that stands in its place. What it does not read leaves the
      window for whoever comes after it, too; the journal keeps it.
    - ``input``: a type with fields that the model fills in, such as a reason. The other one reads it.

    Raises InvalidInput for what can't work.
    """

    approval_within = milliseconds(APPROVAL_WITHIN)
    child = ""
    elsewhere = None
    most = None
    policy = DEFAULT
    threaded = False
    pure = False

    def __init__(
        self, agent: object, *, name: str | None = None, description: str = "", keep: Keep = "all", input: Any = None
    ) -> None:
        found = served(agent)
        if getattr(found, "kind", None) != "agent" or not hasattr(found, "handoffs"):
            raise InvalidInput(f"handoffs: {agent!r:.80} is no agent; a conversation can be handed to an Agent")
        if keep not in ("all", "last") and not callable(keep):
            raise InvalidInput(f'handoffs: keep={keep!r:.40} is unknown; it is "all", "last" or a function of Leaving')
        self.agent = cast("Colleague", found)
        self.to = self.agent.name
        self.name = check_name(f"transfer_to_{self.to}" if name is None else name, "handoff", for_models=True)
        self.description = description or self._told()
        self.input_type = input
        self.parameters = _NOTHING if input is None else _described(input, self.name)
        self._keep = keep

    def _told(self) -> str:
        said = f": {self.agent.description}" if self.agent.description else ""
        return f"Hand the conversation over to {self.to}{said}"

    def __repr__(self) -> str:
        return f"Handoff({self.to!r}, name={self.name!r})"

    @property
    def schema(self) -> ToolSchema:
        """What a model is told of it."""
        return ToolSchema(self.name, self.description, self.parameters)

    # -- as the loop sees it -------------------------------------------------------------------------

    def stands(self, leaving: Leaving, told: str) -> str | None:
        if self._keep == "all":
            return None
        if not callable(self._keep):
            return told
        keep = self._keep
        text: str = judged(lambda: keep(leaving), f"what {self.to} is to read can't be told")
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput(f"keep= of {self.name!r} returned {text!r:.80}; it is to return text")
        return text

    def check(self, arguments: dict[str, Any]) -> None:
        """Raises InvalidInput that names the fields."""
        if self.input_type is None:
            if arguments:
                raise InvalidInput(f"{self.name} takes no arguments")
            return
        try:
            taker(self.input_type)(arguments)
        except InvalidInput as error:
            cause = error.__cause__
            raise InvalidInput(complaint(cast("Any", cause)) if hasattr(cause, "errors") else str(error)) from None

    @property
    def version(self) -> str:
        """What an approval is bound to that a hook wants for a call."""
        return version_of(self.name, self.parameters, self.to, None)

    def rule(self, arguments: dict[str, Any]) -> None:
        return None

    def starts(self, arguments: dict[str, Any]) -> str:
        return self.child

    def input(self, arguments: dict[str, Any]) -> Any:
        return arguments

    @property
    def write(self) -> Writer:
        return stored

    async def send(self, arguments: dict[str, Any]) -> Any:
        raise InvalidInput(f"{self.name} hands a conversation over: it is not called")

    def invoke(self, arguments: dict[str, Any]) -> Any:
        raise InvalidInput(f"{self.name} hands a conversation over: it is not called")


def handoffs(agent: str, given: Iterable[object], taken: Collection[str]) -> dict[str, Handoff]:
    """Those of an agent, by the names of their tools; ``taken`` are names of other tools. Raises InvalidInput."""
    if not isinstance(given, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
        raise InvalidInput(f"handoffs={given!r:.80} is one; write handoffs=[…], a list of them")
    found: dict[str, Handoff] = {}
    for one in given:
        handoff = one if isinstance(one, Handoff) else Handoff(one)
        if handoff.to == agent:
            raise InvalidInput(f"agent {agent!r} can't hand a conversation to itself")
        if handoff.name in found or handoff.name in taken:
            raise InvalidInput(
                f"agent {agent!r} has two tools named {handoff.name!r}; give the handoff another name: "
                'Handoff(agent, name="…")'
            )
        found[handoff.name] = handoff
    return found


def team(first: Colleague) -> Mapping[str, Colleague]:
    """All agents that a conversation may come to, nearest first. Raises InvalidInput for two of one name."""
    found: dict[str, Colleague] = {}
    queue = deque([first])
    while queue:
        agent = queue.popleft()
        if agent.name in found:
            if found[agent.name] is not agent:
                raise InvalidInput(
                    f"two agents named {agent.name!r} may come to have one conversation; give one another name"
                )
            continue
        found[agent.name] = agent
        queue += [handoff.agent for handoff in agent.handoffs]
    return found


def unfit(first: Colleague) -> str:
    """Why a conversation with that agent could not go on with one of the others; "" when it could."""
    try:
        others = team(first)
    except InvalidInput as error:
        return str(error)
    for other in others.values():
        if lost := str(getattr(other, "lost", "")):
            return lost
        if other.input not in (str, Any, first.input):
            return (
                f"agent {first.name!r} may hand over to {other.name!r}, which takes {_named(other.input)} and not "
                f"{_named(first.input)}; give both one input type, or that one text"
            )
    return ""


def _named(annotation: Any) -> str:
    return str(getattr(annotation, "__name__", annotation))


def _described(input: Any, name: str) -> Schema:
    try:
        schema = adapter(input).json_schema()
    except FORMLESS as error:
        raise InvalidInput(f"input= of {name!r} can't be described to a model ({reason(error)}); {INSTEAD}") from None
    if schema.get("type") != "object" or "properties" not in schema:
        raise InvalidInput(f"input= of {name!r} is a type with fields, such as a model or a dataclass")
    return schema
