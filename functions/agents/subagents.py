"""``subagents``: a tool by which a model has others do a task by themselves: each starts fresh, with a conversation of
its own, and gives back its result and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from ...orchestrator.governance.approvals.version import version_of
from ...orchestrator.usercode.resilience import DEFAULT
from ...state.codec import Writer, stored
from ...state.errors import InvalidInput
from ...state.ids import check_name
from ...state.quantities import count, milliseconds
from ..framework.target import served
from ..tools.parameters import Schema
from ..tools.tool import APPROVAL_WITHIN
from .limits import Limits

GENERAL = "general"
_TOLD = """Have a sub-agent do a task by itself. It starts without anything of this conversation, so tell it all that it
must know and what to report; you get its report and nothing else. Tasks that don't need each other's results can be
given in one answer: they are done at the same time. The sub-agents are:
"""
_INSTRUCTIONS = (
    "You are given one task by another agent. Do it with your tools, and answer with what was asked for and nothing "
    "else: your answer is all that the other one will read."
)
_MOST = 32 * 1024
LONGEST_NAME = 64


class Subagents:
    """As it stands in ``tools=[…]`` of an agent; ``subagents`` makes it."""

    def __init__(
        self, agents: Mapping[str, object] | Iterable[object], general: bool, limits: Limits | None, depth: int,
        most: int | None, name: str,
    ) -> None:  # fmt: skip
        self.agents = _named(agents)
        self.general = general
        self.limits = limits
        try:
            self.depth = count(depth, 1, "depth")
            self.most = None if most is None else count(most, 1, "most")
        except ValueError as error:
            raise InvalidInput(f"subagents: {error}") from None
        self.name = check_name(name, "tool", for_models=True)
        if general and GENERAL in self.agents:
            raise InvalidInput(f"subagents: {GENERAL!r} is the one made of the agent's own tools; rename yours")
        if not general and not self.agents:
            raise InvalidInput("subagents: there are none; give agents, or general=True")

    def within(self) -> Subagents | None:
        """What the general one may delegate to; None: to nobody."""
        if self.depth == 1:
            return None
        return Subagents(self.agents, self.general, self.limits, self.depth - 1, self.most, self.name)


def subagents(
    agents: Mapping[str, object] | Iterable[object] = (),
    *,
    general: bool = True,
    limits: Limits | None = None,
    depth: int = 1,
    most: int | None = None,
    name: str = "task",
) -> Subagents:
    """The tool ``task(description, agent)`` for an agent's ``tools``.

    - ``agents``: those that may be given a task, by name or in a mapping of the names that the model reads.
    - ``general``: one more, made of the agent's own model and tools, ``limits`` its limits (default: the agent's).
    - ``depth``: how deep the general ones may be nested; with 1 it has no sub-agents itself.
    - ``most``: how many tasks may be given in one turn.

    Raises InvalidInput for what can't work.
    """
    return Subagents(agents, general, limits, depth, most, name)


class TaskTool:
    """The tool, once it is known whose it is. ``functions`` are the agents by the names that the model reads."""

    approval_within = milliseconds(APPROVAL_WITHIN)
    elsewhere = None
    policy = DEFAULT
    threaded = False
    pure = False
    lost = ""

    def __init__(self, said: Subagents, functions: Mapping[str, Any]) -> None:
        self.name = said.name
        self.most = said.most
        self.by_name = dict(functions)
        self.child = ", ".join(function.name for function in self.by_name.values())

    @property
    def functions(self) -> tuple[object, ...]:
        return tuple(self.by_name.values())

    @property
    def description(self) -> str:
        return _TOLD + "\n".join(f"- {name}: {_about(one)}" for name, one in self.by_name.items())

    @property
    def parameters(self) -> Schema:
        """JSON schema of the arguments object."""
        return {
            "type": "object",
            "properties": {
                "description": {"type": "string", "description": "the task, with all that is needed to do it"},
                "agent": {"type": "string", "enum": list(self.by_name), "description": "who is to do it"},
            },
            "required": ["description", "agent"],
            "additionalProperties": False,
        }

    def check(self, arguments: dict[str, Any]) -> None:
        """Raises InvalidInput that says what is wrong."""
        if set(arguments) != {"description", "agent"}:
            raise InvalidInput(f"{self.name} takes description and agent")
        if arguments["agent"] not in self.by_name:
            raise InvalidInput(f"there is no agent {arguments['agent']!r:.80}; there are {', '.join(self.by_name)}")
        self.input(arguments)

    @property
    def version(self) -> str:
        """What an approval is bound to that a hook wants for a call."""
        return version_of(self.name, self.parameters, self.child, None)

    def rule(self, arguments: dict[str, Any]) -> None:
        return None

    def starts(self, arguments: dict[str, Any]) -> str:
        return str(self.by_name[arguments["agent"]].name)

    def input(self, arguments: dict[str, Any]) -> Any:
        described = arguments["description"]
        if not isinstance(described, str) or not described.strip() or len(described) > _MOST:
            raise InvalidInput(f"description is the task as text, of at most {_MOST:,} characters")
        return self.by_name[arguments["agent"]].check(described)

    @property
    def write(self) -> Writer:
        return stored

    async def send(self, arguments: dict[str, Any]) -> Any:
        raise InvalidInput(f"{self.name} starts an agent: it is not called")

    def invoke(self, arguments: dict[str, Any]) -> Any:
        raise InvalidInput(f"{self.name} starts an agent: it is not called")


def delegating(
    agent: str, tools: Sequence[object], hooks: Sequence[object], made: Callable[..., Any]
) -> tuple[list[object], list[Any]]:
    """The tools of an agent with the tool of its sub-agents in place; and those that were ``made`` for that, which are
    as it is itself where nothing else is said. What looks at the agent's calls looks at those of these."""
    found: list[object] = []
    generals: list[Any] = []
    for thing in tools:
        if not isinstance(thing, Subagents):
            found.append(thing)
            continue
        several = dict(thing.agents)
        if thing.general:
            others: list[object] = [one for one in tools if not isinstance(one, Subagents)]
            if (deeper := thing.within()) is not None:
                others.append(deeper)
            own = {} if thing.limits is None else {"limits": thing.limits}
            if any(one.name == f"{agent}-{GENERAL}" for one in generals):
                raise InvalidInput(f"agent {agent!r} has two subagents() with a {GENERAL} one; give one general=False")
            if len(agent) + (len(GENERAL) + 1) * thing.depth > LONGEST_NAME:
                raise InvalidInput(
                    f"agent {agent!r}: the name of its {GENERAL} sub-agent gets longer than {LONGEST_NAME} characters, "
                    f"-{GENERAL} for each of depth={thing.depth}; give it a shorter name, or less depth"
                )
            about = "has the same tools as you; for anything that takes many steps"
            general = made(f"{agent}-{GENERAL}", instructions=_INSTRUCTIONS, tools=others, description=about, **own)
            general.hooks = tuple(hooks)
            generals.append(general)
            several[GENERAL] = general
        found.append(TaskTool(thing, several))
    return found, generals


def _named(agents: Mapping[str, object] | Iterable[object]) -> dict[str, Any]:
    pairs: Iterable[tuple[str, object]]
    if isinstance(agents, Mapping):
        pairs = cast("Mapping[str, object]", agents).items()
    else:
        if not isinstance(agents, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput(f"subagents({agents!r:.80}) is one; write subagents([…]), a list of them")
        pairs = ((str(getattr(served(one), "name", one)), one) for one in agents)
    found: dict[str, Any] = {}
    for name, one in pairs:
        it = served(one)
        if not hasattr(it, "decider") or not hasattr(it, "check"):
            raise InvalidInput(f"subagents: {one!r:.80} is no agent; give agents or workflows that take text")
        if getattr(it, "input", str) not in (str, Any):
            raise InvalidInput(f"subagents: {it.name!r} takes no text; give it to the agent as a tool of its own")
        if found.setdefault(name, it) is not it:
            raise InvalidInput(f"subagents: two are named {name!r}; give them in a mapping")
    return found


def _about(function: Any) -> str:
    said = getattr(function, "description", "") or getattr(getattr(function, "fn", None), "__doc__", "")
    return " ".join(str(said or f"the {function.kind} {function.name}").split())
