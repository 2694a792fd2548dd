"""Instructions as text, functions and template files: what a model is told, and what is refused before it is asked."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NotRequired

import pytest
from pydantic import BaseModel, computed_field
from typing_extensions import TypedDict

from overwinter import Agent, Runtime, Scripted, Template
from overwinter.functions.models.port import Message
from overwinter.state.errors import InvalidInput

HERE = Path(__file__).parent


class Line(BaseModel):
    sku: str
    count: int = 1


class Order(BaseModel):
    id: str
    lines: list[Line] = []
    note: Line | None = None
    placed: datetime | None = None

    @computed_field  # type: ignore[prop-decorator]  # as pydantic documents it
    @property
    def size(self) -> int:
        return len(self.lines)


@dataclass
class Question:
    text: str
    tags: list[str] = field(default_factory=list)


class Ticket(TypedDict):
    topic: str
    order: NotRequired[Order]


class Pair(NamedTuple):
    left: int
    right: int


def written(folder: Path, text: str, name: str = "desk.j2") -> Template:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return Template("desk.j2", folder=folder)


def told(agent: Agent[Any], content: Any) -> str:
    (message, *_) = agent.request([Message("user", "…")], content).messages
    return message.content if message.role == "system" else ""


def agent(instructions: Any, input: Any = str) -> Agent[str]:
    return Agent("desk", "scripted:echo", instructions, input=input)


@pytest.mark.parametrize(
    ("input", "content", "text", "result"),
    [
        (str, "hello", "You said {{ input }}.", "You said hello."),
        (Order, {"id": "o-1", "lines": [{"sku": "a"}]}, "{{ id }}: {{ size }} {{ input.lines[0].sku }}", "o-1: 1 a"),
        (
            Order,
            {"id": "1", "lines": [{"sku": "a"}, {"sku": "b"}]},
            "{% for l in lines %}{{ l.sku }} {% endfor %}",
            "a b ",
        ),
        (Order, {"id": "o-1"}, "{% if note %}{{ note.sku }}{% else %}no note{% endif %}", "no note"),
        (Question, {"text": "why", "tags": ["x"]}, "{{ text | upper }} {{ tags | join }}", "WHY x"),
        (Ticket, {"topic": "t", "order": {"id": "7"}}, "{{ topic }} {{ order.id }} {{ order['id'] }}", "t 7 7"),
        (Pair, [1, 2], "{{ left + right }} {{ input.right }}", "3 2"),
        (dict[str, int], {"a": 1}, "{{ input.a }} {{ input['a'] }}", "1 1"),
        (Annotated[Line, "one"], {"sku": "s"}, "{% set n = count %}{{ n }} {{ sku }}", "1 s"),
        (str, "x", "{# said to nobody #}\n{% if true %}\n  yes\n  {% endif %}", "  yes\n"),
    ],
)
def test_a_template_is_filled_in(input: Any, content: Any, text: str, result: str, tmp_path: Path) -> None:
    assert told(agent(written(tmp_path, text), input), content) == result


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "Hello\n{{ nmae }}",
            r"desk\.j2, line 2: there is no variable 'nmae'; there are: input, id, lines, note, placed",
        ),
        ("{{ lins }}", r"did you mean 'lines'\?"),
        ("{{ input.di }}", r"line 1: Order has no 'di'; there are: id, lines"),
        ("{{ note.skuu }}", "Line has no 'skuu'"),
        ("{{ note['skuu'] }}", "Line has no 'skuu'"),
        ("{% for one in lines %}\n{{ one.cuont }}{% endfor %}", r"line 2: Line has no 'cuont'; did you mean 'count'"),
        ("{{ lines[0].x }}", "Line has no 'x'"),
        ("{{ lines[0]['x'] }}", "Line has no 'x'"),
        ("{{ id", "desk.j2, line 1: unexpected end of template"),
        ("{{ id | shout }}", "No filter named 'shout'"),
        ("{{ lines | random }}", "No filter named 'random'"),
        ("{{ lipsum() }}", "there is no variable 'lipsum'"),
        ("{% include 'other.j2' %}", r"line 1: there is no 'other\.j2' in"),
        ("{% include '../secret.txt' %}", "there is no '../secret.txt' in"),
        ("{% include 'link.txt' %}", "there is no 'link.txt' in"),
        ("{% include id %}", "name the template in quotes"),
        ("{% include 'part.j2' %}", r"part\.j2, line 1: there is no variable 'missing'"),
        ("{% from 'macros.j2' import one %}{{ one() }}", r"macros\.j2, line 1: there is no variable 'id'"),
    ],
)
def test_what_can_not_work_is_refused_when_the_agent_is_made(text: str, complaint: str, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "part.j2").write_text("{{ missing }}")
    (folder / "macros.j2").write_text("{% macro one() %}{{ id }}{% endmacro %}")
    with pytest.raises(InvalidInput, match=complaint):
        agent(written(folder, text), Order)


def test_a_file_that_is_missing_is_refused_with_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "dsek.j2").write_text("")
    with pytest.raises(InvalidInput, match=r"desk\.j2 is not there; there are: dsek\.j2"):
        agent(Template("desk.j2", folder=tmp_path))


def test_a_template_lies_beside_the_file_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Template("desk.j2").path == HERE / "desk.j2"
    (tmp_path / "module_of_desk.py").write_text(
        "from overwinter import Agent, Template\ndesk = Agent('desk', 'scripted:echo', Template('prompts/desk.j2'))\n"
    )
    written(tmp_path / "prompts", "Be kind.")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir("/")
    from importlib import import_module

    assert told(import_module("module_of_desk").desk, "x") == "Be kind."


class Loose(BaseModel):
    """An input with ways out."""

    text: str = "Ann"
    path: Path = Path("/etc/passwd")
    tags: set[str] = {"b", "a", "c", "d"}
    groups: list[set[str]] = [{"b", "a", "c", "d"}, {"z", "y"}]


@pytest.mark.parametrize(
    "text",
    [
        "{{ input.parse_file('/etc/passwd') }}", "{{ input.model_dump_json() }}", "{{ path.read_text() }}",
        "{{ path.joinpath('/tmp/x').write_text('x') }}", "{{ path.parent.joinpath('passwd').read_text() }}",
        "{{ input.model_construct() }}", "{{ input['path'].read_text() }}", "{{ (input|attr('path')).read_text() }}",
    ],
)  # fmt: skip
def test_a_template_calls_nothing_of_the_input(text: str, tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text(text)
    with pytest.raises(InvalidInput):
        agent = Agent("desk", "scripted:echo", Template("t.j2", folder=tmp_path), input=Loose)
        agent.request((), {})


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{ text.upper() }} {{ tags|join(',') }} {{ input.tags|join }}", "ANN a,b,c,d abcd"),
        ("{% for one in tags %}{{ loop.index }}{{ one }}{% endfor %}", "1a2b3c4d"),
        ("{% for group in input.groups %}{{ group|join }};{% endfor %}{{ groups|map('join')|join }}", "abcd;yz;abcdyz"),
        ("{{ 'for {}'.format(text) }} {{ '{0:>4}'.format(text) }} {{ '%s' % text }}", "for Ann  Ann Ann"),
        (
            "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(text) }}{{ cycler('a').next() }}{{ range(2)|list }}",
            "<Ann>a[0, 1]",
        ),
    ],
)
def test_a_template_calls_what_is_plain_and_sets_have_an_order(text: str, result: str, tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text(text)
    agent = Agent("desk", "scripted:echo", Template("t.j2", folder=tmp_path), input=Loose)
    (system,) = agent.request((), {}).messages
    assert system.content == result


def test_a_template_that_is_no_text_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="is not UTF-8"):
        Agent("desk", "scripted:echo", Template("t.j2", folder=tmp_path))


def test_templates_include_extend_and_import_from_their_folder(tmp_path: Path) -> None:
    written(tmp_path, "<{% block body %}{% endblock %}>", "base.j2")
    written(tmp_path, "{{ id }}", "parts/who.j2")
    written(tmp_path, "{% macro bold(what) %}*{{ what }}*{% endmacro %}", "macros.j2")
    text = (
        "{% extends 'base.j2' %}{% from 'macros.j2' import bold %}"
        "{% block body %}{% include 'parts/who.j2' %}{{ bold(note.sku) }}{% endblock %}"
    )
    (tmp_path / "parts").mkdir(exist_ok=True)
    found = agent(written(tmp_path, text), Order)
    assert told(found, {"id": "o-1", "note": {"sku": "a"}}) == "<o-1*a*>"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{{ placed.now() }}", "now.* is not safely callable"),
        ("{{ input.__class__.__mro__ }}", "unsafe|has no"),
        ("{{ lines.append(1) }}", "'append' of 'list' object is unsafe"),
        ("\n{{ note.sku }}", r"desk\.j2, line 2: .*has no attribute 'sku'"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
    ],
)
def test_what_goes_wrong_later_is_told_with_its_place(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        told(agent(written(tmp_path, text), Order), {"id": "o-1", "placed": "2026-01-01T00:00:00Z"})


def test_a_changed_template_is_read_for_the_next_call(tmp_path: Path) -> None:
    def says(messages: Any, tools: Any) -> str:
        return str(messages[0].content)

    async def main() -> list[str]:
        desk = Agent("desk", Scripted(says), written(tmp_path, "The first text."))
        said: list[str] = []
        async with Runtime([desk], "memory://") as runtime:
            for text in ("", "The second {{ input }}.", "{{ broken", "The last."):
                if text:
                    written(tmp_path, text)
                message = await runtime.send(desk, "c", "one")
                try:
                    said.append(await message.reply("20s"))
                except InvalidInput as error:
                    said.append(str(error).rpartition("/")[2])
        return said

    said = asyncio.run(main())
    assert said[:2] == ["The first text.", "The second one."] and said[3] == "The last."
    assert said[2].startswith("desk.j2, line 1")


def test_several_are_joined(tmp_path: Path) -> None:
    template = written(tmp_path, "About {{ id }}.")
    parts = ["You are kind.", lambda order: f"{order.size} lines.", "", template]
    assert told(agent(parts, Order), {"id": "7"}) == "You are kind.\n\n0 lines.\n\nAbout 7."
    assert told(agent(iter(parts), Order), {"id": "7"}) == "You are kind.\n\n0 lines.\n\nAbout 7."
    assert told(agent(("a", "b")), "x") == "a\n\nb" and told(agent([]), "x") == ""


async def later(input: Any) -> str:
    return ""


@pytest.mark.parametrize("wrong", [5, [5], later, str, [later], Path("desk.j2")])
def test_what_can_be_no_instructions_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="instructions of agent 'desk'"):
        agent(wrong)


def test_a_function_that_returns_no_text_is_told_of() -> None:
    with pytest.raises(InvalidInput, match="returned 5; it is to return text"):
        told(agent(lambda input: 5), "x")


def test_instructions_may_be_set() -> None:
    found = agent("One.")
    found.instructions = "Two."
    assert told(found, "x") == "Two." and found.instructions == "Two."


def test_without_jinja2_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "overwinter.functions.agents.templates", raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InvalidInput, match=r"pip install 'overwinter\[templates\]'"):
        agent(written(tmp_path, "x"))


def test_fields_that_may_be_missing_are_known(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Order has no 'nr'; there are: id"):
        agent(written(tmp_path, "{% if order is defined %}{{ order.nr }}{% endif %}"), Ticket)
    found = agent(written(tmp_path, "{{ topic }}{% if order is defined %} {{ order.id }}{% endif %}"), Ticket)
    assert told(found, {"topic": "t"}) == "t" and told(found, {"topic": "t", "order": {"id": "7"}}) == "t 7"
