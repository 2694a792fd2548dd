"""Checks of the machine: Python, SQLite, optional parts, the file of functions, the server's port."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from ..state.errors import OverwinterError

OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 35, 0)
EXTRAS = {
    "litellm": ("llm", "models of all providers"),
    "functions-framework": ("framework", "serving by Functions Framework"),
}


class Check(NamedTuple):
    """What was looked at, how it is (ok, warn, fail), and what to do about it."""

    name: str
    state: str
    detail: str
    advice: str = ""


def local_checks(file: str | None, host: str, port: int) -> Iterator[Check]:
    yield _python()
    yield _sqlite()
    yield _extras()
    if file is not None:
        yield from _file(file)
    yield _port(host, port)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return Check("python", "fail", version, "Install Python 3.11 or newer.")
    return Check("python", "ok", f"{version} on {sys.platform}")


def _sqlite() -> Check:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        return Check("sqlite", "fail", sqlite3.sqlite_version, "Install a Python linked with SQLite 3.35 or newer.")
    return Check("sqlite", "ok", sqlite3.sqlite_version)


def _extras() -> Check:
    present: list[str] = []
    absent: list[str] = []
    for package, (extra, what) in EXTRAS.items():
        try:
            present.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            absent.append(f"pip install 'overwinter[{extra}]' for {what}")
    return Check("extras", "ok", ", ".join(present) or "none installed; none is needed", "; ".join(absent))


def _file(file: str) -> Iterator[Check]:
    from ..functions.invocation.loading import functions_of, kind_of, load, sound
    from ..functions.invocation.looking import look

    try:
        functions = sound(functions_of(load(Path(file))))
    except OverwinterError as error:
        yield Check("functions", "fail", str(error), "Correct it; overwinter dev answers 503 until then.")
        return
    names = ", ".join(f"{name} ({kind_of(function)})" for name, function in functions.items())
    yield Check("functions", "ok", f"{file} holds {names}")
    found = look(functions)
    for finding in found:
        yield Check("models", "fail" if finding.certain else "warn", finding.text)
    agents = [function for function in functions.values() if kind_of(function) == "agent"]
    models = {str(model.name) for agent in agents for model in agent.models}
    if models and not found:
        yield Check("models", "ok", f"nothing is known against {', '.join(sorted(models))}")


def _port(host: str, port: int) -> Check:
    """Free, or taken by a server of ours, or by something else."""
    import http.client

    connection = http.client.HTTPConnection(host, port, timeout=2)
    place = f"{host}:{port}"
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except ConnectionRefusedError:
        return Check("server", "ok", f"none runs at {place}; the port is free")
    except (OSError, http.client.HTTPException):
        return Check("server", "warn", f"something that speaks no HTTP listens at {place}", "Choose another --port.")
    finally:
        connection.close()
    if status == 200:
        return Check("server", "ok", f"one answers at {place} and is ready")
    if status == 503:
        return Check("server", "warn", f"one answers at {place} and is not ready", "It is starting or stopping.")
    return Check("server", "warn", f"another program answers at {place}", "Choose another --port.")
