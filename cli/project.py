"""The files of a project that ``overwinter new`` writes, for each template."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

TEMPLATES = {
    "agent": "an agent with a tool",
    "workflow": "steps, and an event that is waited for",
    "desk": "an agent, an approval, and a workflow",
}


def files(template: str, name: str, module: str) -> Mapping[str, str]:
    """Paths and texts for the project ``name``, whose code is in ``module``."""
    from .. import __version__
    from .templates import around

    own = _own(template)
    words = {
        "commands": own.COMMANDS,
        "about": own.ABOUT,
        "offline": " on a scripted model" if "Scripted(" in own.APP else "",
        "name": name,
        "module": module,
        "version": __version__,
    }
    texts = {
        f"{module}.py": own.APP,
        f"tests/test_{module}.py": own.TEST,
        "README.md": around.README,
        "pyproject.toml": around.PYPROJECT,
        ".env.example": around.EXAMPLE,
        ".gitignore": around.IGNORE,
        "Dockerfile": around.DOCKERFILE,
        ".dockerignore": around.DOCKERIGNORE,
    }
    return {path: _filled(text, words) for path, text in texts.items()}


def first(template: str, module: str) -> str:
    """What to type first."""
    return _filled(_own(template).FIRST, {"module": module})


def _own(template: str) -> Any:
    return importlib.import_module(f".templates.{template}", __package__)


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():  # in their order: the commands hold words themselves
        text = text.replace("{{" + word + "}}", value)
    return text
