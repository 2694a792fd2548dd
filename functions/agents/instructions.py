"""What an agent's model is told before everything else: text, a function of what the turn is about, a template in a
file, or several of them, joined by empty lines.

All of it is pure: the same for the same input, whoever asks and when. A template is checked when the agent is made,
against the fields of the agent's ``input``; Jinja2 is imported then and by nothing else.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol, cast

from ...state.codec import copied, decoder
from ...state.errors import InvalidInput


class Template:
    """A Jinja2 template in a file, relative to the file that says ``Template(…)``, or to ``folder``.

    Its variables are ``input`` (what the turn is about, typed) and the fields of it, when it has some. It may include
    and extend templates of its own folder and those below. It can't change anything, and has no clock and nothing
    random. A file that is changed is read again for the next model call, also of a session that is under way.
    """

    def __init__(self, path: str | os.PathLike[str], *, folder: str | os.PathLike[str] | None = None) -> None:
        self.path = (_caller() if folder is None else Path(folder)).absolute() / path

    def __repr__(self) -> str:
        return f"Template({str(self.path)!r})"


Part = str | Template | Callable[[Any], str]
Instructions = Part | Iterable[Part]


class _Written(Protocol):
    def render(self, value: Any) -> str: ...


class Told:
    """The instructions of the agent ``agent``, for inputs of the type ``input``. Raises InvalidInput for what can't
    work."""

    def __init__(self, agent: str, given: Instructions, input: Any) -> None:
        self._input = input
        one = isinstance(given, (str, Template)) or callable(given)
        parts = cast("Iterable[Part]", [given] if one else given)
        if not isinstance(parts, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise _unfit(agent, parts)
        self._parts = [self._part(agent, part) for part in parts]

    def __call__(self, content: Any) -> str:
        """For a turn that is about ``content``, as plain JSON."""
        if all(isinstance(part, str) for part in self._parts):
            return _joined(cast("list[str]", self._parts))
        read = decoder(self._input)
        typed = copied(content) if read is None else read(content)
        return _joined([part if isinstance(part, str) else part(typed) for part in self._parts])

    def _part(self, agent: str, part: object) -> str | Callable[[Any], str]:
        if isinstance(part, str):
            return part
        if isinstance(part, Template):
            return _written(part, self._input).render
        if not callable(part) or isinstance(part, type) or inspect.iscoroutinefunction(part):
            raise _unfit(agent, part)
        return cast("Callable[[Any], str]", part)


def _written(template: Template, input: Any) -> _Written:
    try:
        from .templates import Written
    except ImportError as error:
        raise InvalidInput(f"templates need Jinja2 ({error}): pip install 'overwinter[templates]'") from None
    return Written(template.path, input)


def _joined(parts: Iterable[object]) -> str:
    texts = [part if isinstance(part, str) else _refused(part) for part in parts]
    return texts[0] if len(texts) == 1 else "\n\n".join(text for text in texts if text.strip())


def _refused(part: object) -> str:
    raise InvalidInput(f"a function of an agent's instructions returned {part!r:.80}; it is to return text")


def _unfit(agent: str, part: object) -> InvalidInput:
    return InvalidInput(
        f"instructions of agent {agent!r}: {part!r:.80} is none; give text, a plain function of the input that returns "
        'text, Template("prompts/desk.j2"), or several of these in a list'
    )


def _caller() -> Path:
    """The folder of the file that makes a Template; the current one, where there is no file."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    file = None if frame is None else frame.f_globals.get("__file__")
    return Path(file).parent if isinstance(file, str) else Path.cwd()
