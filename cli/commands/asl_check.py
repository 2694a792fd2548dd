"""``overwinter asl check``: what is wrong with definitions of state machines. Exit code 1 when something is.

``--json``: ``{"ok", "errors", "warnings", "files": [{file, ok, diagnostics: [{severity, code, pointer, location, line,
column, message, rule, says, advice}]}]}``; ``says`` is the rule as a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from ..definitions import STDIN, read_definition, shown
from ..exits import FAILED
from ..options import debug_option, json_option

if TYPE_CHECKING:
    from ...orchestrator.machine.validation.diagnostic import Diagnostic

JSON = (
    "--json: {ok, errors, warnings, files: [{file, ok, diagnostics: [{severity, code, pointer, location, line, column, "
    "message, rule, says, advice}]}]}"
)


@click.command(epilog=JSON)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--aws", is_flag=True, help="Mind what AWS alone refuses, and its limits.")
@click.option("--express", is_flag=True, help="Check as an EXPRESS machine.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@json_option
@debug_option
@click.pass_context
def check_command(
    ctx: click.Context, files: Sequence[str], aws: bool, express: bool, strict: bool, as_json: bool
) -> None:
    """Say what is wrong with definitions of state machines.

    FILE holds JSON, or YAML when it ends in .yaml or .yml; - is standard input.
    """
    found = {name: _check(name, aws=aws, type="EXPRESS" if express else "STANDARD") for name in files}
    every = [one for of_file in found.values() for one in of_file]
    errors = sum(one.severity == "ERROR" for one in every)
    warnings = len(every) - errors
    failed = bool(errors or (strict and warnings))
    if as_json:
        from ..view.terminal import emit

        listed = [_file(name, of_file) for name, of_file in found.items()]
        emit({"ok": not failed, "errors": errors, "warnings": warnings, "files": listed})
    else:
        from ..view.diagnostics import show_diagnostics

        show_diagnostics({shown(name): of_file for name, of_file in found.items()}, errors, warnings)
    ctx.exit(FAILED if failed else 0)


def _check(name: str, *, aws: bool, type: Literal["STANDARD", "EXPRESS"]) -> list[Diagnostic]:
    from ...orchestrator.machine.definition.document import Unreadable
    from ...orchestrator.machine.validation.checking import check, unreadable

    try:
        document = read_definition(name)
    except Unreadable as error:
        return [unreadable(error)]
    return check(document, type=type, aws=aws)


def _file(name: str, found: Sequence[Diagnostic]) -> dict[str, Any]:
    from ...orchestrator.machine.validation.rules import RULES

    listed = [{**one._asdict(), "says": RULES[one.rule]} for one in found]
    for one in listed:
        del one["blocks"]
    file = None if name == STDIN else name
    return {"file": file, "ok": not any(one.severity == "ERROR" for one in found), "diagnostics": listed}
