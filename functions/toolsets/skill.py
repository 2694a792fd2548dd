"""One skill: a folder with a ``SKILL.md``, whose front matter says what it is called and when it is of use."""

from __future__ import annotations

import importlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from ...state.codec import clean
from ...state.errors import InvalidInput, ToolFailed

FILE = "SKILL.md"
LARGEST = 256 * 1024
"""Bytes of a file that a model reads."""
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_NAME, _LONGEST_DESCRIPTION = 64, 1024
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$\n?(.*)\Z", re.DOTALL | re.MULTILINE)


class Skill:
    """``allowed`` are the tools that its front matter names; None: it says nothing of tools."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        said, _ = _parts(folder)
        self.name = _text(said, "name", folder, _LONGEST_NAME)
        if not _NAME.fullmatch(self.name):
            raise InvalidInput(f"{folder / FILE}: the name {self.name!r} is not of a-z, 0-9 and single hyphens")
        self.description = " ".join(_text(said, "description", folder, _LONGEST_DESCRIPTION).split())
        self.allowed = _allowed(said.get("allowed-tools"), folder)

    def text(self) -> str:
        """What the model reads. Raises ToolFailed when it is not there any more."""
        try:
            return _parts(self.folder)[1].strip()
        except InvalidInput as error:
            raise ToolFailed(str(error)) from None

    def files(self, most: int) -> list[str]:
        """The paths of its other files, without those that are hidden; links are none of its files."""
        found: list[str] = []
        for place, folders, names in () if self.folder.is_symlink() else os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = Path(place) / name
                if not name.startswith(".") and path != self.folder / FILE and not path.is_symlink():
                    found.append(path.relative_to(self.folder).as_posix())
                if len(found) >= most:
                    return found
        return found

    def file(self, path: str, largest: int) -> str:
        """The text of one of its files. Raises ToolFailed for what lies outside, is no file of text, or too large."""
        parts = path.replace("\\", "/").split("/")
        if not path or "\0" in path or path.startswith(("/", "\\")) or ":" in parts[0] or ".." in parts:
            raise ToolFailed(f"{path!r} does not lie in the skill {self.name!r}; name a path within it")
        try:
            data = _read(self.folder, [part for part in parts if part not in ("", ".")], largest + 1)
        except OSError:
            near = ", ".join(self.files(20))
            raise ToolFailed(f"there is no file {path!r} in the skill {self.name!r}; there are: {near}") from None
        try:
            text = data[:largest].decode("utf-8")
        except UnicodeDecodeError as error:
            if len(data) <= largest or error.start < largest - 4:
                raise ToolFailed(f"{path!r} is no text, so it can't be read") from None
            text = data[: error.start].decode("utf-8")
        return text if len(data) <= largest else f"{text}… [it has more than {largest:,} bytes; this is its beginning]"


def found_in(folder: Path) -> Iterator[Skill]:
    """The skill that a folder is, or those in it. Raises InvalidInput when there is none."""
    if (folder / FILE).is_file():
        yield Skill(folder.resolve() if folder.is_symlink() else folder)  # whoever names a link means where it leads
        return
    inside = sorted(one.parent for one in folder.glob(f"*/{FILE}"))
    if not inside:
        raise InvalidInput(f"there is no skill in {folder}; put a folder with a {FILE} there")
    yield from map(Skill, inside)


def _read(folder: Path, parts: list[str], most: int) -> bytes:
    """A file below a folder, step by step and through no link: what is looked at is what is opened. Raises OSError."""
    if not parts:
        raise FileNotFoundError
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = inner
        file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
        with os.fdopen(file, "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise FileNotFoundError
            return opened.read(most)
    finally:
        os.close(here)


def _parts(folder: Path) -> tuple[dict[str, Any], str]:
    """The front matter of a SKILL.md, and its text."""
    path = folder / FILE
    try:
        data = _read(folder, [FILE], LARGEST + 1)
        whole = data.decode("utf-8")
    except OSError as error:
        linked = next((one for one in (folder, path) if one.is_symlink()), None)
        why = str(error) if linked is None else f"{linked} is a link, which may lead anywhere; name where it leads to"
        raise InvalidInput(f"{path} can't be read: {why}") from None
    except ValueError as error:
        raise InvalidInput(f"{path} can't be read: {error}") from None
    if len(data) > LARGEST:
        raise InvalidInput(
            f"{path} has more than {LARGEST:,} bytes; put what is not always needed into files beside it"
        )
    match = _FRONT.match(whole)
    if match is None:
        raise InvalidInput(f"{path} has no front matter; begin it with '---', name:, description: and '---'")
    try:
        library: Any = importlib.import_module("yaml")
    except ImportError:
        raise InvalidInput(f"{path} needs pyyaml: pip install 'overwinter[toolsets]'") from None
    try:
        said: Any = library.safe_load(match[1])
    except (library.YAMLError, ValueError, RecursionError) as error:  # a date of the 45th, a thousand brackets
        raise InvalidInput(f"the front matter of {path} is no YAML: {str(error)[:300]}") from None
    if not isinstance(said, dict):
        raise InvalidInput(f"the front matter of {path} is no list of fields; write name: and description:")
    return cast("dict[str, Any]", said), match[2]


def _text(said: dict[str, Any], field: str, folder: Path, longest: int) -> str:
    value = said.get(field)
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise InvalidInput(f"{folder / FILE}: {field} is a text of 1 to {longest:,} characters")
    return clean(value.strip())


def _allowed(value: Any, folder: Path) -> tuple[str, ...] | None:
    """The names, as a list or as words. What stands in brackets behind one says more than can be checked here, so such
    a tool is left out."""
    if value is None:
        return None
    names = re.findall(r"[^\s,(]+(?:\([^)]*\))?", value) if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in cast("Sequence[object]", names)):
        raise InvalidInput(f"{folder / FILE}: allowed-tools are names of tools, as a list or in one line")
    return tuple(clean(name) for name in cast("Sequence[str]", names) if "(" not in name)
