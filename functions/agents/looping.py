"""``loop_until``: an agent is asked again until what it gives is accepted, a bounded number of times.

It is a workflow: each round is an execution of the agent and each verdict a recorded step or an execution of the judge,
so a process that goes on elsewhere repeats none of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal, TypeVar, cast

from ...orchestrator.workflow.context import Context
from ...orchestrator.workflow.targets import Body, Served, durable_name, served
from ...state.codec import dumps, stored
from ...state.errors import Final, InvalidInput
from ...state.quantities import count
from ..workflow import workflow
from .shapes import fields

T = TypeVar("T")
Condition = Callable[..., Any]
"""A function, plain or async, of the answer, or of the answer and the task. True: it is accepted. False, or a text that
says what is wrong: it is not."""
_UNSAID = "It does not meet what is asked for."


@dataclass
class Attempt:
    """What a judge looks at: the task, the answer, and in which round it was given."""

    task: Any
    answer: Any
    round: int = 1


@dataclass
class Verdict:
    """What a judge says. ``feedback`` goes into the next round."""

    accepted: bool
    feedback: str = ""


class NotAccepted(Final):
    """No answer was accepted in ``rounds`` rounds. ``answer`` is the last one, ``feedback`` what was wrong with it."""

    def __init__(self, message: str = "", *, rounds: int = 0, feedback: str = "", answer: Any = None) -> None:
        super().__init__(message)
        self.rounds = rounds
        self.feedback = feedback
        self.answer = answer


def loop_until(
    agent: Served[T] | Body[T],
    until: Condition | Served[Any],
    *,
    most: int = 3,
    name: str = "",
    again: Callable[[Any, Any, str], Any] | None = None,
    otherwise: Literal["fail", "last"] = "fail",
) -> Callable[[Context, Any], Coroutine[Any, Any, T]]:
    """A workflow from what the agent takes to what it gives, served as ``name`` (default: ``AGENT-until``).

    - ``until``: a Condition; or a judge, an agent that takes text or an Attempt and whose output has ``accepted`` and
      ``feedback``, as Verdict has.
    - ``most``: rounds. When none was accepted it fails with NotAccepted, or gives the ``last`` answer (``otherwise``).
    - ``again``: a pure function of the task, the answer and the feedback that gives what is asked in the next round. By
      default all three in words, for an agent that takes text.

    Raises InvalidInput for what can't work.
    """
    worker = _durable(agent, "loop_until takes an agent or a workflow")
    try:
        rounds = count(most, 1, "most")
    except ValueError as error:
        raise InvalidInput(f"loop_until: {error}") from None
    if otherwise not in ("fail", "last"):
        raise InvalidInput(f'otherwise={otherwise!r:.40} is unknown; it is "fail" or "last"')
    takes = getattr(worker, "input", Any)
    if again is None and takes not in (str, Any):
        raise InvalidInput(
            f"loop_until: {worker.name!r} takes {getattr(takes, '__name__', takes)}; give again=, a function of the "
            "task, the answer and the feedback that says what it is asked in the next round"
        )
    ask = again or _in_words
    judged = _judge(until)

    async def loop(ctx: Context, task: Any) -> Any:
        asked, answer, feedback = task, None, ""
        for number in range(1, rounds + 1):
            ctx.status(f"round {number} of {rounds}")
            answer = await ctx.call(worker, asked)
            verdict = await judged(ctx, Attempt(task, answer, number))
            if verdict.accepted:
                return answer
            feedback = verdict.feedback or _UNSAID
            asked = ask(task, answer, feedback)
        if otherwise == "last":
            return answer
        message = f"no answer of {worker.name} was accepted in {rounds} rounds; the last time: {feedback[:1_000]}"
        raise NotAccepted(message, rounds=rounds, feedback=feedback, answer=stored(answer))

    loop.__name__ = loop.__qualname__ = name or f"{worker.name}-until"
    loop.__doc__ = str(getattr(worker, "description", "")) or f"Have {worker.name} work until its answer is accepted."
    loop.__annotations__["task"] = takes
    uses = [agent, until] if served(until) is not until or _is_durable(until) else [agent]
    output = getattr(worker, "outputs", None) or getattr(worker, "output", Any)
    made = workflow(name=loop.__name__, output=output, uses=uses)(loop)
    return cast("Callable[[Context, Any], Coroutine[Any, Any, T]]", made)


def _judge(until: Any) -> Callable[[Context, Attempt], Coroutine[Any, Any, Verdict]]:
    """How a verdict on an attempt is had."""
    if not _is_durable(until):
        return _condition(until)
    judge = served(until)
    gives = getattr(judge, "output", Any)
    known = fields(gives)
    if gives in (str, bool, int, float) or (known is not None and not {"accepted", "feedback"} <= known.keys()):
        raise InvalidInput(
            f"loop_until: the judge {judge.name!r} is to give a Verdict, or another type with accepted and feedback"
        )
    takes = getattr(judge, "input", Any)

    async def asked(ctx: Context, attempt: Attempt) -> Verdict:
        told = attempt if takes is not str else _told(attempt)
        found: Any = await ctx.call(until, told)
        if isinstance(found, dict):  # of a judge whose output has no type
            found = SimpleNamespace(**cast("dict[str, Any]", found))
        accepted = getattr(found, "accepted", None)
        if not isinstance(accepted, bool):
            raise InvalidInput(
                f"the judge {judge.name!r} gave {found!r:.80}, which is no Verdict; give it an output with accepted "
                "(true or false) and feedback"
            )
        return Verdict(accepted, str(getattr(found, "feedback", "") or ""))

    return asked


def _condition(until: Any) -> Callable[[Context, Attempt], Coroutine[Any, Any, Verdict]]:
    if not callable(until):
        raise InvalidInput(f"loop_until: {until!r:.80} is no condition; give a function of the answer, or a judge")
    try:
        needed = [one for one in inspect.signature(until).parameters.values() if one.default is one.empty]
    except ValueError:  # bool, and others that say nothing of what they take
        needed = []
    places = [one for one in needed if one.kind is not one.VAR_KEYWORD]
    if not 1 <= len(places) <= 2 or any(one.kind is one.KEYWORD_ONLY for one in places):
        raise InvalidInput("loop_until: a condition is a function of the answer, or of the answer and the task")

    async def asked(ctx: Context, attempt: Attempt) -> Verdict:
        given = (attempt.answer, attempt.task)[: len(places)]
        said: object = await ctx.step(until, *given)
        if not isinstance(said, (bool, str)):
            raise InvalidInput(
                f"the condition {getattr(until, '__name__', 'until')!r} returned {said!r:.80}; return True when the "
                "answer is accepted, else False or a text that says what is wrong"
            )
        return Verdict(said is True, said if isinstance(said, str) else "")

    return asked


def _durable(thing: object, what: str) -> Any:
    if not _is_durable(thing):
        raise InvalidInput(f"{what}, not {thing!r:.80}")
    return served(thing)


def _is_durable(thing: object) -> bool:
    return not isinstance(thing, str) and durable_name(thing) is not None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(stored(value))


def _told(attempt: Attempt) -> str:
    return f"The task:\n{_text(attempt.task)}\n\nThe answer to judge:\n{_text(attempt.answer)}"


def _in_words(task: Any, answer: Any, feedback: str) -> str:
    return (
        f"{_text(task)}\n\nYou have answered:\n{_text(answer)}\n\nThat was not accepted: {feedback}\n"
        "Answer again, with that corrected."
    )
