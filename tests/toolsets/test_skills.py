"""Skills: offered by name, read when needed; their files are readable, what lies outside is not, and what they say of
tools only narrows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, History, Scripted, call, run
from overwinter.functions.tools.selection import Selection
from overwinter.functions.toolset import Skills
from overwinter.functions.window import Shorten
from overwinter.state.errors import InvalidInput, ToolFailed
from overwinter.testing import crash_everywhere


def skill(folder: Path, name: str, *more: str, text: str = "Do it so.") -> Path:
    place = folder / name
    place.mkdir(parents=True)
    front = "\n".join([f"name: {name}", f"description: How to do {name}.", *more])
    (place / "SKILL.md").write_text(f"---\n{front}\n---\n{text}\n")
    return place


def file_of(skills: Skills, path: str) -> str:
    (_, read) = skills.tools()
    return str(read.invoke({"skill": "pdf", "path": path}))


def test_a_model_is_offered_names_and_reads_the_text_on_demand(tmp_path: Path) -> None:
    place = skill(tmp_path, "pdf", text="Use forms.md.")
    (place / "forms.md").write_text("Forms.")
    (place / ".hidden").write_text("no")
    skill(tmp_path, "mail")
    told: list[str] = []

    def listening(messages: Any, tools: Any) -> Any:
        told.append(messages[-1].content)
        assert "- mail: How to do mail.\n- pdf: How to do pdf." in tools[0].description
        assert "Use forms.md" not in tools[0].description
        script = [call("read_skill", skill="pdf"), call("read_skill_file", skill="pdf", path="forms.md"), "done"]
        return script[len(told) - 1]

    assert run(Agent("desk", Scripted(listening), tools=[Skills(tmp_path)]), "?", store="memory://") == "done"
    assert told[1:] == ['{"skill":"pdf","text":"Use forms.md.","files":["forms.md"]}', "Forms."]


def test_no_path_leaves_the_folder(tmp_path: Path) -> None:
    place = skill(tmp_path / "skills", "pdf")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (place / "link.txt").symlink_to(secret)
    (place / "inner").symlink_to(tmp_path)
    os.mkfifo(place / "pipe")
    (place / "deep").mkdir()
    (place / "deep" / "a.txt").write_text("a")
    skills = Skills(tmp_path / "skills")
    inner = ["../../secret.txt", "deep/../../../secret.txt", "deep\\..\\..\\x", "", "a\0b"]
    outside = [*inner, "../secret.txt", str(secret), "\\etc", "C:/x"]
    for path in (*outside, "link.txt", "inner/secret.txt", "pipe", "deep", ".", "nothing.txt"):
        with pytest.raises(ToolFailed):
            file_of(skills, path)
    assert file_of(skills, "./deep/a.txt") == "a"


def test_no_link_makes_something_else_a_skill(tmp_path: Path) -> None:
    elsewhere = skill(tmp_path / "elsewhere", "pdf", text="secret")
    (tmp_path / "file" / "pdf").mkdir(parents=True)
    (tmp_path / "file" / "pdf" / "SKILL.md").symlink_to(elsewhere / "SKILL.md")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "pdf").symlink_to(elsewhere)
    for place in ("file", "folder"):
        with pytest.raises(InvalidInput, match="is a link, which may lead anywhere"):
            Skills(tmp_path / place)
    assert list(Skills(tmp_path / "folder" / "pdf").skills) == ["pdf"], "it was named itself"


def test_a_link_that_comes_later_is_not_followed(tmp_path: Path) -> None:
    elsewhere = skill(tmp_path / "elsewhere", "pdf", text="secret")
    (elsewhere / "a.txt").write_text("secret")
    place = skill(tmp_path / "skills", "pdf")
    skills = Skills(tmp_path / "skills")
    (place / "SKILL.md").rename(tmp_path / "moved.md")
    (place / "SKILL.md").symlink_to(elsewhere / "SKILL.md")
    (read, _) = skills.tools()
    with pytest.raises(ToolFailed, match="is a link"):
        read.invoke({"skill": "pdf"})
    (place / "SKILL.md").unlink()
    place.rmdir()
    place.symlink_to(elsewhere)
    with pytest.raises(ToolFailed, match="is a link"):
        read.invoke({"skill": "pdf"})
    with pytest.raises(ToolFailed, match=r"there is no file 'a\.txt' in the skill 'pdf'; there are: $"):
        file_of(skills, "a.txt")


def test_what_a_skill_says_reaches_models_as_text_they_can_be_sent(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    said = 'name: a\ndescription: "\\ud800 x"\nallowed-tools: ["\\udfff"]'
    (tmp_path / "a" / "SKILL.md").write_text(f"---\n{said}\n---\nDo.\n")
    (read, _) = Skills(tmp_path).tools()
    json.dumps([read.description, read.invoke({"skill": "a"})], ensure_ascii=False).encode()


def test_large_and_odd_files(tmp_path: Path) -> None:
    place = skill(tmp_path, "pdf")
    (place / "large.txt").write_text("ä" * 200_000)
    (place / "picture.png").write_bytes(b"\x89PNG\xff")
    skills = Skills(place)
    assert file_of(skills, "large.txt").endswith("ä… [it has more than 262,144 bytes; this is its beginning]")
    with pytest.raises(ToolFailed, match="is no text"):
        file_of(skills, "picture.png")


def ledger() -> tuple[list[str], list[Any]]:
    made: list[str] = []

    def draw() -> str:
        """Draw."""
        made.append("draw")
        return "drawn"

    def send() -> str:
        """Send."""
        made.append("send")
        return "sent"

    return made, [draw, send]


@pytest.mark.parametrize("words", ["allowed-tools: [draw, invented]", "allowed-tools: draw, invented Bash(git:*)"])
def test_what_a_skill_allows_only_narrows_and_only_for_the_turn(tmp_path: Path, words: str) -> None:
    skill(tmp_path, "pdf", words)
    made, tools = ledger()
    told: list[str] = []
    script = [
        call("send"),
        call("read_skill", skill="pdf"),
        call("send"),
        call("draw"),
        call("invented"),
        call("read_skill", skill="pdf"),
        "done",
    ]

    def listening(messages: Any, tools: Any) -> Any:
        told.append(messages[-1].content)
        return script[len(told) - 1]

    agent = Agent(
        "desk",
        Scripted(listening),
        tools=[*tools, Skills(tmp_path).prefixed("our").renamed(our_read_skill="read_skill")],
    )
    assert run(agent, "?", store="memory://") == "done"
    assert made == ["send", "draw"]
    assert "does not allow 'send'" in told[3] and "draw" in told[3]
    assert "no tool named 'invented'" in told[5]


def test_no_skill_takes_the_tools_away_that_show_what_there_is(tmp_path: Path) -> None:
    """``find_tools`` and ``read_result`` belong to no toolset: what they show are allowed tools and their results."""
    skill(tmp_path, "pdf", "allowed-tools: [draw]")
    script: list[Any] = [
        call("read_skill", skill="pdf"),
        call("find_tools", query="draw"),
        call("draw"),
        call("draw", sure=True),
        lambda text: call("read_result", entry=int(text.partition("read_result(entry=")[2].partition(")")[0])),
        call("send"),
        "done",
    ]
    told: list[str] = []

    def listening(messages: Any, tools: Any) -> Any:
        told.append(messages[-1].content)
        said = script[len(told) - 1]
        return (
            said(next(text.content for text in messages if "read_result(" in text.content)) if callable(said) else said
        )

    def draw(sure: bool = False) -> str:
        """Draw."""
        return "drawn " * 300

    agent = Agent(
        "desk",
        Scripted(listening),
        tools=[draw, ledger()[1][1], Skills(tmp_path)],
        selection=Selection(most=2, always=["read_skill"]),
        history=History(size="3KB", compaction=[Shorten(200)]),
    )
    assert run(agent, "?", store="memory://") == "done"
    assert told[2] == '["draw"]' and told[5] == "drawn " * 300
    assert "does not allow 'send'" in told[6] and "find_tools" in told[6]


def test_two_skills_narrow_further(tmp_path: Path) -> None:
    skill(tmp_path, "a", "allowed-tools: [draw]")
    skill(tmp_path, "b", "allowed-tools: [send]")
    made, tools = ledger()
    script: list[Any] = [
        [call("read_skill", skill="a"), call("read_skill", skill="b")],
        [call("draw"), call("send")],
        "done",
    ]
    assert run(Agent("desk", Scripted(script), tools=[*tools, Skills(tmp_path)]), "?", store="memory://") == "done"
    assert made == []


def test_a_replay_knows_what_is_allowed(tmp_path: Path) -> None:
    """The process dies between reading and calling; whoever goes on refuses the same."""
    skill(tmp_path, "pdf", "allowed-tools: [draw]")
    made, tools = ledger()
    script: dict[str, Any] = {"\\?": call("read_skill", skill="pdf"), "Do it so": call("send"), "not allow": "done"}
    agent = Agent("desk", Scripted(script), tools=[*tools, Skills(tmp_path)])
    assert crash_everywhere(agent, "?").outcome.value == "done"
    assert made == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("no front matter", "has no front matter"),
        ("---\nname: [\n---\n", "is no YAML"),
        ("---\n- a\n---\n", "write name: and description:"),
        ("---\nname: Not So\ndescription: x\n---\n", "is not of a-z"),
        ("---\nname: a\n---\n", "description is a text"),
        ("---\nname: a\ndescription: " + "[" * 5000 + "\n---\n", "is no YAML"),
        ("---\nname: a\ndescription: x\nsince: 2020-13-45\n---\n", "is no YAML"),
        ("---\nname: a\ndescription: x\n---\n" + "ä" * 200_000, "has more than 262,144 bytes"),
        ("---\nname: a\ndescription: b\nallowed-tools: 5\n---\n", "allowed-tools are names"),
    ],
)
def test_a_skill_that_is_none_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "SKILL.md").write_text(text)
    with pytest.raises(InvalidInput, match=complaint):
        Skills(tmp_path)


def test_folders_without_skills_and_skills_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no skill in"):
        Skills(tmp_path)
    skill(tmp_path, "pdf")
    with pytest.raises(InvalidInput, match="there is no skill 'mail'; there are: pdf"):
        Skills(tmp_path, only=["mail"])
    with pytest.raises(InvalidInput, match="two skills are named 'pdf'"):
        Skills(tmp_path, tmp_path / "pdf")
