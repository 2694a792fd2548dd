"""How many tokens a text is: by the model's own tokenizer where that is known and lies on this machine, else by an
estimate; ``name`` says by which. Nothing is ever fetched for it.

OpenAI's tokenizers are known by tiktoken, which comes with litellm (``overwinter[llm]``); their files lie in its cache
(``TIKTOKEN_CACHE_DIR``) or with litellm. They are loaded when a first text is counted, which takes a moment.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

from ...orchestrator.usercode.calling import judged
from ...state.errors import InvalidInput

ESTIMATE = "estimate"
PIECE = 16 * 1024
"""Characters that are taken apart at once: some tokenizers are slow with long texts that have no spaces."""
_FILES = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
_PROVIDERS = ("openai/", "azure/", "openai-compatible:")
_LOCK = threading.Lock()


class _Encoding(Protocol):
    def encode_ordinary(self, text: str, /) -> list[int]: ...


class Tokens:
    """Counts for one model. ``given`` is a tokenizer of the user's."""

    def __init__(self, model: str, given: Callable[[str], int] | None = None) -> None:
        self._model = model
        self._given = given

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokens) and (self._model, self._given) == (other._model, other._given)

    def __hash__(self) -> int:
        return hash((self._model, self._given))

    @property
    def name(self) -> str:
        """``o200k_base``, ``estimate``, or the name of the user's function."""
        if self._given is not None:
            return str(getattr(self._given, "__name__", "tokenizer"))
        return ESTIMATE if _encoding(self._model) is None else _encoding_name(self._model)

    def __call__(self, text: str, /) -> int:
        if (given := self._given) is not None:
            try:
                told: object = judged(lambda: given(text), "the tokenizer of History failed")
            except InvalidInput:
                return estimate(text)  # a conversation does not end because one of its texts can't be counted
            return told if type(told) is int and told >= 0 else estimate(text)
        encoding = _encoding(self._model)
        if encoding is None:
            return estimate(text)
        pieces = range(0, len(text), PIECE)
        return sum(len(encoding.encode_ordinary(text[start : start + PIECE])) for start in pieces)


def counter(model: str, given: Callable[[str], int] | None = None) -> Tokens:
    return Tokens(model, given)


def estimate(text: str) -> int:
    """About four bytes are a token: four letters of English, two of Greek, one and a third of Chinese."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


@cache
def _encoding_name(model: str) -> str:
    """What tiktoken calls the tokenizer of that model; "" when there is none, or it does not know."""
    provider = next((one for one in _PROVIDERS if model.startswith(one)), "")
    bare = model.removeprefix(provider).partition("@")[0]
    if find_spec("tiktoken") is None or "/" in bare:
        return ""
    known: Any = import_module("tiktoken.model")
    try:
        return str(known.encoding_name_for_model(bare))
    except KeyError:
        return ""


@cache
def _encoding(model: str) -> _Encoding | None:
    name = _encoding_name(model)
    folder = _folder(name) if name else None
    if folder is None:
        return None
    tiktoken: Any = import_module("tiktoken")
    with _LOCK:  # it is told where its files lie by the environment alone
        before = os.environ.get("TIKTOKEN_CACHE_DIR")
        os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
        try:
            return cast("_Encoding", tiktoken.get_encoding(name))
        except (OSError, ValueError):  # it is there and can't be read
            return None
        finally:
            if before is None:
                del os.environ["TIKTOKEN_CACHE_DIR"]
            else:
                os.environ["TIKTOKEN_CACHE_DIR"] = before


def _folder(name: str) -> Path | None:
    """Where the file of a tokenizer lies; None when it would have to be fetched."""
    key = hashlib.sha1(_FILES.format(name).encode(), usedforsecurity=False).hexdigest()
    own = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    places = [Path(own) if own else Path(tempfile.gettempdir()) / "data-gym-cache"]
    litellm = find_spec("litellm")
    if litellm is not None and litellm.submodule_search_locations:
        places.append(Path(litellm.submodule_search_locations[0]) / "litellm_core_utils" / "tokenizers")
    return next((place for place in places if (place / key).is_file()), None)
