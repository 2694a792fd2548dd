"""``overwinter schedule COMMAND``: what begins functions at set times. What is asked is durable when the command
returns; a serving process carries it out.

``--json``: a schedule is ``{name, id, function, when, status, next, running, waiting, runs, failures, last, cron and
zone, every or at, overlap, missed, most, jitter, note?}``, with its ``input`` in ``show``; times are ISO 8601,
durations seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .. import reach
from ..options import by_default, json_option, store_option, text_option
from ..rendering.options import check, render_options, tell

if TYPE_CHECKING:
    from ...orchestrator.schedule.spec import Spec
    from ...orchestrator.schedules import Schedule, Schedules

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])
ONE = "--json: {name, id, function, when, status, next, running, waiting, runs, failures, last …}"
_name = click.argument("name", metavar="NAME")


@click.group("schedule")
def schedule_command() -> None:
    """What begins functions at set times: look at it, make it, change it, pause it, run it now, remove it."""


def what_and_when(command: Command) -> Command:
    """The options that say what a schedule is."""
    for option in reversed(
        (
            text_option("--every", metavar="DURATION", help='A period, like "15m".'),
            text_option("--at", metavar="TIME", help="Once, like 2026-12-24T18:00+01:00."),
            text_option("--zone", metavar="ZONE", help='Of cron, or of --at without an offset, like "Europe/Berlin".'),
            click.option("--input", "given", default=None, metavar="INPUT", help="For each run: JSON or text."),
            click.option("--overlap", type=click.Choice(("skip", "queue", "cancel", "allow")), help="When runs meet."),
            click.option("--missed", type=click.Choice(("none", "last", "all")), help="When nobody was awake."),
            click.option("--most", type=click.IntRange(1), help="Missed runs that are made up for at the most."),
            text_option("--jitter", metavar="DURATION", help="Each run begins up to so much later."),
            click.option("--by", default=None, help="Who asks; you, when not given."),
            store_option,
            json_option,
        )
    ):
        command = option(command)
    return command


@schedule_command.command("list", epilog="--json: {schedules: [{name, function, when, status, next …}]}")
@text_option("--function", unsaid="", help="Only of this function.")
@text_option("--prefix", unsaid="", help="Only names that start so.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False), help="With --render: those that a file declares.")
@render_options
@store_option
@json_option
def list_command(
    function: str,
    prefix: str,
    file: str | None,
    render: str | None,
    service: str,
    namespace: str,
    store: str,
    as_json: bool,
) -> None:
    """The schedules that there are, by name."""
    check(render, service, as_json=as_json, namespace=namespace)
    if file is not None:
        if render is None:
            raise click.UsageError("--file goes with --render: the schedules that there are lie in the store")
        _render(_declared(file, function, prefix), render, service, namespace)
        return
    found = _ask(store, lambda schedules: schedules.list(function, prefix=prefix))
    if render is not None:
        _render([(one.name, one.spec) for one in found if one.status != "leaving"], render, service, namespace)
        return
    if as_json:
        from ..view.terminal import emit

        emit({"schedules": [schedule.to_json() for schedule in found]})
        return
    from ..view.moments import now
    from ..view.schedules import schedule_table
    from ..view.terminal import console, say

    if not found:
        say("no schedules; declare one with @schedule, or overwinter schedule add FUNCTION CRON")
    out = console()
    for line in schedule_table(found, out.width, now()) if found else ():
        out.print(line)


def _declared(file: str, function: str, prefix: str) -> list[tuple[str, Spec]]:
    from pathlib import Path

    from ...functions.invocation.loading import functions_of, load
    from ...functions.schedule import declared_by

    found = declared_by(functions_of(load(Path(file))), lambda name, value: ("", value))
    wanted = [one for one in found if function in ("", one.spec.function) and one.name.startswith(prefix)]
    return [(one.name, one.spec) for one in sorted(wanted, key=lambda one: one.name)]


def _render(schedules: list[tuple[str, Spec]], render: str, service: str, namespace: str) -> None:
    if render == "aws":
        from ..rendering import aws

        if not service:
            raise click.UsageError("--render aws needs --service NAME, the function of Lambda that is woken")
        tell(aws.schedules(schedules, service))
        return
    from ..rendering.knative import Target, ping_sources

    tell(ping_sources(schedules, Target(service, namespace)))


@schedule_command.command("show", epilog=f"{ONE[:-1]}, input, latest: [{{id, status, created, updated …}}]}}")
@_name
@store_option
@json_option
def show_command(name: str, store: str, as_json: bool) -> None:
    """One schedule, and its latest runs."""

    async def read(schedules: Schedules) -> tuple[Schedule, list[Any]]:
        return await schedules.show(name), list(await schedules.runs(name, 10))

    schedule, runs = _ask(store, read)
    if as_json:
        from ..view.terminal import emit

        emit({**schedule.to_json(), "input": schedule.spec.input, "latest": [reach.head_json(run) for run in runs]})
        return
    from ..view.heads import head_table
    from ..view.moments import now
    from ..view.schedules import schedule_story
    from ..view.terminal import console

    out = console()
    for line in schedule_story(schedule, now()):
        out.print(line, soft_wrap=True)
    for line in head_table(runs, out.width, now()) if runs else ():
        out.print(line)


@schedule_command.command("add", epilog=ONE)
@click.argument("function", metavar="FUNCTION")
@click.argument("cron", metavar="[CRON]", required=False)
@text_option("--name", help="Of the schedule; the function's, when not given.")
@what_and_when
def add_command(
    function: str,
    cron: str | None,
    name: str | None,
    given: str | None,
    by: str | None,
    store: str,
    as_json: bool,
    **more: Any,
) -> None:
    """Begin FUNCTION at the times of CRON ("0 7 * * MON-FRI"), --every so often, or once --at a time."""
    who, input = _who(by), _input(given)
    made = _ask(store, lambda all: all.create(function, cron, name=name, input=input, by=who, **more))
    _tell(made, "made", as_json=as_json)


@schedule_command.command("change", epilog=ONE)
@_name
@click.argument("cron", metavar="[CRON]", required=False)
@what_and_when
def change_command(
    name: str, cron: str | None, given: str | None, by: str | None, store: str, as_json: bool, **more: Any
) -> None:
    """Give a schedule other times, another input, or another way. What is not said stays as it is."""
    who = _who(by)
    changes = more | {"cron": cron} | ({} if given is None else {"input": _input(given)})
    made = _ask(store, lambda schedules: schedules.change(name, by=who, **changes))
    _tell(made, "changed", as_json=as_json)


def _verb(verb: str, line: str, done: str, work: Callable[[Schedules, str, str], Coroutine[Any, Any, Any]]) -> None:
    @schedule_command.command(verb, help=line, epilog="--json: {name, done}")
    @_name
    @click.option("--by", default=None, help="Who asks; you, when not given.")
    @store_option
    @json_option
    def command(name: str, by: str | None, store: str, as_json: bool) -> None:
        who = _who(by)
        _ask(store, lambda schedules: work(schedules, name, who))
        _told({"name": name, "done": verb}, f"schedule {name} {done}", as_json=as_json)


_verb("pause", "No more runs until it is resumed.", "asked to pause", lambda all, name, by: all.pause(name, by=by))
_verb("resume", "Go on after a pause, from now.", "asked to go on", lambda all, name, by: all.resume(name, by=by))


@schedule_command.command("remove", epilog="--json: {name, done}")
@_name
@click.option("--cancel", is_flag=True, help="Also cancel a run that is going on.")
@click.option("--by", default=None, help="Who asks; you, when not given.")
@store_option
@json_option
def remove_command(name: str, cancel: bool, by: str | None, store: str, as_json: bool) -> None:
    """Take a schedule away. A run that is going on ends by itself."""
    _ask(store, lambda schedules: schedules.remove(name, cancel=cancel, by=_who(by)))
    _told({"name": name, "done": "remove"}, f"schedule {name} removed", as_json=as_json)


@schedule_command.command("run", epilog="--json: {name, run}")
@_name
@text_option("--id", unsaid="", metavar="ID", help="Under the same one it is begun once.")
@click.option("--by", default=None, help="Who asks; you, when not given.")
@store_option
@json_option
def run_command(name: str, id: str, by: str | None, store: str, as_json: bool) -> None:
    """Begin a run now, beside its times."""
    run = _ask(store, lambda schedules: schedules.run_now(name, id=id, by=_who(by)))
    _told({"name": name, "run": run}, f"{run} asked for", as_json=as_json)


def _ask(dsn: str, work: Callable[[Schedules], Coroutine[Any, Any, T]]) -> T:
    async def ask() -> T:
        async with reach.control(dsn) as control:
            return await work(control.schedules)

    return reach.run(ask())


def _who(by: str | None) -> str:
    return by_default() if by is None else by


def _input(given: str | None) -> Any:
    from ..inputs import read_value

    return None if given is None else read_value(given, "--input")


def _tell(schedule: Schedule, done: str, *, as_json: bool) -> None:
    from ..view.schedules import following

    _told(schedule.to_json(), f"schedule {schedule.name} {done}: {schedule.when}{following(schedule)}", as_json=as_json)


def _told(shape: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    from ..view.terminal import emit, say

    if as_json:
        emit(shape)
    else:
        say(sentence)
