"""What becomes of an answer that may be the last one: it is read, looked at by the agent's validators, and taken; or
the model is told what is wrong, as often as the limit on repairs allows.

An answer is final when it calls no tool, or only tools whose call is the answer. One that calls such a tool beside
others is not taken: it was given before their results were known. Pure, like the decider that asks: all that it goes by
is in the turn, and so in the journal. The validators alone are no logic: they are called as a step of its own
(``tn.mk.check``), and what they said is the entry ``check``: ``null``, ``{"value"}`` for another answer, ``{"retry"}``
for why not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from ...state.errors import InvalidInput, Refused
from ..errors.failures import Failure
from ..governance.usage import failure, unrepaired
from ..protocol.decider import Fact, Invoke
from . import observations
from .answer import Reading
from .call import Call, Stage
from .spec import AgentSpec, ToolSpec
from .turn import Found, Turn


class Taken(NamedTuple):
    """It is the answer, with what its entry says beside the value."""

    value: Any
    beside: Fact


class Failed(NamedTuple):
    """The turn ends with an error."""

    error: Failure


Judged = Taken | Failed | Fact | None
"""A Fact is what the model is told. None: the validators have not yet said."""


HOOK = "hook/"
"""With that begins the name of who has answered, when no model has, or not alone."""
_FREE = ("", "auto", "none")


class Judge:
    """Of the answers of one agent, within the limits of the one that the conversation began with."""

    __slots__ = ("_first", "_spec")

    def __init__(self, spec: AgentSpec, first: AgentSpec) -> None:
        self._spec = spec
        self._first = first

    def said(self, turn: Turn, reading: Reading) -> Judged:
        """An answer without tool calls."""
        if reading.refusal:
            return self._declined(turn, reading.refusal)
        if reading.malformed:
            return self._wrong(turn, observations.malformed(reading.malformed))
        if reading.cut:
            return self._wrong(turn, observations.CUT)
        if not reading.text.strip():
            return self._wrong(turn, observations.EMPTY)
        if uncalled := self._uncalled(turn, reading):
            return self._wrong(turn, uncalled)
        if turn.found is None:
            try:
                value = self._spec.parse(reading.text)
            except InvalidInput as error:
                return self._wrong(turn, observations.misfit(str(error)))
            turn.found = Found(value, {"said": turn.said} if value is reading.text else {})
        return self._checked(turn, turn.found)

    def finals(self, turn: Turn) -> list[Call]:
        """Calls of the last answer that give a final one, and have no outcome yet."""
        spec = self._spec
        return [call for call in turn.calls.values() if call.stage is Stage.ASKED and spec.concludes(call.name)]

    def called(self, turn: Turn, finals: list[Call]) -> Judged:
        """An answer with such calls."""
        first = finals[0]
        if turn.surplus or not all(self._spec.concludes(call.name) for call in turn.calls.values()):
            return first.told(observations.PREMATURE)
        if turn.faulted == turn.said:  # one of them was looked at already
            return first.told(observations.SPARE)
        if turn.reading is not None and (uncalled := self._uncalled(turn, turn.reading)):
            return self._wrong(turn, uncalled, first)
        problem = ""
        for call in finals if turn.found is None else ():
            try:
                turn.found = Found(self._concluded(call), {"call": call.op})
                break
            except InvalidInput as error:
                problem = problem or str(error)
        if turn.found is None:
            return self._wrong(turn, observations.unfit(problem, first.raw if first.arguments is None else ""), first)
        return self._checked(turn, turn.found)

    def unwanted(self, turn: Turn) -> bool:
        """Whether no tool is to be called in this turn."""
        return self._chosen(turn) == "none"

    def _uncalled(self, turn: Turn, reading: Reading) -> str:
        """What the model is told that has not called the tool it must call; "" when there is none. A hook may answer
        without it."""
        chosen = "" if reading.model.startswith(HOOK) else self._chosen(turn)
        return observations.uncalled("" if chosen == "required" else chosen) if chosen not in _FREE else ""

    def _chosen(self, turn: Turn) -> str:
        try:
            asked = turn.around.asked.asked(turn.asked_of, turn.within)
            return self._spec.offering(turn.tools).choice(turn.content, turn.offered, asked)
        except InvalidInput:  # newer code has another one, and who was asked could not know that
            return ""

    def invented(self, turn: Turn, call: Call, names: Sequence[str]) -> Judged:
        """A call of a tool that there is not: a repair, one for all such calls of an answer."""
        text = observations.unknown_tool(call.name, turn.offered or names)
        return call.told(text) if turn.faulted == turn.said else self._wrong(turn, text, call)

    def barred(self, turn: Turn, call: Call, tool: ToolSpec) -> Fact | None:
        """What the model is told of a call that can't be looked at any further."""
        if call.stage is Stage.ASKED and self.unwanted(turn):
            return call.told(observations.UNWANTED)
        if turn.within is not None and call.name not in turn.within:
            return call.told(observations.outside(call.name, turn.within))
        if tool.most is not None and call.nth > tool.most:
            return call.told(observations.spent(call.name, tool.most))
        return call.told(observations.unfit(call.problem, call.raw)) if call.arguments is None else None

    def check(self, turn: Turn) -> Invoke | None:
        """The call of the validators that is due."""
        checks, found = self._spec.checks, turn.found
        if checks is None or found is None or turn.verdict is not None:
            return None
        call = checks.call(found.value, turn.content)
        return Invoke(turn.checking(), checks.name, "check", call, checks.threaded, checks.policy)

    def _concluded(self, call: Call) -> Any:
        if call.arguments is None:
            raise InvalidInput(call.problem)
        return self._spec.conclude(call.name, call.raw if call.arguments else "{}")

    def _declined(self, turn: Turn, refusal: str) -> Judged:
        if not self._spec.typed:
            return Taken(refusal, {"refused": True})
        if turn.declined > 1:
            return Failed(failure(Refused, refusal))
        return _observed(turn, observations.DECLINED)

    def _checked(self, turn: Turn, found: Found) -> Judged:
        """An answer that fits, and what the validators make of it."""
        if self._spec.checks is None:
            return Taken(found.value, found.beside)
        verdict = turn.verdict
        if verdict is None:
            return None
        if "error" in verdict:
            return Failed({**verdict["error"], "op": turn.checking()})
        told = verdict.get("value")
        said = cast("Fact", told if isinstance(told, dict) else {})
        if "retry" in said:
            call = turn.calls.get(found.beside.get("call", ""))
            return self._wrong(turn, observations.sent_back(str(said["retry"]), tool=call is not None), call)
        if "value" in said:
            return Taken(said["value"], {key: op for key, op in found.beside.items() if key != "said"})
        return Taken(found.value, found.beside)

    def _wrong(self, turn: Turn, text: str, call: Call | None = None) -> Judged:
        """The model is to try again, if it may."""
        repair, limit = turn.repairs + 1, self._first.limits.repairs
        if limit is not None and repair > limit:
            return Failed(unrepaired(limit, text))
        told = _observed(turn, text) if call is None else call.told(text)
        return {**told, "repair": repair}


def _observed(turn: Turn, text: str) -> Fact:
    return {"type": "observed", "op": turn.said, "text": text}
