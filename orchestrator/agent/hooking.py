"""Functions of the user's around a tool call: what they say before it is made and about its outcome.

Each is asked once, as a step that is recorded (``hook``, op ``tn.mk.i.b1`` before and ``tn.mk.i.a1`` after): a replay
reads what it said. What it says is ``null`` (go on) or one of ``{"change"}`` (other arguments, or another outcome),
``{"skip"}`` (the call is not made; this is its result), ``{"guide"}`` (what the model is told), ``{"ask"}`` (the role
that must approve, the first that is named, in the place of the tool's own) and ``{"refuse"}``. The entry says too what
it means when the hook fails (``failing``).

The order is: the arguments fit, hooks in their order (what one has changed must fit again), approval, call. An approval
is of what the hooks have made of the arguments, and nothing changes them after it.
"""

from __future__ import annotations

from typing import Any

from ...state.codec import copied
from ...state.errors import Denied
from ..errors.groups import text_in
from ..protocol.decider import Fact, Invoke
from . import observations
from .call import Call, Stage
from .judging import Failed, Judged
from .spec import AgentSpec, HookSpec, ToolUse
from .turn import Turn

PASS, REFUSE, END = "pass", "refuse", "end"
"""What it means that a hook has failed: it has nothing against the call, it refuses it, or the turn ends."""


class Hooking:
    """Of the tool calls of one agent."""

    __slots__ = ("_spec",)

    def __init__(self, spec: AgentSpec) -> None:
        self._spec = spec

    def waits(self, turn: Turn, call: Call) -> bool:
        """Whether a call must not go on before a hook has spoken. One that has begun is over that: hooks that came
        with newer code are too late for it."""
        if call.stage is not Stage.ASKED or call.verdict is not None or call.op in turn.marks:
            return False
        return call.heard < len(self._before(call))

    def stopped(self, call: Call) -> Judged:
        """What a hook has made of a call; None when it goes on."""
        verdict = call.verdict or {}
        if "end" in verdict:
            return Failed(verdict["end"])
        if "skip" in verdict:
            return call.told(observations.text_of(verdict["skip"]))
        if "guide" in verdict:
            return call.told(observations.text_of(f"The call was not made. {verdict['guide']}"))
        if "refuse" in verdict:
            return call.told(_refused(verdict["refuse"]))
        return None

    def shown(self, call: Call) -> Judged:
        """What becomes of an outcome that hooks look at, when there is none left to do that; None: one is to speak."""
        if call.verdict is not None and "end" in call.verdict:
            return Failed(call.verdict["end"])
        return None if call.viewed < len(self._after(call)) else call.told(call.content)

    def due(self, turn: Turn) -> list[Invoke]:
        """The hooks to be asked now: one of each call."""
        found: list[Invoke] = []
        for call in turn.calls.values():
            if self.waits(turn, call):
                hook = self._before(call)[call.heard]
                found.append(_asking(hook, call, "before_tool", hook.before(_use(call)), {}))
            elif call.stage is Stage.LOOKED and call.viewed < len(self._after(call)):
                hook = self._after(call)[call.viewed]
                last = {"last": True} if call.viewed + 1 == len(self._after(call)) else {}
                found.append(_asking(hook, call, "after_tool", hook.after(_use(call), call.content), last))
            if self._spec.parallel is False and call.stage is not Stage.DONE:
                break  # those behind it come when it is done
        return found

    def looks(self, call: Call) -> Fact:
        """What the order of a call says of hooks that are to look at its outcome."""
        count = len(self._after(call))
        return {"after": count} if count else {}

    def _before(self, call: Call) -> list[HookSpec]:
        return [hook for hook in self._spec.hooks if hook.looks_before and hook.minds(call.name)]

    def _after(self, call: Call) -> list[HookSpec]:
        return [hook for hook in self._spec.hooks if hook.looks_after and hook.minds(call.name)]


def said(entry: Fact, turn: Turn, call: Call, at: int) -> None:
    """Take in what a hook has said of a call, or that it has failed."""
    told = entry.get("value")
    verdict: Fact = dict(told) if isinstance(told, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
    if "error" in entry:
        verdict = failed(entry)
        if "end" in verdict:  # asked again when a person wants the turn tried again
            call.verdict = verdict
            return
    if call.stage is Stage.LOOKED:
        call.viewed += 1
        _of_outcome(call, verdict)
        if entry.get("last") or "refuse" in verdict:
            turn.settle(call, call.content, at)
        return
    call.heard += 1
    changed: Any = verdict.get("change")
    if isinstance(changed, dict):
        call.arguments, call.changed = changed, True
    elif "ask" in verdict:  # those after it are asked too
        call.asks = call.asks or str(verdict["ask"])
    elif verdict:
        call.verdict = verdict


def _of_outcome(call: Call, verdict: Fact) -> None:
    if "change" in verdict or "refuse" in verdict:
        call.parts = ()
    if "change" in verdict:
        call.content = observations.text_of(verdict["change"])
    elif "guide" in verdict:
        call.content = observations.text_of(f"{call.content}\n\n{verdict['guide']}")
    elif "refuse" in verdict:
        call.content = f"Error: {Denied.__name__}: the call was made, and its result is withheld: {verdict['refuse']}"


def failed(entry: Fact) -> Fact:
    """What it means that a hook has failed."""
    failing, error = entry.get("failing", REFUSE), entry["error"]
    if failing == PASS:
        return {}
    if failing == END:
        return {"end": {**error, "op": entry["op"]}}
    return {"refuse": f"the hook {entry.get('name', '')} has failed ({text_in(error)[:300]})"}


def _refused(why: object) -> str:
    return observations.text_of(f"Error: {Denied.__name__}: {why} The call was not carried out.")


def _use(call: Call) -> ToolUse:
    """A copy all through: what a hook does to it changes no call, since nothing would record that."""
    return ToolUse(call.name, copied(call.arguments or {}), call.id)


def _asking(hook: HookSpec, call: Call, place: str, work: Any, more: Fact) -> Invoke:
    extra = {"call": call.id, "failing": hook.failing, **more}
    return Invoke(call.hook(), hook.name, "hook", work, hook.threaded(place), hook.policy, extra)
