"""The call of a tool as it is ordered: made here, or sent to the process where it lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..governance.approvals.changed import unless
from ..protocol.decider import Away, Fact, Invoke
from .call import Call
from .spec import ToolSpec


def invocation(call: Call, tool: ToolSpec, away: Callable[[], Away], more: Fact, caller: Mapping[str, Any]) -> Invoke:
    """``away`` tells what goes along with one that is sent; ``more`` is what its outcome says beside."""
    elsewhere = tool.elsewhere
    here = elsewhere is None
    arguments = call.arguments or {}
    work = partial(tool.invoke if here else tool.send, arguments)
    policy = tool.policy if elsewhere is None else elsewhere
    made = Invoke(
        call.op, tool.name, "tool", work, tool.threaded and here, policy, {"call": call.id, **more},
        write=tool.write, away=None if here else away(), caller=caller, given=partial(dict, arguments),
        pure=tool.pure,
    )  # fmt: skip
    proposal = call.proposal if call.approved else None
    return made if proposal is None else unless(made, proposal.version, tool.version)
