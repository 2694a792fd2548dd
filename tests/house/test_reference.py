"""The site of ``make docs`` can be built without a warning, and its API reference holds every public name. Where Sphinx
is not installed (``make docs`` does that) the building is skipped; that nothing public is left out is held anyway."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import overwinter
from overwinter.cli.commands.dev import serve_command

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
NEEDS = ("sphinx", "myst_parser", "furo")


def described() -> set[str]:
    """The public names that the page about ``overwinter`` describes or, for errors, leads to."""
    text = (REFERENCE / "overwinter.rst").read_text("utf-8")
    return {
        *re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.MULTILINE),
        *re.findall(r":exc:`~overwinter\.state\.errors\.(\w+)`", text),
    }


def test_the_reference_holds_every_public_name() -> None:
    assert described() == set(overwinter.__all__)


def test_every_page_is_in_the_contents() -> None:
    listed = set(re.findall(r"^   (\S+)$", (ROOT / "docs" / "index.rst").read_text("utf-8"), re.MULTILINE))
    pages = [*(ROOT / "docs").glob("*.md"), *REFERENCE.glob("*.rst")]
    assert {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in pages} <= listed


def test_operations_tell_of_every_option_of_serve() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    options = [option for option in serve_command.params if isinstance(option, click.Option) and not option.hidden]
    names = [name for option in options for name in (option.opts[0], option.envvar) if isinstance(name, str)]
    settings = {f"--{name.replace('_', '-')}" for name in re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)}
    told = {*re.findall(r"`(--[\w-]+|[A-Z_]+)`", page), *settings, "--help"}
    told |= {f"OVERWINTER_{name[2:].replace('-', '_').upper()}" for name in told}
    assert len(options) > 20
    assert not set(names) - told


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    if missing := [name for name in NEEDS if importlib.util.find_spec(name) is None]:
        pytest.skip(f"{' and '.join(missing)} not installed: make docs does that, or pip install -e '.[docs]'")
    build = [sys.executable, "-m", "sphinx", "--builder", "html", "--conf-dir", "docs", "--fail-on-warning"]
    places = ["--doctree-dir", str(tmp_path / "trees"), ".", str(tmp_path / "site")]
    done = subprocess.run(
        [*build, "--keep-going", "--quiet", *places], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site" / "docs"
    page = (site / "reference" / "overwinter.html").read_text("utf-8")
    assert 'id="overwinter.Context.wait_for"' in page, "what a class inherits is there"
    assert re.search(r'href="[^"]*#overwinter\.Retry"', page), "annotations are links"
    assert 'id="overwinter.testing.crash_everywhere"' in (site / "reference" / "testing.html").read_text("utf-8")
    assert 'href="workflows.html"' in (site / "agents.html").read_text("utf-8") + (site / "testing.html").read_text(
        "utf-8"
    )
