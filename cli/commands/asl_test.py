"""``overwinter asl test``: cases of a definition, one state or the whole machine each, with mocks for what it calls.
Exit code 1 when something comes out otherwise than expected. Nothing is called, and nothing is stored.

``--json``: ``{"ok", "passed", "failed", "cases": [{name, passed, state?, line?, problem?, differences?: [{field,
pointer, expected?, actual?}], result?: {status, output?, error?, cause?, nextState?, inspectionData?, path?}}]}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..definitions import STDIN, read_definition, shown
from ..exits import FAILED, USAGE, Exit
from ..options import debug_option, json_option, text_option
from ..view.command import command

if TYPE_CHECKING:
    from ...orchestrator.machine.definition.document import Document
    from ...orchestrator.machine.trial.cases import Case
    from ...orchestrator.machine.trial.trying import Trials

JSON = (
    "--json: {ok, passed, failed, cases: [{name, passed, state, line, problem, differences: [{field, pointer, "
    "expected, actual}], result: {status, output, error, cause, nextState, inspectionData, path}}]}"
)


@click.command(epilog=JSON)
@click.argument("file", metavar="FILE")
@click.argument("cases", metavar="CASES")
@text_option("--case", help="Only the cases that have this in their names.")
@json_option
@debug_option
@click.pass_context
def test_command(ctx: click.Context, file: str, cases: str, case: str | None, as_json: bool) -> None:
    """Test a state machine: its states one by one, or the whole of it.

    FILE and CASES hold JSON, or YAML when they end in .yaml or .yml; - is standard input. CASES is a list of {name,
    state, input, context, variables, mock, mocks, expect}: docs/state-machines.md says more.
    """
    from ...orchestrator.machine.trial.cases import decide

    if file == cases == STDIN:
        raise Exit("only one of both can be standard input", code=USAGE)
    chosen = [one for one in _cases(cases) if case is None or case in one.name]
    if not chosen:
        raise Exit(f"no case of {shown(cases)} has {case!r} in its name", code=USAGE)
    trials = _trials(file)
    verdicts = [decide(trials, one) for one in chosen]
    failed = sum(not one.passed for one in verdicts)
    if as_json:
        from ..view.terminal import emit

        told = {"ok": not failed, "passed": len(verdicts) - failed, "failed": failed}
        emit({**told, "cases": [one.as_json() for one in verdicts]})
    else:
        from ..view.verdicts import show_verdicts

        show_verdicts(shown(cases), verdicts)
    ctx.exit(FAILED if failed else 0)


def _trials(file: str) -> Trials:
    from ...orchestrator.machine.trial.trying import Trials
    from ...state.errors import InvalidInput

    try:
        return Trials(_document(file))
    except InvalidInput as error:
        advice = f"{command('asl check', *([] if file == STDIN else [file]))} says all that is wrong."
        raise Exit(f"{shown(file)}: {error}", code=USAGE, advice=advice) from None


def _cases(file: str) -> Sequence[Case]:
    from ...orchestrator.machine.trial.cases import read_cases
    from ...state.errors import InvalidInput

    try:
        return read_cases(_document(file))
    except InvalidInput as error:
        raise Exit(f"{shown(file)}: {error}", code=USAGE) from None


def _document(file: str) -> Document:
    """Raises Exit when it can't be read."""
    from ...orchestrator.machine.definition.document import Unreadable

    try:
        return read_definition(file)
    except Unreadable as error:
        place = f":{error.mark.line}:{error.mark.column}" if error.mark is not None else ""
        raise Exit(f"{shown(file)}{place}: {error}", code=USAGE, advice=error.advice) from None
