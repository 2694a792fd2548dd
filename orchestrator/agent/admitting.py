"""Tool calls on their way to being made. What each needs first, in this order: it is a tool of the agent's, the
arguments fit, hooks have looked at it, who must approve it has; then it begins.
"""

from __future__ import annotations

from ...state.errors import InvalidInput
from . import deciding, handing, observations
from .budgeting import Budgeting
from .call import Call, Stage
from .children import child
from .hooking import Hooking
from .identity import identity
from .judging import Judge, Judged
from .run import Run
from .spec import AgentSpec, ToolSpec
from .turn import Turn


class Admitting:
    """Of the calls of one execution. ``first`` is the agent whose limits hold, ``budgets`` tells what they leave."""

    __slots__ = ("_budgets", "_first", "_hooking", "_judge", "_run")

    def __init__(self, run: Run, first: AgentSpec, judge: Judge, hooking: Hooking, budgets: Budgeting) -> None:
        self._run = run
        self._first = first
        self._judge = judge
        self._hooking = hooking
        self._budgets = budgets

    def waits(self, turn: Turn, call: Call) -> bool:
        """Whether a call must not go on before a hook has spoken, or what was said of such calls is read."""
        return self._hooking.waits(turn, call) or call.looking() in self._run.outbox

    def entry(self, offered: AgentSpec, turn: Turn, call: Call) -> Judged:
        """What must be written before the call can be made; None when it is ready, or ``waits``."""
        tool = offered.find(call.name)
        if tool is None:
            return self._judge.invented(turn, call, offered.tool_names())
        if (barred := self._judge.barred(turn, call, tool)) is not None or call.arguments is None:
            return barred
        if call.stage is Stage.ASKED:
            if handing.second(offered, turn, call):
                return call.told(handing.SECOND)
            if turn.refused and identity(call) in turn.refused:
                return call.told(observations.REPEATED)
            try:
                tool.check(call.arguments)
                if self._hooking.waits(turn, call):
                    return None
                if (stopped := self._hooking.stopped(call)) is not None:
                    return stopped
                rule = deciding.rule(call, tool, call.arguments)
            except InvalidInput as error:
                return call.told(observations.unfit(str(error), "") if not call.changed else observations.bent(error))
            if rule is not None and call.stands is None:
                if call.looking() not in self._run.outbox:
                    self._run.outbox.post(deciding.lookup(call, tool, rule, self._first.name))
                return None
            if rule is not None:
                return deciding.asked(turn, call, tool, rule, self._requester(), self._run.now())
        elif (anew := deciding.again(turn, call, tool, self._requester(), self._run.now())) is not None:
            return anew
        return self._begun(offered, turn, call, tool)

    def _begun(self, offered: AgentSpec, turn: Turn, call: Call, tool: ToolSpec) -> Judged:
        """The entry by which a call begins that is not the call of a function."""
        if key := offered.recalls(call.name):
            return call.told(self._run.kept.text(key))
        if tool.child:
            looks, lent = self._hooking.looks(call), self._budgets.share(self._run, turn, offered)
            return child(self._run.id, call, tool, call.arguments or {}, looks, lent)
        return handing.due(offered, self._run.thread, turn, call, self._first.limits)

    def _requester(self) -> deciding.Requester:
        return deciding.Requester(self._run.caller.get("by"), self._run.standings)
