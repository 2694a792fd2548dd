"""A model that is a function of its own: served under a name, with its keys, where it alone lives. It is the only
process that loads litellm; agents anywhere ask it by ``model="function:NAME"``.

What an agent sends is data of somebody who may not be trusted with the keys: of its settings only those that say how to
answer go on, and never where to ask, as whom, or in which other way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...security.redaction import holds_a_secret, remember
from ...state.errors import InvalidInput
from ...state.ids import check_name
from .choosing import choose
from .hosts import Hosts
from .known import known
from .port import Answer, Emit, Model, Request, Streaming
from .vectors import Embedder, Embeddings

HOW = frozenset(
    {
        "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "min_p", "modalities",
        "parallel_tool_calls", "prediction", "presence_penalty", "reasoning", "reasoning_effort", "repetition_penalty",
        "response_format", "seed", "stop", "temperature", "thinking", "tool_choice", "top_k", "top_logprobs", "top_p",
        "user", "verbosity",
    }
)  # fmt: skip
"""Settings that an agent may send along."""


class ModelFunction:
    """``model`` served as the function ``name``.

    ``settings`` are its own (keys, addresses), which no caller sees or changes; ``allow`` names settings that callers
    may send beside the usual ones, ``media_hosts`` the hosts of which they may name images (as an agent's does). Raises
    InvalidInput.

    Example: ``fast = ModelFunction("fast", "openai/gpt-5-mini")`` in a file that ``overwinter serve`` serves.
    """

    kind = "model"
    input = Any
    output = Any

    def __init__(
        self,
        name: str,
        model: str | Model,
        *,
        settings: Mapping[str, Any] | None = None,
        allow: Iterable[str] = (),
        media_hosts: Sequence[str] | str = (),
    ) -> None:
        self.name = check_name(name, "model", for_models=False)
        if any(sign in name for sign in "*:=,"):
            raise InvalidInput(f"the name of a model function holds no *, :, = or comma: {name[:80]!r}")
        if settings is not None and not isinstance(settings, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput(f"the settings of the model function {name!r} are no mapping of names and values")
        self._hosts = Hosts(f"the model function {name}", media_hosts)
        self.model = choose(model)
        if self.model.name.startswith("function:"):
            raise InvalidInput(f"the model function {name!r} asks another one; give it a model of a provider")
        self.settings = dict(settings or {})
        remember(*(value for key, value in self.settings.items() if isinstance(value, str) and holds_a_secret(key)))
        self._allowed = HOW | frozenset((allow,) if isinstance(allow, str) else allow)
        known[self.name] = self

    def __repr__(self) -> str:
        return f"ModelFunction({self.name!r}, {self.model!r})"

    @property
    def description(self) -> str:
        return f"Asks {self.model.name}."

    @property
    def lost(self) -> str:
        """Why it can't answer on this machine, told without loading anything; "" for nothing."""
        absent: Callable[[], str] | None = getattr(self.model, "absent", None)
        return "" if absent is None else absent()

    def prepared(self, request: Request) -> Request:
        """What the model is asked. Raises InvalidInput for a setting, or the address of an image, that callers may not
        send."""
        if refused := sorted(set(request.settings) - self._allowed):
            raise InvalidInput(
                f"the setting {refused[0]!r} is not taken from callers of the model function {self.name!r}; set it "
                "there, or name it in its allow"
            )
        for part in (part for message in request.messages for part in message.parts if part.url):
            if why := self._hosts.refusal(part.url):
                raise InvalidInput(why)
        return request._replace(model=self.model.name, settings={**request.settings, **self.settings})

    async def complete(self, request: Request) -> Answer:
        return self._named(await self.model.complete(self.prepared(request)))

    async def stream(self, request: Request, emit: Emit) -> Answer:
        """As ``complete``, piece by piece where the model can."""
        if isinstance(self.model, Streaming):
            return self._named(await self.model.stream(self.prepared(request), emit))
        return await self.complete(request)

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, settings: Mapping[str, Any] = {}
    ) -> Embeddings:
        """See ``vectors``. Raises InvalidInput when its model does not embed."""
        if not isinstance(self.model, Embedder):
            raise InvalidInput(f"the model function {self.name!r} does not embed; serve a model that does")
        own = self.prepared(Request(self.name, (), settings=settings)).settings
        return await self.model.embed(texts, dimensions=dimensions, settings=own)

    def _named(self, answer: Answer) -> Answer:
        return answer if answer.model else answer._replace(model=self.model.name)
