"""``overwinter dead-letters list|show|edit|send|drop``: events that a subscription could not take, and what is done
about them. Whoever serves the function carries out what is sent again.

``--json``: ``list`` an array of letters, ``show`` and ``edit`` one: ``{"id", "subscription", "function", "event",
"error", "attempts", "first", "last", "execution"?}``; ``send`` ``{"sent": [{"id", "execution"}], "refused":
[{"id", "error"}]}``, ``drop`` ``{"dropped": [id]}``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from .. import reach
from ..inputs import DATA, read_value
from ..options import json_option, store_option

if TYPE_CHECKING:
    from ...functions.bus.dead_letters import DeadLetter
    from ...functions.bus.sorting import Sorting


@click.group("dead-letters")
def dead_letters_command() -> None:
    """Events that a subscription could not take.

    Their data did not fit, they name no session, or what they began has failed for good. ID is a letter's id, or what
    it begins with.
    """


@asynccontextmanager
async def _sorting(store: str) -> AsyncGenerator[Sorting]:
    from ...functions.bus.outside import sorting

    async with reach.control(store) as control:
        await control.prepare()
        yield sorting(control.store, control.clock)


@dead_letters_command.command("list", epilog="--json: [{id, subscription, function, event, error, attempts, …}]")
@click.option("--subscription", default="", metavar="NAME", help="Those of one subscription.")
@store_option
@json_option
def list_command(subscription: str, store: str, as_json: bool) -> None:
    """All of them, the latest first."""

    async def work() -> Sequence[DeadLetter]:
        async with _sorting(store) as found:
            return await found.all(subscription)

    letters = reach.run(work())
    if as_json:
        from ..view.terminal import emit

        emit([letter.as_json() for letter in letters])
        return
    _table(letters)


@dead_letters_command.command("show", epilog="--json: {id, subscription, function, event, error, attempts, …}")
@click.argument("id")
@store_option
@json_option
def show_command(id: str, store: str, as_json: bool) -> None:
    """One of them: its event, and why it could not be taken."""

    async def work() -> DeadLetter:
        async with _sorting(store) as found:
            return await found.find(id)

    _show(reach.run(work()), as_json=as_json)


@dead_letters_command.command("edit", epilog="--json: {id, subscription, function, event, error, attempts, …}")
@click.argument("id")
@click.option("--event", default=None, metavar="JSON", help="The whole event in its place; - reads it from stdin.")
@click.option("--data", default=None, metavar="JSON", help="Other data, the rest as it is; - reads it from stdin.")
@store_option
@json_option
def edit_command(id: str, event: str | None, data: str | None, store: str, as_json: bool) -> None:
    """Put another event in its place, or other data into it, before it is sent again.

    Without --event and --data your editor is opened with the event.
    """
    from ...state.codec import loads
    from ...state.errors import InvalidInput

    if event is not None and data is not None:
        raise click.UsageError("give the whole --event, or its --data")

    async def work() -> DeadLetter:
        async with _sorting(store) as found:
            before = await found.find(id)
            if event is not None:
                return await found.edit(before.id, read_value(event, DATA))
            if data is not None:
                rest = {name: value for name, value in before.event.items() if name != "data_base64"}
                return await found.edit(before.id, {**rest, "data": read_value(data, DATA)})
            text = click.edit(_pretty(before.event), extension=".json")
            if text is None:
                return before
            try:
                return await found.edit(before.id, loads(text))
            except ValueError as error:
                raise InvalidInput(f"what was written is no JSON ({error}); nothing was changed") from None

    _show(reach.run(work()), as_json=as_json)


@dead_letters_command.command("send", epilog="--json: {sent: [{id, execution}], refused: [{id, error}]}")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of them, or all of --subscription.")
@click.option("--subscription", default="", metavar="NAME", help="With --all: those of one subscription.")
@store_option
@json_option
def send_command(ids: Sequence[str], everything: bool, subscription: str, store: str, as_json: bool) -> None:
    """Give them to their subscriptions once more. What can't be taken now either stays, and holds up none behind it."""
    from ...state.errors import InvalidInput
    from ..exits import USAGE, Exit

    sent: list[dict[str, str]] = []
    refused: list[dict[str, str]] = []

    async def work() -> None:
        async with _sorting(store) as found:
            for letter in await _wanted(found, ids, subscription):
                try:
                    sent.append({"id": letter.id, "execution": await found.send(letter.id)})
                except InvalidInput as error:
                    refused.append({"id": letter.id, "error": str(error)})

    _check(ids, everything)
    try:
        reach.run(work())
    except BaseException:  # the store went away in the middle: what was sent is sent
        if sent or refused:
            _told(sent, refused, as_json=as_json)
        raise
    _told(sent, refused, as_json=as_json)
    if refused:
        raise Exit("what was not sent does not fit now either, and stays: overwinter dead-letters edit", code=USAGE)


def _told(sent: Sequence[dict[str, str]], refused: Sequence[dict[str, str]], *, as_json: bool) -> None:
    from ..view.terminal import emit, say
    from ..view.text import counted

    if as_json:
        emit({"sent": sent, "refused": refused})
        return
    for one in sent:
        say(f"sent {one['id']} to {one['execution']}")
    for one in refused:
        say(f"not sent {one['id']}: {one['error']}", style="red")
    if not sent and not refused:
        say(f"{counted(0, 'dead letter')}: nothing to send")


@dead_letters_command.command("drop", epilog="--json: {dropped: [id]}")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of them, or all of --subscription.")
@click.option("--subscription", default="", metavar="NAME", help="With --all: those of one subscription.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before all are dropped.")
@store_option
@json_option
def drop_command(ids: Sequence[str], everything: bool, subscription: str, yes: bool, store: str, as_json: bool) -> None:
    """Forget them. What an execution recorded stays in its journal."""

    async def work() -> list[str]:
        async with _sorting(store) as found:
            wanted = await _wanted(found, ids, subscription)
            for letter in wanted:
                await found.drop(letter.id)
            return [letter.id for letter in wanted]

    _check(ids, everything)
    if everything and not yes:
        click.confirm(f"Drop all dead letters{f' of {subscription}' if subscription else ''}?", abort=True, err=True)
    dropped = reach.run(work())
    from ..view.terminal import emit, say
    from ..view.text import counted

    if as_json:
        emit({"dropped": dropped})
        return
    say(f"{counted(len(dropped), 'dead letter')} dropped")


def _check(ids: Sequence[str], everything: bool) -> None:
    if bool(ids) == everything:
        raise click.UsageError("name dead letters by their ids, or take --all")


async def _wanted(found: Sorting, ids: Sequence[str], subscription: str) -> list[DeadLetter]:
    if not ids:
        return list(await found.all(subscription))
    return list({letter.id: letter for letter in [await found.find(id) for id in ids]}.values())  # each once


def _show(letter: DeadLetter, *, as_json: bool) -> None:
    from ..view.terminal import emit, show
    from ..view.text import clean, clean_lines, counted

    if as_json:
        emit(letter.as_json())
        return
    from rich.text import Text

    from ..view.moments import clock

    show(
        Text(clean(letter.id), "bold"),
        Text(f"for {clean(letter.subscription)} (function {clean(letter.function)}), "
             f"{counted(letter.attempts, 'attempt')}, the last {clock(letter.last)}"),
        Text(clean(letter.reason), "red"),
        Text(clean_lines(_pretty(letter.event))),
    )  # fmt: skip


def _pretty(event: Any) -> str:
    from ..view.text import json_text

    return json_text(event, indent=2)


def _table(letters: Sequence[DeadLetter]) -> None:
    from rich.text import Text

    from ..view.heads import table
    from ..view.moments import ago, now
    from ..view.terminal import console
    from ..view.text import clean

    out, today = console(), now()
    if not letters:
        out.print(Text("no dead letters", "dim"))
        return
    rows = [
        [(clean(letter.id), "bold"), (clean(str(letter.event.get("type", ""))), ""), (str(letter.attempts), "dim"),
         (ago(letter.last, today), "dim"), (clean(letter.reason), "")]
        for letter in letters
    ]  # fmt: skip
    for line in table(["ID", "TYPE", "ATTEMPTS", "LAST", "REASON"], rows, out.width):
        out.print(line)
