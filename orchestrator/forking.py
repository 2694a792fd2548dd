"""A fork: another execution that goes on from a place in the journal of one that exists, and has no effects.

It is made whole, as an import is, or not at all; the other one is read and not touched. Its first entries are those of
the other one up to that place, the entry ``forked`` says from whom and from where. It has its own trace, and nobody
waits for it. From there on the code, the model and the instructions are those of the process that takes it up, or
those that are given.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from ..security.chain import linked_all, root, without
from ..state.codec import dumps, loads
from ..state.errors import InvalidInput, StoreCorrupt
from ..state.ids import fork_id, fork_of
from ..state.records import Dump, Head
from ..state.store import Store
from ..state.whole import GAP
from .governance.forks import BEGINS, kept, place
from .protocol.callers import TRACE
from .protocol.decider import Fact
from .protocol.entries import decode_all, encode
from .protocol.newer import FORKS, PROTOCOL

LONGEST = 100_000
"""Characters that other instructions may have."""
_PAGE = 1000
_TRIES = 8
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_KINDS = ("workflow", "agent")
_LEFT = (*TRACE, "from", "deadline")
"""What was said of who began the other one, and is not true of the fork: its trace, and until when it was wanted."""
CODE = ("scripted:", "openai-compatible:", "function:")
"""How names of models begin that are no provider's."""


class Wanted(NamedTuple):
    """``model``, ``instructions``: in the place of the agent's own. ``by``: who wants it. ``key``: asked again with the
    same, it is the same fork."""

    model: str = ""
    instructions: str = ""
    by: str = ""
    key: str = ""


async def fork(store: Store, head: Head, at: int | str, wanted: Wanted, now: int) -> str:
    """Make one of the execution with that head, and say what its id is. Raises InvalidInput, StoreError."""
    id, (model, instructions, by, key) = head.id, wanted
    for what, text, most in (("model", model, 200), ("instructions", instructions, LONGEST)):
        if not isinstance(text, str) or len(text) > most:  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput(f"{what} is text of at most {most:,} characters")
    if head.kind not in _KINDS:
        raise InvalidInput(f"{id} is a {head.kind}; only workflows and agents can be forked")
    if (model or instructions) and head.kind != "agent":
        raise InvalidInput(f"{id} is a {head.kind}: it has no model and no instructions of its own to change")
    texts = await _journal(store, head)
    entries = decode_all(texts, 1)
    if (model or instructions) and not any(entry["type"] == "model" for entry in entries):
        raise InvalidInput(f"{id} has asked no model here: it can't be asked another one, or with other instructions")
    if model and model not in {str(entry.get("name")) for entry in entries if entry["type"] == "model"}:
        _check_model(model)
    if any(entry["type"] == "machine" for entry in entries[:50]):
        raise InvalidInput(f"{id} is a state machine, and these can't be forked; `overwinter asl run` tries one out")
    before = place(entries, at)
    stay = [texts[number] for number in kept(entries[:before])]
    told: Fact = {"type": "forked", "at": now, PROTOCOL: FORKS, "from": id, "n": before + 1}
    told |= {name: text for name, text in (("by", by), ("model", model), ("instructions", instructions)) if text}
    made, beside = encode(told)
    texts = [*(_own(without(text)) for text in stay), made]
    blobs = {**await _blobs(store, id, texts), **beside}
    for tries in range(_TRIES):
        named = f"{id}\0{key}\0{tries}".encode()
        new = fork_id(head.function, sha256(named).hexdigest()[:8] if key else secrets.token_hex(4))
        if fork_of(new) != new:
            raise InvalidInput(f"{id} is of the runtime's own function {head.function}, and can't be forked")
        if (there := await _told(store, new)) is not None:
            if key and there.get("from") == id:
                return _same(new, there, told)
            continue
        await _values(store, id, new)  # before it is there, or it might begin without them
        if await store.restore(_dump(head, new, linked_all(root(new), texts)[0], blobs, told)):
            return new
        there = await _told(store, new) or {}
        if key and there.get("from") == id:
            return _same(new, there, told)
    raise InvalidInput("no free id was found for the fork; try again")


def _check_model(model: str) -> None:
    """Raises InvalidInput for what is no plain name. It may come from outside, so it names no module to import, no
    function to call and no address to which a conversation goes."""
    known = "write provider/model, or one of the agent's own"
    if not model.isprintable() or any(part != part.strip() or not part for part in model.split("/")):
        raise InvalidInput(f"{model[:80]!r} can't be the name of a model; {known}")
    if model.startswith(CODE):
        raise InvalidInput(f"{model[:80]!r} is for code to say; {known}")


async def _told(store: Store, new: str) -> Fact | None:
    """What an execution of that id says of where it comes from; None when there is none."""
    head = await store.head(new)
    if head is None:
        return None
    entries = decode_all(await _journal(store, head), 1)
    own = [entry for entry in entries if entry["type"] == "forked"]
    return own[-1] if own else {}  # those before are its origin's


def _same(new: str, there: Fact, told: Fact) -> str:
    """The one that was made already, when it is what is asked for. Raises InvalidInput."""
    if any(there.get(name) != told.get(name) for name in ("n", "model", "instructions")):
        raise InvalidInput(f"under that key {new} was forked from another place, or with other words; use another key")
    return new


def _dump(head: Head, id: str, entries: list[str], blobs: dict[str, bytes], told: Fact) -> Dump:
    now: int = told["at"]
    note = f"fork of {head.id} from entry {told['n']}"
    forked = Head(
        id, head.function, head.kind, "pending", 0, len(entries), 1, 0, None, now, None, now, now, "", note[:500], ""
    )
    return Dump(forked, entries, (), (), blobs)


async def _journal(store: Store, head: Head) -> list[str]:
    texts: list[str] = []
    while len(texts) < head.length:
        more = await store.history(head.id, len(texts), _PAGE)
        if not more:
            break
        texts += more
    if len(texts) < head.length or GAP in texts:
        raise StoreCorrupt(f"entries of {head.id} are missing in the store, and a fork would begin with them")
    return texts


def _own(text: str) -> str:
    """An entry as the fork has it: nobody waits for it, and its trace is another."""
    if not text.startswith(tuple(f'{{"type":"{type}"' for type in BEGINS)):
        return text
    entry: Fact = loads(text)
    entry.pop("parent", None)
    whole: Fact = entry.pop("caller", None) or {}
    caller = {name: said for name, said in whole.items() if name not in _LEFT}
    return dumps(entry | ({"caller": caller} if caller else {}))


async def _blobs(store: Store, id: str, texts: Iterable[str]) -> dict[str, bytes]:
    """What the entries refer to, and what that refers to in turn."""
    found: dict[str, bytes] = {}
    left = {digest for text in texts for digest in _DIGEST.findall(text)}
    while left:
        digest = left.pop()
        body = None if digest in found else await store.blob(id, digest)
        if body is not None:
            found[digest] = body
            left |= {*_DIGEST.findall(body.decode("utf-8", "ignore"))} - found.keys()
    return found


async def _values(store: Store, id: str, new: str) -> None:
    """Its own key-value entries, as they are now."""
    last = ""
    while page := await store.values(id, "", last, _PAGE):
        for key, value in page:
            await store.put(new, key, value.value)
        last = page[-1][0]
