"""What a user installs is the whole library: every package, every SQL and Lua file, the type marker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("cli", "functions", "orchestrator", "patterns", "security", "state", "telemetry", "testing")


def setuptools_table() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    return table


def data_files() -> set[str]:
    """Files of the library that are not Python, as paths inside the wheel."""
    rooms = [path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file()]
    kept = [path for path in rooms if path.suffix not in (".py", ".pyc", ".md") and "__pycache__" not in path.parts]
    return {f"overwinter/{path.relative_to(ROOT).as_posix()}" for path in kept} | {"overwinter/py.typed"}


def test_the_package_list_equals_the_folders() -> None:
    folders = {
        ".".join(("overwinter", *path.parent.relative_to(ROOT).parts))
        for room in ROOMS
        for path in (ROOT / room).rglob("__init__.py")
    }
    listed: list[str] = setuptools_table()["packages"]
    assert listed == sorted(listed)
    assert set(listed) == folders | {"overwinter"}


def test_every_folder_with_code_is_a_package() -> None:
    bare = {
        path.parent.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if not (path.parent / "__init__.py").exists()
    }
    assert not bare


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tree, as ``pip wheel`` would build it."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE", "__init__.py", "py.typed"):
        shutil.copy(ROOT / name, tree / name)
    for room in ROOMS:
        shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path_factory.mktemp("wheel")
    code = f"import setuptools.build_meta as backend; backend.build_wheel({str(out)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {
        f"overwinter/{path.relative_to(ROOT).as_posix()}" for room in ROOMS for path in (ROOT / room).rglob("*.py")
    }
    assert names == modules | data_files() | {"overwinter/__init__.py"}


def test_the_installed_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    code = (
        "import overwinter, sys\n"
        "for name in overwinter.__all__: getattr(overwinter, name)\n"
        "import overwinter.cli.main\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('overwinter')), sep='\\n')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {Path(line).relative_to(site).parts[0] for line in done.stdout.split()} == {"overwinter"}
