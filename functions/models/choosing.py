"""From what a user writes for ``model=`` to a model. Nothing heavy is imported before the first answer.

``"scripted:echo"`` is built in; ``"scripted:module.name"`` is a script (or a Scripted) in a module that can
be imported; ``"openai-compatible:MODEL@URL"`` is a model of a server that speaks OpenAI's protocol; ``"function:NAME"``
is a model that is a function of its own; every other text is a litellm model such as ``"openai/gpt-5-mini"``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from ...state.errors import InvalidInput
from ...state.ids import check_name
from . import direct, remote
from .litellm import LiteLLM
from .port import Answer, Emit, Model, Request
from .scripted import Scripted, echo
from .vectors import Embeddings

PREFIX = "scripted:"


def choose(model: str | Model) -> Model:
    """The model that is meant. Raises InvalidInput for what is neither text nor a model."""
    if not isinstance(model, str):
        if not hasattr(model, "complete") or not isinstance(getattr(model, "name", None), str):
            raise InvalidInput(f"{model!r} is no model; give a name or an object with name and complete(request)")
        return model
    if not model.strip():
        raise InvalidInput('the model has no name; write one such as "openai/gpt-5-mini" or "scripted:echo"')
    if model.startswith(direct.PREFIX):
        return direct.named(model)
    if model.startswith(remote.PREFIX):
        return remote.FunctionModel(check_name(model.removeprefix(remote.PREFIX), "model", for_models=False))
    if not model.startswith(PREFIX):
        return LiteLLM(_plausible(model))
    name = model.removeprefix(PREFIX)
    if name != "echo" and not ("." in name and all(part.isidentifier() for part in name.split("."))):
        raise InvalidInput(f"{model[:80]!r} names no script; write scripted:echo or scripted:module.name")
    return Scripted(echo, "echo") if name == "echo" else Found(name)


def hosted(model: str) -> str:
    """A name that comes from outside, which may be that of a provider's model alone: nobody may say from there which
    module is imported, which function is called or to which address a conversation goes. Raises InvalidInput."""
    if model.startswith((PREFIX, direct.PREFIX, remote.PREFIX)):
        raise InvalidInput(f"{model[:80]!r} is for code to say; write provider/model, or one of the agent's own")
    return _plausible(model)


def _plausible(model: str) -> str:
    """The name, when some provider could have such a model. Raises InvalidInput."""
    if any(part != part.strip() or not part for part in model.split("/")) or not model.isprintable():
        raise InvalidInput(
            f'{model[:80]!r} can\'t be the name of a model; write provider/model, such as "openai/gpt-5-mini"'
        )
    return model


class Found:
    """A script that lies in a module, looked up when it is first asked."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._model: Scripted | None = None
        self.name = f"scripted/{path}"

    async def complete(self, request: Request) -> Answer:
        return await self._found().complete(request)

    async def stream(self, request: Request, emit: Emit) -> Answer:
        return await self._found().stream(request, emit)

    def wrong(self, settings: Mapping[str, Any]) -> str:
        """Why it can't answer; "" when it can."""
        try:
            self._find()
        except InvalidInput as error:
            return str(error)
        return ""

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, settings: Mapping[str, Any] = {}
    ) -> Embeddings:
        return await self._found().embed(texts, dimensions=dimensions, settings=settings)

    def _found(self) -> Scripted:
        if self._model is None:
            self._model = self._find()
        return self._model

    def _find(self) -> Scripted:
        module, _, name = self._path.rpartition(".")
        try:
            found: Any = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise InvalidInput(
                f"there is no script {self._path!r} ({error}); write scripted:echo or scripted:module.name"
            ) from None
        return found if isinstance(found, Scripted) else Scripted(found, self._path)
