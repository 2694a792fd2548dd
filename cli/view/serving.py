"""What a server says when it is up: what it serves, where, and what to try next. On stderr, for people."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.text import Text

from ..address import url
from .heads import table
from .terminal import console, say
from .text import clean, counted

if TYPE_CHECKING:
    from ..dev import Place


def announce(functions: Mapping[str, object], place: Place, listening: socket.socket) -> None:
    """The table of functions and three things to try; one line after a reload."""
    where = url(listening)
    if place.again:
        say(f"serving again: {counted(len(functions), 'function')} at {where}", style="green")
        return
    out = console(stderr=True)
    out.print(
        Text.assemble(("overwinter", "bold"), " serves ", (clean(place.file), "bold"), " at ", (where, "bold cyan"))
    )
    out.print(
        Text(f"store {clean(_without_password(place.store))}" + (" · token required" if place.token else ""), "dim")
    )
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
    for command, comment in suggestions(functions, where, token=bool(place.token)):
        out.print(Text.assemble(("  → ", "dim"), (command, "bold"), (f"   {comment}", "dim")), soft_wrap=True)


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
    return {"agent": f"/agents/{name}", "tool": f"/tools/{name}"}.get(of, f"/workflows/{name}")


def suggestions(functions: Mapping[str, object], where: str, *, token: bool) -> list[tuple[str, str]]:
    """Commands that work now, at most three."""
    from ..options import DEFAULT_URL

    there = ("" if where == DEFAULT_URL else f" --url {where}") + (" --token …" if token else "")
    by_kind: dict[str, str] = {}
    for name, function in functions.items():
        if kind(function) != "agent" or getattr(function, "input", str) is str or "agent" not in by_kind:
            by_kind[kind(function)] = name  # the last ones: they stand on those before them
    found: list[tuple[str, str]] = []
    if "agent" in by_kind:
        agent = shlex.quote(by_kind["agent"])
        found.append((f'overwinter invoke {agent} --session me "Hello"{there}', "talk to an agent"))
    if "workflow" in by_kind:
        found.append((f"overwinter invoke {shlex.quote(by_kind['workflow'])} '{{}}'{there}", "start a workflow"))
    if "tool" in by_kind and len(found) < 2:
        found.append((f"overwinter invoke {shlex.quote(by_kind['tool'])} '{{}}'{there}", "call a tool"))
    return [*found[:2], ("overwinter ps", "what has run, what waits")]


def _without_password(dsn: str) -> str:
    scheme, mark, rest = dsn.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}{mark}{user.split(':')[0]}:…@{host}" if at and ":" in user else dsn
