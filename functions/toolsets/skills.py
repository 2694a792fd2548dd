"""Skills: folders with a ``SKILL.md`` whose name and description the model is offered, and whose text it reads when it
needs it. Their files are readable, and nothing outside of their folders is.

What a skill says in ``allowed-tools`` can only narrow: once the model has read it, the other tools are refused for the
rest of the turn. A second skill narrows that further.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from ...state.errors import InvalidInput, ToolFailed
from ..tools.tool import Tool
from .skill import LARGEST, Skill, found_in
from .source import UNASKED, Listed, Server
from .toolset import Toolset

MOST = 500
"""How many files of a skill are named to the model."""


class Skills(Toolset):
    """All skills of folders: each is one, or holds some. ``only`` are the names of those that are wanted.

    A model is offered two tools: ``read_skill`` names the skills and gives the text of one, ``read_skill_file`` one of
    its files. Raises InvalidInput for a folder without skills, and for a ``SKILL.md`` that is none.
    """

    def __init__(self, *folders: str | Path, only: Sequence[str] | None = None) -> None:
        self.skills: dict[str, Skill] = {}
        for folder in folders:
            for skill in found_in(Path(folder)):
                if skill.name in self.skills:
                    raise InvalidInput(f"two skills are named {skill.name!r}: in {skill.folder}, and in another folder")
                self.skills[skill.name] = skill
        if only is not None:
            missing = [name for name in only if name not in self.skills]
            if missing:
                raise InvalidInput(f"there is no skill {missing[0]!r}; there are: {', '.join(self.skills) or 'none'}")
            self.skills = {name: self.skills[name] for name in only}
        read, file = _Read(self.skills), _File(self.skills)
        schema = _schema(skill=sorted(self.skills))
        described = "\n".join(f"- {skill.name}: {skill.description}" for skill in self.skills.values())
        self._tools = [
            Tool(
                read,
                name="read_skill",
                description=f"Read how something is done, before you do it. There are:\n{described}",
                effect="pure",
                schema=schema,
            ),
            Tool(
                file,
                name="read_skill_file",
                description="Read a file of a skill, by the path that the skill names.",
                effect="pure",
                schema=_schema(skill=sorted(self.skills), path=None),
            ),
        ]
        self._source = self

    @property
    def servers(self) -> Sequence[Server]:
        return ()

    def tools(self, listed: Listed = UNASKED) -> Sequence[Tool]:
        return self._tools


class _Read:
    """The text of a skill, the names of its files, and the tools that it is satisfied with."""

    def __init__(self, skills: dict[str, Skill]) -> None:
        self._skills = skills

    def __call__(self, /, skill: str) -> dict[str, Any]:
        known = _of(self._skills, skill)
        told: dict[str, Any] = {"skill": known.name, "text": known.text()}
        if files := known.files(MOST):
            told["files"] = files
        if known.allowed is not None:
            told["allowed_tools"] = list(known.allowed)
        return told

    def narrows(self, value: Any) -> Sequence[str] | None:
        """Which tools may still be called after that result; None: all as before."""
        return cast("dict[str, Any]", value).get("allowed_tools") if isinstance(value, dict) else None


class _File:
    def __init__(self, skills: dict[str, Skill]) -> None:
        self._skills = skills

    def __call__(self, /, skill: str, path: str) -> str:
        return _of(self._skills, skill).file(path, LARGEST)

    def narrows(self, value: Any) -> Sequence[str] | None:
        return None  # reading is never refused


def _of(skills: dict[str, Skill], name: str) -> Skill:
    found = skills.get(name)
    if found is None:
        raise ToolFailed(f"there is no skill {name!r}; there are: {', '.join(skills) or 'none'}")
    return found


def _schema(**parameters: Sequence[str] | None) -> dict[str, Any]:
    properties = {name: {"type": "string"} | ({"enum": among} if among else {}) for name, among in parameters.items()}
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
