"""What a definition may say and this release does not run: it is refused by name before anything begins."""

from __future__ import annotations

from collections.abc import Iterator

from .definition.flow import Flow
from .definition.states.map import Map
from .definition.states.parallel import Parallel
from .definition.states.task import Task
from .resolving import Table


def unsupported(flow: Flow, table: Table) -> Iterator[str]:
    """Sentences, one for each state of the flow and those within it."""
    for name, state in flow.states.items():
        if isinstance(state, Task):
            if why := table.refusal(state.resource):
                yield f"{name!r}: {why}; or say what {state.resource.text} means in resources="
        elif isinstance(state, Parallel):
            for branch in state.branches:
                yield from unsupported(branch, table)
        elif isinstance(state, Map):
            parts = {"ItemReader": state.reader, "ItemBatcher": state.batcher, "ResultWriter": state.writer}
            for field in (field for field, given in parts.items() if given is not None):
                yield f"{name!r}: {field} is not run here yet; give the items as a list"
            yield from unsupported(state.processor, table)
