"""``Hook``: functions of the user's around the tool calls of an agent. One sees a call before it is made, with
arguments that fit, or its outcome before the model reads it; it returns nothing to let it go on, or says what is to be
done.

When they are asked, and that each is asked once, is the loop's business (``orchestrator/agent/hooking.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Literal, NamedTuple, cast, get_args

from ...orchestrator.agent.spec import ToolUse
from ...orchestrator.usercode.resilience import DEFAULT
from ...state.codec import stored
from ...state.errors import InvalidInput

Failing = Literal["refuse", "pass", "end"]
"""What it means that a hook has failed. refuse: the call is not made, or its outcome not shown · pass: it has nothing
against it · end: the turn ends with its error."""


class Change(NamedTuple):
    """Other arguments, as a mapping of all of them; or, after the call, another outcome for the model to read."""

    to: Any


class Skip(NamedTuple):
    """The call is not made; the model reads this as its result. Before it only."""

    result: Any


class Guide(NamedTuple):
    """Before: the call is not made, and the model is told this. After: it is told this beside the outcome."""

    text: str


class Ask(NamedTuple):
    """Somebody of that role must approve the call first, in the place of the tool's own role. Where several hooks ask,
    the first names it. Before it only."""

    role: str


class Refuse(NamedTuple):
    """The call is not made, or its outcome is withheld, and the model is told why."""

    why: str


Verdict = Change | Skip | Guide | Ask | Refuse | None
Before = Callable[[ToolUse], Any]
"""Returns a Verdict, or an awaitable of one."""
After = Callable[[ToolUse, str], Any]
"""The same, of a call and what the model would read as its outcome."""


class Hook:
    """Functions, plain or async, of tool calls: ``before_tool(use)`` and ``after_tool(use, outcome)``, for the tools of
    those names, or for all. ``failing`` says what it means that one fails, after it was tried again where that may
    help. Raises InvalidInput."""

    policy = DEFAULT

    def __init__(
        self,
        before_tool: Before | None = None,
        after_tool: After | None = None,
        *,
        tools: Collection[str] | None = None,
        failing: Failing = "refuse",
        name: str = "",
    ) -> None:
        given = [one for one in (before_tool, after_tool) if one is not None]
        if not given or not all(map(callable, given)):
            raise InvalidInput("Hook takes functions: Hook(before_tool=check), Hook(after_tool=redact), or both")
        if failing not in get_args(Failing):
            raise InvalidInput(f"failing={failing!r:.40} is unknown; it is one of {', '.join(get_args(Failing))}")
        if isinstance(tools, str):
            raise InvalidInput(f"Hook(tools=…) takes names in a list: tools=[{tools!r}]")
        self._before = before_tool
        self._after = after_tool
        self.tools = None if tools is None else frozenset(tools)
        self.failing: str = failing
        self.name = name or str(getattr(given[0], "__name__", "hook"))
        self.threaded = not any(map(_asynchronous, given))

    @property
    def looks_before(self) -> bool:
        return self._before is not None

    @property
    def looks_after(self) -> bool:
        return self._after is not None

    def minds(self, tool: str) -> bool:
        return self.tools is None or tool in self.tools

    def before(self, use: ToolUse) -> Callable[[], Any]:
        assert self._before is not None
        return self._work(partial(self._before, use), ("change", "skip", "guide", "ask", "refuse"))

    def after(self, use: ToolUse, outcome: str) -> Callable[[], Any]:
        assert self._after is not None
        return self._work(partial(self._after, use, outcome), ("change", "guide", "refuse"))

    def _work(self, function: Callable[[], Any], may: Sequence[str]) -> Callable[[], Any]:
        def in_thread() -> Any:
            return self._said(function(), may)

        async def on_loop() -> Any:
            told = function()
            return self._said(await told if hasattr(told, "__await__") else told, may)

        return in_thread if self.threaded else on_loop

    def _said(self, verdict: object, may: Sequence[str]) -> dict[str, Any] | None:
        if verdict is None:
            return None
        kind = type(verdict).__name__.lower()
        if not isinstance(verdict, (Change, Skip, Guide, Ask, Refuse)) or kind not in may:
            raise InvalidInput(
                f"the hook {self.name!r} returned {verdict!r:.80}; return None or one of "
                + ", ".join(word.capitalize() for word in may)
            )
        value = stored(verdict[0])
        if kind == "change" and "ask" in may and not isinstance(value, dict):
            raise InvalidInput(f"the hook {self.name!r} changes the arguments to {value!r:.80}; give a mapping of them")
        if kind in ("guide", "ask", "refuse") and (not isinstance(value, str) or not value.strip()):
            raise InvalidInput(f"the hook {self.name!r} returned {verdict!r:.80}, which says nothing; give it a text")
        return {kind: value}


def hooks(agent: str, given: Hook | Sequence[Hook]) -> tuple[Hook, ...]:
    """Those of an agent. Raises InvalidInput for what is none."""
    several = cast("Sequence[object]", given if isinstance(given, (list, tuple)) else (given,))
    for one in several:
        if not isinstance(one, Hook):
            raise InvalidInput(f"agent {agent!r}: {one!r:.80} is no Hook; write Hook(before_tool=…)")
    return tuple(cast("Sequence[Hook]", several))


def known_to(agent: str, several: Iterable[Hook], tools: Collection[str]) -> None:
    """Raises InvalidInput for names that the agent has no tools of."""
    for one in several:
        if missing := (one.tools or frozenset()) - set(tools):
            raise InvalidInput(
                f"agent {agent!r}: the hook {one.name!r} looks at {min(missing)!r}, which is no tool of it"
            )


def _asynchronous(function: Any) -> bool:
    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004  # the method itself is looked at
