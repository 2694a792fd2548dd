"""What ``import overwinter`` gives and what it must not cost: no heavy library, no room before it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import overwinter

ROOT = Path(__file__).parents[2]
HEAVY = {
    *("asgiref", "boto3", "click", "cloudevents", "cronsim", "functions_framework", "httptools", "httpx", "litellm"),
    *("opentelemetry", "redis", "rich", "starlette", "uvicorn", "uvloop", "watchfiles"),
}


@pytest.mark.parametrize("name", overwinter.__all__)
def test_a_public_name_resolves_and_is_documented(name: str) -> None:
    thing = getattr(overwinter, name)
    assert name in dir(overwinter)
    assert isinstance(thing, str) or thing.__doc__, f"{name} has no docstring"


def test_the_face_is_sorted_and_free_of_duplicates() -> None:
    names = [name for name in overwinter.__all__ if not name.startswith("__")]
    assert names == sorted(set(names))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        overwinter.no_such_name  # noqa: B018 - the access is the test


def loaded_after(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after running ``code``."""
    report = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_everything_public_loads_nothing_heavy() -> None:
    loaded = loaded_after("import overwinter\nfor name in overwinter.__all__: getattr(overwinter, name)")
    assert "pydantic" in loaded  # otherwise nothing was resolved
    assert not HEAVY & loaded


def test_serving_plain_types_loads_no_models() -> None:
    """Models of pydantic cost a tenth of a cold start; a function without them does not pay for them."""
    loaded_after(
        "import overwinter.functions.framework.server, overwinter\n"
        "overwinter.Runtime, overwinter.workflow\n"
        "assert 'pydantic.main' not in sys.modules and '_sysconfigdata' not in ' '.join(sys.modules)"
    )


def test_a_bare_import_does_not_load_the_rooms() -> None:
    code = "import overwinter, sys\nassert not [name for name in sys.modules if name.startswith('overwinter.')]"
    assert "pydantic" not in loaded_after(code)


def test_every_module_can_be_imported_alone() -> None:
    """A circle of imports shows only when a module is the first one to be imported."""
    modules = sorted(
        ".".join(("overwinter", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for room in ("security", "state", "telemetry", "orchestrator", "functions", "testing", "patterns", "cli")
        for path in (ROOT / room).rglob("*.py")
        if path.stem != "__main__"
    )
    code = (
        "import importlib, sys\n"
        f"for module in {modules!r}:\n"
        "    for name in list(sys.modules):\n"
        "        if name.partition('.')[0] == 'overwinter': del sys.modules[name]\n"
        "    importlib.import_module(module)\n"
    )
    loaded_after(code)


def test_typed_names_are_those_of_the_face() -> None:
    """The names that type checkers see (imports under TYPE_CHECKING) are those that ``__all__`` promises."""
    tree = ast.parse((ROOT / "__init__.py").read_text("utf-8"))
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
    }
    assert imported == {name for name in overwinter.__all__ if not name.startswith("__")}
