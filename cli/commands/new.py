"""``overwinter new NAME``: a small project that runs at once and offline: its code in one file, a test, and what is for
installing, configuring and shipping it. ``--template`` chooses which. Nothing that exists is overwritten.

``--json``: ``{"folder", "template", "files", "next"}``; ``next`` are commands.
"""

from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from ..exits import USAGE, Exit
from ..options import debug_option, json_option
from ..project import TEMPLATES, files, first
from ..view.terminal import emit, say

NAME = re.compile(r"[a-z][a-z0-9_-]{0,60}")


@click.command(epilog="--json: {folder, template, files, next}")
@click.argument("name")
@click.option(
    "--template",
    type=click.Choice(tuple(TEMPLATES)),
    default="desk",
    show_default=True,
    help="; ".join(f"{name}: {what}" for name, what in TEMPLATES.items()) + ".",
)
@click.option("--into", default=".", type=click.Path(file_okay=False), help="Folder to make it in.")
@debug_option
@json_option
def new_command(name: str, template: str, into: str, as_json: bool) -> None:
    """Write a small project that runs, into a new folder NAME."""
    module = name.replace("-", "_")
    if not NAME.fullmatch(name) or keyword.iskeyword(module) or not _free(module):
        raise click.BadParameter(
            f"{name!r} can't name a project: use a-z, 0-9, - and _, and no module's name", param_hint="NAME"
        )
    folder = Path(into) / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Exit(f"{folder} exists already", code=USAGE, advice="Choose another name; nothing was changed.")
    written = files(template, name, module)
    try:
        for path, text in written.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Exit(
            f"{folder} can't be written: {error.strerror}", code=USAGE, advice="Choose another --into."
        ) from None
    commands = _next(folder, module, template)
    if as_json:
        emit({"folder": str(folder), "template": template, "files": list(written), "next": commands})
        return
    say(f"{folder} is ready: {', '.join(written)}", style="bold")
    for command in commands:
        say(f"  → {command}")


def _free(module: str) -> bool:
    """Whether the file would shadow nothing that Python brings or that is installed here."""
    if module in (*sys.stdlib_module_names, "overwinter", "tests"):
        return False
    try:
        found = find_spec(module)
    except (ImportError, ValueError):
        return True
    return found is None or "site-packages" not in str(found.origin)  # a file that lies here is nobody's package


def _next(folder: Path, module: str, template: str) -> list[str]:
    from ..view.command import quoted

    return [
        f"cd {quoted(str(folder))}",
        first(template, module),
        f"overwinter dev {module}.py",
        "pip install -e '.[dev]' && python -m pytest",
    ]
