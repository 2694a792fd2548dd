"""The call of a tool as it is ordered: made here, or sent to the process where it lives."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..protocol.decider import Away, Fact, Invoke
from .call import Call
from .spec import ToolSpec


def invocation(call: Call, tool: ToolSpec, away: Away, more: Fact, caller: Mapping[str, Any]) -> Invoke:
    """``away`` is what goes along with one that is sent; ``more`` what its outcome says beside."""
    here = tool.elsewhere is None
    arguments = call.arguments or {}
    work = partial(tool.invoke if here else tool.send, arguments)
    policy = tool.policy if tool.elsewhere is None else tool.elsewhere
    return Invoke(
        call.op, tool.name, "tool", work, tool.threaded and here, policy, {"call": call.id, **more},
        write=tool.write, away=None if here else away, caller=caller, given=partial(dict, arguments),
    )  # fmt: skip
