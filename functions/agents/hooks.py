"""``Hook``: functions of the user's around the tool calls, the model calls and the runs of an agent. One sees what is
about to be done, or what came of it; it returns nothing to let it go on, or says what is to be done (``verdicts``).

When they are asked, and that each is asked once, is the loop's business (``orchestrator/agent/hooking.py`` and
``gating.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any, Literal, cast, get_args

from ...orchestrator.agent.around import ModelReply, ModelUse, RunUse
from ...orchestrator.agent.spec import Taking, ToolUse
from ...orchestrator.usercode.resilience import DEFAULT
from ...state.errors import InvalidInput
from .verdicts import answered, asked, said

Failing = Literal["refuse", "pass", "end"]
"""What it means that a hook has failed. refuse: as if it had refused · pass: it has nothing against it · end: the turn
ends with its error."""


Before = Callable[[ToolUse], Any]
"""Returns a Verdict, or an awaitable of one."""
After = Callable[[ToolUse, str], Any]
"""The same, of a call and what the model would read as its outcome."""
BeforeRun = Callable[[RunUse], Any]
AfterRun = Callable[[RunUse, Any], Any]
"""Of a run and its output, plain JSON."""
BeforeModel = Callable[[ModelUse], Any]
AfterModel = Callable[[ModelUse, ModelReply], Any]
_TOOLS = frozenset({"before_tool", "after_tool"})
Told = dict[str, Any] | None


class Hook:
    """Functions, plain or async, that are asked before something is done, or about what came of it:

    - of tool calls: ``before_tool(use)`` and ``after_tool(use, outcome)``, for the ``tools`` of those names, or all;
    - of model calls: ``before_model(use)`` and ``after_model(use, reply)``;
    - of a run, or of a session's answer to a message: ``before_run(run)`` and ``after_run(run, output)``.

    ``failing`` says what it means that one fails, after it was tried again where that may help. Raises InvalidInput."""

    policy = DEFAULT

    def __init__(
        self,
        before_tool: Before | None = None,
        after_tool: After | None = None,
        *,
        before_run: BeforeRun | None = None,
        before_model: BeforeModel | None = None,
        after_model: AfterModel | None = None,
        after_run: AfterRun | None = None,
        tools: Collection[str] | None = None,
        failing: Failing = "refuse",
        name: str = "",
    ) -> None:
        given: dict[str, Callable[..., Any] | None] = {
            "before_tool": before_tool, "after_tool": after_tool, "before_run": before_run,
            "before_model": before_model, "after_model": after_model, "after_run": after_run,
        }  # fmt: skip
        self._given = {place: function for place, function in given.items() if function is not None}
        if not self._given or not all(map(callable, self._given.values())):
            raise InvalidInput("Hook takes functions: Hook(before_tool=check), Hook(after_model=redact), or several")
        if failing not in get_args(Failing):
            raise InvalidInput(f"failing={failing!r:.40} is unknown; it is one of {', '.join(get_args(Failing))}")
        if isinstance(tools, str):
            raise InvalidInput(f"Hook(tools=…) takes names in a list: tools=[{tools!r}]")
        self.tools = None if tools is None else frozenset(tools)
        self.failing: str = failing
        self.name = name or str(getattr(next(iter(self._given.values())), "__name__", "hook"))
        self.places = frozenset(self._given) - _TOOLS

    @property
    def looks_before(self) -> bool:
        return "before_tool" in self._given

    @property
    def looks_after(self) -> bool:
        return "after_tool" in self._given

    def threaded(self, place: str) -> bool:
        return not _asynchronous(self._given[place])

    def minds(self, tool: str) -> bool:
        return self.tools is None or tool in self.tools

    def before(self, use: ToolUse) -> Callable[[], Any]:
        return self._work("before_tool", lambda: (use,))

    def after(self, use: ToolUse, outcome: str) -> Callable[[], Any]:
        return self._work("after_tool", lambda: (use, outcome))

    def begin(self, run: RunUse, fits: Taking, finish: Taking) -> Callable[[], Any]:
        takes = {"change": fits, "skip": finish}
        return self._work("before_run", lambda: (run,), lambda told, given: self._fit(told, takes))

    def ask(self, use: Callable[[], ModelUse]) -> Callable[[], Any]:
        return self._work("before_model", lambda: (use(),), lambda told, given: asked(self.name, told, given[0]))

    def answer(self, use: Callable[[], ModelUse], reply: ModelReply) -> Callable[[], Any]:
        return self._work("after_model", lambda: (use(), reply), lambda told, given: answered(self.name, told))

    def end(self, run: RunUse, output: Any, finish: Taking) -> Callable[[], Any]:
        return self._work("after_run", lambda: (run, output), lambda told, given: self._fit(told, {"change": finish}))

    def _fit(self, told: Told, takes: Mapping[str, Taking]) -> Told:
        """What is said of an input or an output must be one."""
        for kind, take in takes.items():
            if told is not None and kind in told:
                try:
                    return {kind: take(told[kind])}
                except InvalidInput as error:
                    raise InvalidInput(f"what the hook {self.name!r} gives does not fit: {error}") from None
        return told

    def _work(
        self,
        place: str,
        of: Callable[[], tuple[Any, ...]],
        read: Callable[[Told, tuple[Any, ...]], Told] = lambda told, given: told,
    ) -> Callable[[], Any]:
        """Asks the function of that place of what ``of`` gives; ``read`` makes plain JSON of what is its own there."""
        function = self._given[place]

        def in_thread() -> Any:
            given = _apart(of())
            return read(said(self.name, place, function(*given)), given)

        async def on_loop() -> Any:
            given = _apart(of())
            told = function(*given)
            return read(said(self.name, place, await told if hasattr(told, "__await__") else told), given)

        return in_thread if self.threaded(place) else on_loop


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


def _apart(value: Any) -> Any:
    """A copy of all that could be changed in it: what a hook does to what it is shown changes nothing, and one that is
    tried again is shown the same."""
    if isinstance(value, dict):
        return {name: _apart(each) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]  # of anything
    if isinstance(value, (list, tuple)):
        several = [_apart(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        return several if isinstance(value, list) else getattr(type(value), "_make", tuple)(several)  # pyright: ignore[reportUnknownArgumentType]
    return value
