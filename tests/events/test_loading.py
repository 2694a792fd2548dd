"""Loading a user's file: what is in it is served, what is wrong with it is said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from overwinter.functions.agents.agent import Agent
from overwinter.functions.invocation.loading import functions_of, load, module_name, reachable
from overwinter.functions.tools.tool import tool
from overwinter.orchestrator.errors import failures
from overwinter.state.errors import InvalidInput

SHOP = """
from overwinter.functions.agents.agent import Agent
from overwinter.functions.tools.tool import tool

class OutOfStock(Exception):
    pass

@tool
def lookup(order_id: str) -> str:
    return order_id

@tool
def hidden(order_id: str) -> str:
    return order_id

billing = Agent("billing", "scripted:echo", tools=[hidden])
support = Agent("support", "scripted:echo", tools=[lookup, billing])
same = support
del hidden
"""


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    modules, path = dict(sys.modules), list(sys.path)
    sys.modules.pop("corner_shop", None)  # whoever has loaded one before
    yield
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.modules.update(modules)
    sys.path[:] = path


def written(folder: Path, text: str, name: str = "corner_shop.py") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_the_objects_of_a_module_are_its_functions(tmp_path: Path) -> None:
    module = load(written(tmp_path, SHOP))
    functions = functions_of(module)
    assert set(functions) == {"lookup", "hidden", "billing", "support"}
    assert functions["support"] is module.support
    assert module.__name__ == "corner_shop"


def test_its_errors_are_found_by_the_journal(tmp_path: Path) -> None:
    module = load(written(tmp_path, SHOP))
    again = failures.decode(failures.encode(module.OutOfStock("none left")))
    assert type(again) is module.OutOfStock


@pytest.mark.parametrize("stem", ["json", "asyncio", "httpx", "overwinter", "sys", "yaml"])
def test_a_file_shadows_no_module(tmp_path: Path, stem: str) -> None:
    real = sys.modules.get(stem)
    module = load(written(tmp_path, SHOP, f"{stem}.py"))
    assert module.__name__ == f"overwinter_file_{stem}"
    assert sys.modules.get(stem) is real
    assert sys.modules[module.__name__] is module


def test_the_name_is_the_same_at_every_start(tmp_path: Path) -> None:
    path = written(tmp_path, SHOP)
    assert [load(path).__name__ for _ in range(2)] == ["corner_shop", "corner_shop"]
    del sys.modules["corner_shop"]
    assert module_name(path) == "corner_shop"
    odd = written(tmp_path, SHOP, "my-shop.v2.py")
    assert load(odd).__name__ == "my_shop_v2"


def test_a_file_finds_its_neighbours_and_a_module_is_loaded_by_name(tmp_path: Path) -> None:
    written(tmp_path, "GREETING = 'hi'", "neighbour_of_shop.py")
    module = load(written(tmp_path, "from neighbour_of_shop import GREETING\n" + SHOP))
    assert module.GREETING == "hi"
    assert load("neighbour_of_shop").GREETING == "hi"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:\n", r"line 1: .*correct it"),
        ("import no_such_module_at_all", r"line 1 needs the module no_such_module_at_all"),
        ("\n1 / 0", r"line 2 fails when it is loaded: ZeroDivisionError"),
        ("raise SystemExit(3)", r"fails when it is loaded: SystemExit"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        load(written(tmp_path, text))
    assert "corner_shop" not in sys.modules


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file"):
        load(tmp_path / "gone.py")
    with pytest.raises(InvalidInput, match="no file or module"):
        load("gone_module")
    with pytest.raises(InvalidInput, match=r"ends with \.py"):
        load(tmp_path)
    with pytest.raises(InvalidInput, match="@tool"):
        functions_of(load(written(tmp_path, "x = 1")))


def test_two_functions_of_one_name_are_refused() -> None:
    @tool(name="lookup")
    def first(order_id: str) -> str:
        return order_id

    @tool(name="lookup")
    def second(order_id: str) -> str:
        return order_id

    module = ModuleType("doubled")
    module.__dict__.update(first=first, again=first)
    assert set(functions_of(module)) == {"lookup"}
    module.__dict__["second"] = second
    with pytest.raises(InvalidInput, match="two functions are named 'lookup'"):
        functions_of(module)


def test_agents_that_name_each_other_are_found_once() -> None:
    one = Agent("one", "scripted:echo")
    two = Agent("two", "scripted:echo", tools=[one])
    assert list(reachable([two, one, two, 5, "x", Agent])) == ["two", "one"]
