"""``overwinter new NAME``: a small project that runs at once, offline, on a scripted model: an agent, two tools and a
workflow in one file, a test, a README and a pyproject.toml. Nothing that exists is overwritten."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

import click

from .exits import USAGE, Exit
from .options import debug_option

NAME = re.compile(r"[a-z][a-z0-9_-]{0,60}")


@click.command()
@click.argument("name")
@click.option("--into", default=".", type=click.Path(file_okay=False), help="Folder to make it in.")
@debug_option
def new_command(name: str, into: str) -> None:
    """Write a small project that runs, into a new folder NAME."""
    from .project import FILES, render

    module = name.replace("-", "_")
    if not NAME.fullmatch(name) or keyword.iskeyword(module) or not _free(module):
        raise click.BadParameter(
            f"{name!r} can't name a project: use a-z, 0-9, - and _, and no module's name", param_hint="NAME"
        )
    folder = Path(into) / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Exit(f"{folder} exists already", code=USAGE, advice="Choose another name; nothing was changed.")
    for path, template in FILES.items():
        target = folder / path.format(module=module)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(render(template, name, module), encoding="utf-8")
    _tell(folder, module)


def _free(module: str) -> bool:
    """Whether the file would shadow nothing that Python brings."""
    import sys

    return module not in sys.stdlib_module_names and module not in ("overwinter", "tests")


def _tell(folder: Path, module: str) -> None:
    from .view.story import quoted
    from .view.terminal import say

    say(f"{folder} is ready", style="bold")
    for command in (
        f"cd {quoted(str(folder))}",
        f"overwinter dev {module}.py",
        'overwinter invoke clerk --session me "Where is order A-1?"   (in a second terminal)',
        "overwinter show clerk/me",
    ):
        say(f"  → {command}")
