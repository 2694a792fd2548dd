"""The site of ``make docs`` can be built without a warning, and its API reference holds every public name. Where Sphinx
is not installed (``make docs`` does that) the building is skipped; that nothing public is left out is held anyway."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import overwinter

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
