"""State machines that are named on the command line: a file of JSON or YAML, or one of Python and a name in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..state.errors import InvalidInput
from .definitions import STDIN, read_definition


def definition_of(file: str, name: str | None) -> tuple[str, Any]:
    """A name for it and its definition as a plain value, which has been checked. Raises InvalidInput."""
    if not file.endswith(".py"):
        from ..orchestrator.machine.definition.document import Unreadable
        from ..orchestrator.machine.validation.compiling import compiled

        try:
            document = read_definition(file)
        except Unreadable as error:
            raise InvalidInput(f"{file} can't be read: {error}") from None
        compiled(document)
        return name or ("machine" if file == STDIN else Path(file).stem), document.value
    from ..functions.invocation.loading import functions_of, load

    functions = functions_of(load(Path(file)))
    machines = [key for key, one in functions.items() if _machine(one)]
    if name is None:
        if len(machines) != 1:
            listed = f"these state machines: {', '.join(machines) or 'none'}"
            if not machines and (told := ", ".join(key for key, one in functions.items() if _tellable(one))):
                listed = f"no state machine, but patterns that can be told as one: {told}"
            raise InvalidInput(f"say which one: {file} holds {listed}")
        name = machines[0]
    if name not in functions:
        raise InvalidInput(f"{file} holds no {name!r}; there are {', '.join(functions)}")
    found = functions[name]
    if not _machine(found):
        from ..patterns import as_state_machine

        found = as_state_machine(found)
    return name, found.source


def _tellable(one: Any) -> bool:
    from ..patterns import as_state_machine

    try:
        as_state_machine(one)
    except InvalidInput:
        return False
    return True


def _machine(one: object) -> bool:
    return hasattr(one, "compiled") and hasattr(one, "source")
