"""``overwinter fork ID --at N``: another execution goes on from before a journal entry, and has no effects.

``--json``: ``{"id", "of"}``; ``id`` is the fork's.
"""

from __future__ import annotations

from pathlib import Path

import click

from .. import reach
from ..again import again
from ..options import by_default, complete_id, json_option, store_option


@click.command("fork", epilog="--json: {id, of}")
@click.argument("id", shell_complete=complete_id)
@click.option("--at", type=click.IntRange(2), metavar="N", help="The number of a journal entry (show --json).")
@click.option("--op", metavar="OP", help="Or an operation, as `show` has them.")
@click.option("--model", default="", metavar="NAME", help="Another model, of the agent's own or as provider/name.")
@click.option("--instructions", default="", metavar="TEXT|@FILE", help="Other instructions for the agent.")
@click.option("--by", default=None, help="Who asks; you, when not given.")
@store_option
@json_option
def fork_command(
    id: str, at: int | None, op: str | None, model: str, instructions: str, by: str | None, store: str, as_json: bool
) -> None:
    """Go on from a place in an execution, with the code of now, as another execution that has no effects.

    All before that entry is kept. What the other one has recorded answers the same calls; what it has not, and may
    change something, is not called.
    """
    if (at is None) == (op is None):
        raise click.UsageError("say where it goes on: --at N, the number of an entry, or --op OP, an operation")
    place = at if at is not None else str(op)
    said = _text(instructions)
    if instructions and not said:
        raise click.UsageError(f"--instructions: {instructions[1:]} is empty; leave it out to keep the agent's own")

    async def work() -> str:
        async with reach.control(store) as control:
            who = by_default() if by is None else by
            return await control.fork(id, place, model=model, instructions=said, by=who)

    made = reach.run(work())
    if as_json:
        from ..view.terminal import emit

        emit({"id": made, "of": id})
        return
    from ..view.command import command
    from ..view.terminal import say
    from ..view.text import clean

    say(f"{clean(made)} goes on from there, without effects")
    say(f"→ {again(command('show', made))}", style="dim")


def _text(given: str) -> str:
    """The text, or that of the file after an @."""
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"--instructions: {given[1:]} can't be read ({error})") from None
