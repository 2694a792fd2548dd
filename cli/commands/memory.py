"""``overwinter memory list|show|search|export|erase``: what agents remember beyond one conversation, and about whom.

``--json``: ``list`` an array of ``{"agent", "tenant", "user", "memories", "latest"}``; ``show`` and ``search`` one of
memories, ``{"agent", "tenant", "user", "id", "at", "text", "by"}``; ``export`` ``{"file", "memories"}``, ``erase``
``{"erased"}``. An export holds one such memory a line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .. import reach
from ..exits import USAGE, Exit
from ..options import json_option, store_option

if TYPE_CHECKING:
    from ...functions.memory.looking import Held, Wanted

Command = TypeVar("Command", bound=Callable[..., Any])
MEMORIES = "--json: [{agent, tenant, user, id, at, text, by}]"


@click.group("memory")
def memory_command() -> None:
    """What agents remember: by agent, tenant and user.

    Without --agent, --user or --tenant those of all are meant.
    """


def _whose(command: Command) -> Command:
    """``--agent``, ``--user`` and ``--tenant``."""
    for name, what in (("tenant", "a tenant"), ("user", "a user"), ("agent", "an agent, by the name of its Memory")):
        command = click.option(f"--{name}", default=None, metavar="NAME", help=f"Those of {what}.")(command)
    return command


def _wanted(agent: str | None, user: str | None, tenant: str | None) -> Wanted:
    from ...functions.memory.looking import Wanted

    return Wanted(agent, user, tenant)


@memory_command.command("list", epilog="--json: [{agent, tenant, user, memories, latest}]")
@_whose
@store_option
@json_option
def list_command(agent: str | None, user: str | None, tenant: str | None, store: str, as_json: bool) -> None:
    """Who is remembered, and how much."""
    from ...functions.memory.looking import held

    async def work() -> Sequence[Held]:
        async with reach.control(store) as control:
            return await held(control.store, _wanted(agent, user, tenant))

    found = reach.run(work())
    if as_json:
        from ..view.terminal import emit

        emit([{**one.scope._asdict(), "memories": one.memories, "latest": _time(one.latest)} for one in found])
        return
    rows = [(scope.agent, scope.tenant, scope.user, str(count), _time(latest)) for scope, count, latest in found]
    _table(("AGENT", "TENANT", "USER", "MEMORIES", "LATEST"), rows)


@memory_command.command("show", epilog=MEMORIES)
@_whose
@store_option
@json_option
def show_command(agent: str | None, user: str | None, tenant: str | None, store: str, as_json: bool) -> None:
    """The memories themselves, the oldest of each user first."""
    _tell(reach.run(_all(store, _wanted(agent, user, tenant))), as_json=as_json)


@memory_command.command("search", epilog=MEMORIES)
@click.argument("question")
@click.option("--most", default=5, show_default=True, type=click.IntRange(1), help="Of each agent and user.")
@_whose
@store_option
@json_option
def search_command(
    question: str, most: int, agent: str | None, user: str | None, tenant: str | None, store: str, as_json: bool
) -> None:
    """Memories with any of these words, the most fitting first. No model is asked."""
    from ...functions.memory.looking import as_json as shape
    from ...functions.memory.looking import search

    async def work() -> list[dict[str, Any]]:
        async with reach.control(store) as control:
            found = await search(control.store, _wanted(agent, user, tenant), question, most)
            return [shape(scope, entry) for scope, entry in found]

    _tell(reach.run(work()), as_json=as_json)


@memory_command.command("export", epilog="--json: {file, memories}")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@_whose
@store_option
@json_option
def export_command(
    file: Path, agent: str | None, user: str | None, tenant: str | None, store: str, as_json: bool
) -> None:
    """Write the memories to FILE (- is standard output), one JSON object a line, in the clear."""
    found = reach.run(_all(store, _wanted(agent, user, tenant)))
    from ..view.text import json_text

    text = "".join(json_text(memory) + "\n" for memory in found)
    if str(file) == "-":
        click.echo(text, nl=False)
        return
    try:
        file.touch(mode=0o600)
        file.write_text(text, "utf-8")
    except OSError as error:
        raise Exit(f"{file} can't be written ({error.strerror})", advice="Name another file, or - for stdout") from None
    if as_json:
        from ..view.terminal import emit

        emit({"file": str(file), "memories": len(found)})
        return
    click.echo(f"exported {_count(len(found))} to {file}")


@memory_command.command("erase", epilog="--json: {erased}")
@_whose
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this one; may be given several times.")
@click.option("--all", "everything", is_flag=True, help="Of all agents and users.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before erasing.")
@store_option
@json_option
def erase_command(
    agent: str | None,
    user: str | None,
    tenant: str | None,
    ids: Sequence[str],
    everything: bool,
    yes: bool,
    store: str,
    as_json: bool,
) -> None:
    """Erase memories for good, their vectors and the name they lie under too.

    What was said in conversations stays in the journals of their sessions, until those are deleted.
    """
    from ...functions.memory.looking import erase, held

    wanted = _wanted(agent, user, tenant)
    if not (any(wanted) or ids or everything):
        raise click.UsageError("say whose: --user, --agent or --tenant, an --id, or --all")

    async def work() -> int:
        async with reach.control(store) as control:
            await control.prepare()
            count = len(ids) or sum(one.memories for one in await held(control.store, wanted))
            if count and not yes:
                _confirm(count)
            return await erase(control.store, wanted, ids)

    erased = reach.run(work())
    if as_json:
        from ..view.terminal import emit

        emit({"erased": erased})
        return
    click.echo(f"erased {_count(erased)}")


async def _all(store: str, wanted: Wanted) -> list[dict[str, Any]]:
    from ...functions.memory.looking import as_json, memories

    async with reach.control(store) as control:
        return [as_json(scope, entry) async for scope, entry in memories(control.store, wanted)]


def _tell(found: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        from ..view.terminal import emit

        emit(list(found))
        return
    rows = [(one["agent"], one["tenant"], one["user"], one["id"], one["at"][:10], one["text"]) for one in found]
    _table(("AGENT", "TENANT", "USER", "ID", "SINCE", "TEXT"), rows)


def _confirm(count: int) -> None:
    from ..view.terminal import interactive

    question = f"erase {_count(count)} for good?"
    if not interactive():
        raise Exit(f"{question} There is nobody to ask", code=USAGE, advice="Add --yes to do it without asking.")
    click.confirm(question, abort=True, err=True)


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.text import Text

    from ..view.heads import table
    from ..view.terminal import console
    from ..view.text import clean

    out = console()
    if not rows:
        out.print(Text("nothing is remembered", "dim"))
        return
    cells = [[(clean(cell), "bold" if place == 0 else "") for place, cell in enumerate(row)] for row in rows]
    for line in table(list(names), cells, out.width):
        out.print(line)


def _count(number: int) -> str:
    from ..view.text import counted

    return counted(number, "memory", "memories")


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds") if at else ""
