"""What a server says when it is up: what it serves and where, what begins it, and what to try next. On stderr."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from rich.text import Text

from ..security.address import shown
from ..state.example import TEXT
from .address import url
from .again import again
from .view.example import words
from .view.heads import table
from .view.terminal import console, say
from .view.text import clean, counted

if TYPE_CHECKING:
    from .place import Place


def announce(functions: Mapping[str, object], place: Place, listening: socket.socket) -> None:
    """The table of functions and three things to try; one line after a reload."""
    where = url(listening)
    if place.again:
        say(f"serving again: {counted(len(functions), 'function')} at {where}", style="green")
        return
    out = console(stderr=True)
    out.print(
        Text.assemble(
            ("overwinter", "bold"), " serves ", (clean(place.file or "models"), "bold"), " at ", (where, "bold cyan")
        )
    )
    out.print(Text(f"store {clean(shown(place.store))}" + (" · token required" if place.token else ""), "dim"))
    if place.console and not place.models:
        from ..console.serving import PREFIX

        out.print(Text.assemble(("console ", "dim"), (f"{where}{PREFIX}/", "cyan")))
    out.print()
    rows = [
        [
            (clean(name), "bold"),
            (kind(function), ""),
            (clean(model(function)), "magenta"),
            (where + path(name, kind(function)), "dim"),
        ]
        for name, function in functions.items()
    ]
    for line in table(["NAME", "KIND", "MODEL", "URL"], rows, out.width):
        out.print(line)
    out.print()
    begun = [
        [(clean(by), "dim"), (clean(name), "bold"), (clean(of), ""), (clean(when), "")]
        for by, name, of, when in beginnings(functions)
    ]
    if begun:
        for line in table(["BY", "NAME", "BEGINS", "WHEN"], begun, out.width):
            out.print(line)
        out.print()
    for command, comment in suggestions(functions, where, token=bool(place.token)):
        out.print(Text.assemble(("  → ", "dim"), (again(command), "bold"), (f"   {comment}", "dim")), soft_wrap=True)


def beginnings(functions: Mapping[str, object]) -> list[tuple[str, str, str, str]]:
    """What begins functions by itself: a webhook, a schedule or an event; its path or name, which function, when."""
    from ..functions.schedule import declared_by
    from ..functions.triggers.webhook import declared

    found = [
        ("webhook", path, one.name, type(one.webhook.scheme).__name__) for path, one in declared(functions).items()
    ]
    for schedule in declared_by(functions, lambda name, value: ("", value)):
        found.append(("schedule", schedule.name, schedule.spec.function, schedule.spec.said()))
    if any(getattr(function, "subscriptions", ()) for function in functions.values()):
        from ..functions.bus.subscription import subscriptions_of

        for one in subscriptions_of(functions).values():
            found.append(("event", one.name, one.function, " and ".join(map(_brief, one.filters))))
    return found


def _brief(filter: Mapping[str, Any]) -> str:
    """A filter in a few words where they are enough: type order.paid."""
    from .view.text import json_text

    exact = filter.get("exact")
    if isinstance(exact, Mapping):
        return " and ".join(f"{name} {value}" for name, value in cast("Mapping[str, str]", exact).items())
    return json_text(filter)


def kind(function: object) -> str:
    return str(getattr(function, "kind", ""))


def model(function: object) -> str:
    """The model of an agent; a scripted one is called so."""
    named = getattr(function, "model", None)
    if named is None:
        return ""
    if isinstance(named, str):
        return named
    name = getattr(named, "name", None) or type(named).__name__
    return str(name)


def path(name: str, of: str) -> str:
    return f"/{of}s/{name}" if of in ("agent", "tool", "model") else f"/workflows/{name}"


def suggestions(functions: Mapping[str, object], where: str, *, token: bool) -> list[tuple[str, str]]:
    """Commands that work now, at most three."""
    from .options import DEFAULT_URL

    there = ("" if where == DEFAULT_URL else f" --url {where}") + (" --token …" if token else "")
    agents = [function for function in functions.values() if kind(function) == "agent"]
    agents.sort(key=lambda agent: len(getattr(agent, "tools", ())), reverse=True)
    workflows = [function for function in functions.values() if kind(function) == "workflow"]
    tools = [function for function in functions.values() if kind(function) == "tool" and _harmless(function)]
    said = next(filter(None, map(_scripted, agents)), TEXT)
    found = [
        _invocation(agents, " --session me", there, "talk to an agent", said),
        _invocation(workflows[::-1], "", there, "start a workflow", said),  # the last stand on those before them
        _invocation(tools, "", there, "call a tool", TEXT),
    ]
    return [*[one for one in found if one is not None][:2], ("overwinter ps", "what has run, what waits")]


def _scripted(agent: object) -> str | None:
    """What the script of an agent answers; a model needs no such help."""
    sample = getattr(getattr(agent, "model", None), "sample", None)
    said: object = sample() if callable(sample) else None
    return said if isinstance(said, str) else None


def _invocation(functions: Sequence[object], how: str, there: str, comment: str, said: str) -> tuple[str, str] | None:
    """A command for the first of these functions that an input can be made for. ``said`` stands for any text."""
    for function in functions:
        input = words(function, said)
        if input is not None and (input or not how):
            name = shlex.quote(str(getattr(function, "name", "")))
            if input.startswith(" -"):  # no option: a number below zero
                return f"overwinter invoke{how}{there} -- {name}{input}", comment
            return f"overwinter invoke {name}{how}{input}{there}", comment
    return None


def _harmless(tool: object) -> bool:
    return (
        getattr(tool, "effect", "") not in ("irreversible", "reconcilable") and getattr(tool, "approval", None) is None
    )
