"""The call of a tool that lives in another process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..protocol.decider import Away, Invoke
from ..usercode.resilience import Policy
from .operation import Operation
from .run import Run


def away_call(
    run: Run,
    call: Operation[Any],
    asked: tuple[Any, dict[str, Any]],
    edited: dict[str, Any] | None,
    policy: Policy,
    branch: str,
) -> Invoke:
    """The call of a tool that lives elsewhere, ``asked`` for with these arguments. Its own policy is minded there;
    ``policy`` says how it is reached."""
    tool, arguments = asked
    caller: Mapping[str, Any] = run.origin.caller if run.origin is not None else {}
    approved = call.op.endswith(".1") and tool.approval is not None
    mark, renewed = getattr(tool, "mark", ""), run.renewed.get(call.op)
    if mark and renewed is not None:
        mark = f"{mark}~{renewed[1]}"  # after a ``retry`` it is another call
    away = Away(getattr(tool, "caller", run.function), caller.get("deadline"), approved, mark)
    more = {"branch": branch} if branch else {}
    made = arguments if edited is None else edited
    send, tell = partial(tool.send, made), partial(dict[str, Any], made)
    return Invoke(
        call.op,
        call.name,
        "step",
        send,
        False,
        policy,
        more,
        args=call.args,
        caller=caller,
        away=away,
        given=tell,
        pure=tool.pure,
        edited=edited,
    )
