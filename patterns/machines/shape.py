"""How a pattern's workflow is told as a state machine: ``as_state_machine(report)``.

A pattern says it with ``shaped`` when it makes its workflow, or with ``shapeless`` why it can't be said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ... import InvalidInput, StateMachine, asl

Flow = TypeVar("Flow", bound=Callable[..., Any])
_SHAPE = "__state_machine__"


def shaped(flow: Flow, make: Callable[[], asl.Definition]) -> Flow:
    """The workflow; ``make`` is asked when somebody wants the machine."""
    setattr(_durable(flow), _SHAPE, make)
    return flow


def shapeless(flow: Flow, why: str) -> Flow:
    """The workflow, and why it is no state machine."""
    setattr(_durable(flow), _SHAPE, why)
    return flow


def as_state_machine(pattern: Any, name: str | None = None) -> StateMachine:
    """The same as a state machine, with the same input and output: ``as_state_machine(report).source`` is its
    definition. It has the pattern's name unless it is given another.

    Raises InvalidInput with the reason for a pattern whose shape does not allow it, and for what is no pattern.
    """
    durable = _durable(pattern)
    made: Any = getattr(durable, _SHAPE, None)
    called = str(getattr(durable, "name", pattern))
    if made is None:
        raise InvalidInput(f"{called[:80]} is code, and code can't be told as a state machine; patterns can")
    if isinstance(made, str):
        raise InvalidInput(f"{called} can't be told as a state machine: {made}")
    return StateMachine(name or called, made(), input=durable.input, output=durable.output)


def _durable(flow: Any) -> Any:
    return getattr(flow, "__overwinter__", flow)
