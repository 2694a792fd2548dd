"""README and docs tell the truth: their code blocks are run, in order, in one empty folder per page.

- ``python`` blocks share one namespace; one that begins with a comment like ``# shop.py`` is saved under
  that name too, for the blocks after it. One that awaits is run as a notebook runs it, on a loop.
- ``console`` and ``sh`` blocks run the lines that begin with ``$ ``; a command has to succeed (unless its
  output ends with a line ``(exit N)``) and to print the lines below it. ``…`` stands for anything, on a line
  of its own for any number of lines; the width of spaces doesn't matter. A ``sh`` block without any ``$ ``
  is a script that has to succeed.
- ``json`` and ``toml`` blocks have to parse.
- ``<!-- not run: reason -->`` above a block exempts it; each exemption is a skipped test, so they count.
- ``<!-- background: text -->`` above a console block: its one command is left running to the end of the
  page once it has printed ``text``.

Nobody's keys are there: variables that end in ``_API_KEY`` are taken out. Where Ollama listens, ``http://localhost:11434``,
a page finds a small stand-in, on a port of its own.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import types
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from overwinter.tests.agent.provider import Answer as Served
from overwinter.tests.agent.provider import Asked, Provider, serving

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
FENCE = re.compile(
    r"^(?:<!-- (?P<word>not run|background): (?P<text>.+?) -->\n+)?"
    r"^```(?P<language>\w+)[^\n]*\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
RUN = ("python", "console", "sh", "bash", "json", "toml")
PATIENCE = 60.0
OLLAMA = "http://localhost:11434/v1"


class Block(NamedTuple):
    page: str
    line: int  # of the fence
    language: str
    body: str
    word: str  # "", "not run" or "background"
    text: str  # the reason, or what a background command prints when it is ready

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: str, text: str) -> list[Block]:
    found: list[Block] = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 1
        note = (match["text"] or "").strip()
        found.append(Block(page, line, match["language"], match["body"], match["word"] or "", note))
    return found


def title(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


EXEMPT = [
    block
    for page in PAGES
    if page.exists()
    for block in blocks(title(page), page.read_text("utf-8"))
    if block.word == "not run"
]


class Command(NamedTuple):
    line: int
    text: str
    expected: list[str]
    code: int


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block with the output shown below each."""
    lines = block.body.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    if block.language != "console" and not starts:
        yield Command(block.line + 1, "set -euo pipefail\n" + block.body, [], 0)
        return
    assert starts and starts[0] == 0, f"{block.name}: a console block begins with a line '$ command'"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        text, rest = lines[start][2:], lines[start + 1 : end]
        while text.endswith("\\") and rest:
            text += "\n" + rest.pop(0).removeprefix("> ")
        code = 0
        if rest and (match := re.fullmatch(r"\(exit (\d+)\)", rest[-1].strip())):
            code = int(match[1])
            rest.pop()
        yield Command(block.line + 1 + start, text, rest, code)


def squeeze(line: str) -> str:
    return re.sub(r"\s+", " ", line).strip()


def pattern(expected: list[str]) -> re.Pattern[str]:
    """What the squeezed output must look like, line by line, blank lines aside."""
    parts: list[str] = []
    for line in map(squeeze, expected):
        if line == "…":
            parts.append(r"(?:[^\n]*\n)*?")
        elif line:
            parts.append(r"[^\n]*?".join(map(re.escape, line.split("…"))) + r"\n")
    return re.compile("".join(parts))


def matches(expected: list[str], output: str) -> bool:
    lines = [line for line in map(squeeze, output.splitlines()) if line]
    return pattern(expected).fullmatch("".join(f"{line}\n" for line in lines)) is not None


class Page:
    """One page being run: its folder, its namespace, its background commands."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder = folder
        self.scratch = scratch
        self.module = types.ModuleType("__page__")
        self.running: list[subprocess.Popen[str]] = []
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        # To a terminal a program writes its lines at once, into a pipe when it has many, or never if it is killed.
        terminal = {"COLUMNS": "100", "LINES": "50", "NO_COLOR": "1", "TERM": "dumb", "PYTHONUNBUFFERED": "1"}
        self.environment = {**os.environ, **terminal, "PATH": path, "OVERWINTER_HOME": str(scratch / "home")}
        self.environment["CLONE"] = str(ROOT)

    def run(self, block: Block) -> None:
        if block.language == "python":
            self.python(block)
        elif block.language == "json":
            json.loads(block.body)
        elif block.language == "toml":
            tomllib.loads(block.body)
        elif block.word == "background":
            self.background(block)
        else:
            for command in commands(block):
                self.command(block, command)

    def python(self, block: Block) -> None:
        saved = re.match(r"# (\w+\.py)\n", block.body)
        if saved:
            (self.folder / saved[1]).write_text(block.body, "utf-8")
        self.module.__dict__["__name__"] = saved[1].removesuffix(".py") if saved else "__page__"
        # Padded, so that a traceback points into the page.
        source, flags = "\n" * block.line + block.body, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(source, str(ROOT / block.page), "exec", flags, dont_inherit=True)
        awaits = eval(code, self.module.__dict__)  # None, but for code that awaits
        if inspect.iscoroutine(awaits):
            asyncio.run(awaits)

    def command(self, block: Block, command: Command) -> None:
        done = subprocess.run(
            ["bash", "-c", command.text],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        where = f"{block.page}:{command.line}: $ {command.text}\n"
        assert done.returncode == command.code, f"{where}exit code {done.returncode}\n{done.stdout}"
        if command.expected:
            shown = "\n".join(command.expected)
            assert matches(command.expected, done.stdout), f"{where}shown:\n{shown}\n\nprinted:\n{done.stdout}"

    def background(self, block: Block) -> None:
        (command,) = commands(block)
        log = self.scratch / f"background-{len(self.running)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                ["bash", "-c", "exec " + command.text],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.running.append(process)
        deadline = time.monotonic() + PATIENCE
        while block.text not in log.read_text("utf-8"):
            assert process.poll() is None, f"{block.name}: ended early\n{log.read_text('utf-8')}"
            assert time.monotonic() < deadline, f"{block.name}: never printed {block.text!r}\n{log.read_text('utf-8')}"
            time.sleep(0.02)

    def close(self) -> None:
        for process in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def run_page(page: str, text: str, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a page's blocks and return how many ran."""
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    with serving() if OLLAMA in text else nullcontext() as ollama:
        if ollama is not None:
            ollama.judge = partial(overheard, ollama)
            text = text.replace(OLLAMA, ollama.url)
        return run_blocks(page, text, scratch, monkeypatch)


def overheard(ollama: Provider, asked: Asked) -> Served:
    """What a small model would say: it calls the one tool there is for Oslo, and tells what came of it."""
    said = asked["messages"][-1]
    if said["role"] == "tool":
        ollama.says(content=f"Take one. {said['content']}")
    elif not asked.get("tools"):
        ollama.says(content="Hello.")
    else:
        (offered,) = asked["tools"]
        call = {"name": offered["function"]["name"], "arguments": '{"city": "Oslo"}'}
        ollama.says("tool_calls", tool_calls=[{"id": "c1", "type": "function", "function": call}])
    return ollama.answer


def run_blocks(page: str, text: str, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    folder = scratch / "page"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    running = Page(folder, scratch)
    monkeypatch.setitem(sys.modules, "__page__", running.module)
    chosen = [block for block in blocks(page, text) if block.language in RUN and block.word != "not run"]
    before = set(sys.modules)
    try:
        for block in chosen:
            running.run(block)
    finally:
        running.close()
        forget(before, folder)
    return len(chosen)


def forget(before: set[str], folder: Path) -> None:
    """Take out what was loaded from the page's folder, so that no test after it meets a module of that name."""
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(folder):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_the_code_on_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_page(title(page), page.read_text("utf-8"), tmp_path, monkeypatch)


@pytest.mark.parametrize("block", EXEMPT, ids=lambda block: block.name)
def test_an_exempt_block_is_counted(block: Block) -> None:
    pytest.skip(f"not run: {block.text}")


LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)|(?:src|srcset|href)=\"([^\"]+)\"")


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    targets = [next(filter(None, match.groups())) for match in LINK.finditer(page.read_text("utf-8"))]
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert not [target for target in local if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_tests_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", page.read_text("utf-8"))
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).exists() or f"def {name}(" not in (ROOT / file).read_text("utf-8")
    ]
    assert not missing


FENCED = "```"
LIES = {
    "a wrong output": f"{FENCED}console\n$ echo spring\nwinter\n{FENCED}\n",
    "a missing line": f"{FENCED}console\n$ printf 'a\\nb\\n'\na\n{FENCED}\n",
    "a failing command": f"{FENCED}sh\n$ exit 3\n{FENCED}\n",
    "a failing script": f"{FENCED}sh\nfalse\necho over\n{FENCED}\n",
    "an unexpected success": f"{FENCED}sh\n$ true\n(exit 2)\n{FENCED}\n",
    "a failing line of Python": f"{FENCED}python\nassert 1 == 2\n{FENCED}\n",
    "a server that ends": f"<!-- background: ready -->\n{FENCED}sh\n$ true\n{FENCED}\n",
    "a failing cell of a notebook": f"{FENCED}python\nimport asyncio\nassert await asyncio.sleep(0, False)\n{FENCED}\n",
    "broken JSON": f"{FENCED}json\n{{'a': 1}}\n{FENCED}\n",
}


@pytest.mark.parametrize("text", LIES.values(), ids=LIES.keys())
def test_a_page_that_lies_is_caught(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((AssertionError, ValueError)):
        run_page("page.md", text, tmp_path, monkeypatch)


def test_a_true_page_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        f"{FENCED}python\n# pond.py\nDEPTH = 3\n{FENCED}\n"
        f"{FENCED}python\nassert DEPTH == 3\n{FENCED}\n"
        f"{FENCED}python\nimport asyncio\nawait asyncio.sleep(0)\nassert asyncio.get_running_loop()\n{FENCED}\n"
        f"{FENCED}console\n$ python -c 'import pond; print(\"depth  \", \\\n>   pond.DEPTH)'\ndepth …\n"
        f"$ seq 9\n1\n…\n9\n$ exit 4\n(exit 4)\n{FENCED}\n"
        f"<!-- not run: it would melt the ice -->\n{FENCED}sh\n$ false\n{FENCED}\n"
        f"<!-- background: frozen -->\n{FENCED}sh\n$ sh -c 'echo frozen; sleep 60'\n{FENCED}\n"
        f"{FENCED}text\nanything\n{FENCED}\n"
    )
    assert run_page("page.md", text, tmp_path, monkeypatch) == 5


def test_nobodys_keys_and_nobodys_ollama_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody")
    text = (
        f"{FENCED}python\nimport os\nassert 'OPENAI_API_KEY' not in os.environ\n{FENCED}\n"
        f'{FENCED}sh\ntest -z "${{OPENAI_API_KEY:-}}"\n{FENCED}\n'
        f"{FENCED}python\nassert '{OLLAMA}'.startswith('http://127.0.0.1:')\n{FENCED}\n"
    )
    assert run_page("page.md", text, tmp_path, monkeypatch) == 3


def test_nothing_of_a_page_is_left_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "```python\n# left_over.py\nNUMBER = 1\n```\n\n```python\nimport left_over\n```\n"
    assert run_page("page.md", text, tmp_path, monkeypatch) == 2
    assert "left_over" not in sys.modules
