"""``overwinter doctor``: is everything here that is needed, does the store work and how fast, and does anything
wait for help? Exit code 1 when a check failed; warnings alone are 0.

``--json``: ``{"ok": bool, "checks": [{"name", "state": "ok" | "warn" | "fail", "detail", "advice"}…]}``.
"""

from __future__ import annotations

import click

from ...security.redaction import redacted
from .. import reach
from ..checks import Check, local_checks
from ..environment import env_file_option, tell_environment
from ..exits import FAILED
from ..options import json_option, store_option

MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "bold red")}


JSON = "--json: {ok, checks: [{name, state: ok, warn or fail, detail, advice}]}"


@click.command(epilog=JSON)
@click.argument("file", required=False, is_eager=True, type=click.Path(dir_okay=False))
@env_file_option(looks=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="The server's port.")
@store_option
@json_option
@click.pass_context
def doctor_command(ctx: click.Context, file: str | None, host: str, port: int, store: str, as_json: bool) -> None:
    """Check Python, SQLite, the store, its executions, the server's port, and FILE when given."""
    from ..store_checks import store_checks

    if not as_json:
        tell_environment()
    found = [*local_checks(file, host, port), *reach.run(store_checks(store))]
    found = [check._replace(detail=redacted(check.detail), advice=redacted(check.advice)) for check in found]
    failed = any(check.state == "fail" for check in found)
    if as_json:
        from ..view.terminal import emit

        emit({"ok": not failed, "checks": [check._asdict() for check in found]})
    else:
        _print(found)
    ctx.exit(FAILED if failed else 0)


def _print(found: list[Check]) -> None:
    from rich.text import Text

    from ..view.terminal import console
    from ..view.text import clean

    out = console()
    width = max(len(check.name) for check in found)
    for check in found:
        mark, style = MARKS[check.state]
        line = Text.assemble((f"{mark} ", style), (f"{check.name:<{width}}  ", "bold"), clean(check.detail))
        out.print(line, soft_wrap=True)
        if check.advice:
            out.print(Text.assemble(" " * (width + 4), ("→ ", "dim"), (clean(check.advice), style)), soft_wrap=True)
    count = {state: sum(check.state == state for check in found) for state in MARKS}
    summed = f"{count['ok']} fine" + (f", {count['warn']} to look at" if count["warn"] else "")
    summed += f", {count['fail']} failed" if count["fail"] else ""
    out.print(Text(f"\n{summed}", "dim" if not count["fail"] else "bold red"))
