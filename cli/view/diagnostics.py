"""What is wrong with definitions, for people: the place as editors and terminals know it, what is wrong, which rule
that breaks, and what to do. States that only can't be reached because a target before them is wrong are named together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...orchestrator.machine.validation.rules import RULES
from .terminal import console
from .text import clean, counted, shorten

if TYPE_CHECKING:
    from rich.console import Console

    from ...orchestrator.machine.validation.diagnostic import Diagnostic

SHOWN = 200
STYLES = {"ERROR": "bold red", "WARNING": "yellow"}
WIDEST = 100


def show_diagnostics(found: Mapping[str, Sequence[Diagnostic]], errors: int, warnings: int) -> None:
    """All of it, file by file, and the sum."""
    from rich.text import Text

    out = console()
    listed = [(name, one) for name, of_file in found.items() for one in _gathered(of_file)]
    for name, one in listed[:SHOWN]:
        _show(out, clean(name), one)
    if len(listed) > SHOWN:
        out.print(Text(f"… and {len(listed) - SHOWN:,} more; --json lists all", "dim"))
    wrong = counted(errors, "error") if errors else "no errors" if warnings else "nothing is wrong"
    also = f", {counted(warnings, 'warning')}" if warnings else ""
    out.print(Text.assemble(f"{counted(len(found), 'file')}: ", (wrong, "bold red" if errors else "green"), also))


def _gathered(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """With one for all states that nothing leads to, when there are targets that are not there."""
    lost = [one for one in found if one.rule == "reachable"]
    if len(lost) < 2 or not any(one.rule == "targets" for one in found):
        return list(found)
    names = ", ".join(one.pointer.rpartition("/")[2] for one in lost)
    advice = "Most likely a target that is not there should lead to them."
    first = lost[0]._replace(message=f"nothing leads to {len(lost)} states: {names}", advice=advice)
    return [first if one is lost[0] else one for one in found if one not in lost[1:]]


def _show(out: Console, name: str, one: Diagnostic) -> None:
    from rich.padding import Padding
    from rich.text import Text

    place = name if one.line is None else f"{name}:{one.line}:{one.column}"
    head = Text.assemble((place, "bold"), ": ", (one.severity.lower(), STYLES[one.severity]), ": ", clean(one.message))
    out.print(head, soft_wrap=True)  # a place that is broken over two lines can't be clicked
    where = f"{shorten(clean(one.pointer), 300)} · " if one.pointer else ""
    lines = [Text(f"{where}{one.code}", "dim"), Text(RULES[one.rule], "dim")]
    lines += [Text(f"→ {clean(one.advice)}", "cyan")] if one.advice else []
    for line in lines:
        out.print(Padding(line, (0, 0, 0, 4), expand=False), width=min(out.width, WIDEST))
