"""Ids that the shell completes: a shell puts them on the command line as they are."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from overwinter.cli.main import cli

from .conftest import Shelf

HARMLESS = ["bot/1", "a.b_c:d@e%f+g=h,i-j", "/x", "_x"]
HARMFUL = [
    "bot/$(touch pwned)",
    "bot/`id`",
    "bot/a b",
    "bot/a;b",
    "bot/a&b",
    "bot/a|b",
    "bot/'a",
    'bot/"a',
    "bot/a\nplain,$(id)",
    "bot/!x",
    "bot/*",
    "bot/\\a",
    "bot/ü",
    "-rf",
    "=ls",
    "~root",
    "#x",
    "<x",
]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("typed", ["", "bot"])
def test_only_plain_words_are_completed(shelf: Shelf, shell: str, typed: str) -> None:
    began = [{"type": "started", "at": 1_700_000_000_000, "function": "ticket", "input": None}]
    for id in HARMLESS + HARMFUL:
        shelf.put(id, began, function="ticket\nplain,$(id)")
    words = f"overwinter show --store {shelf.dsn} {typed}"
    env = {"_OVERWINTER_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": typed}
    env["COMP_CWORD"] = typed if shell == "fish" else "4"
    told = CliRunner().invoke(cli, [], prog_name="overwinter", env=env).output
    lines = told.splitlines()
    if shell == "zsh":
        offered = [value.replace("\\:", ":") for value in lines[1::3]]
        assert set(lines[0::3]) == {"plain"}
    else:
        offered = [line.partition(",")[2].partition("\t")[0] for line in lines]
    assert sorted(offered) == sorted(id for id in HARMLESS if id.startswith(typed))
