"""Proof that the chains of a store hold: what was changed, taken out or put elsewhere is named.

``anchors`` are links that were kept elsewhere (an export): each must still be where it was, or a record of the store's
chain must say that its execution was deleted. Without one, whoever can write everything can make everything anew,
unless links are keyed: where the store has a key (``Store.audit_key``), entries that were not linked with it are found
too, but for those that were there before (``keyed_from``).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple, cast

from ...security.chain import Proof, link_of, root
from ...state.errors import OverwinterError, StoreCorrupt, StoreSealed, StoreUnavailable
from ...state.ids import AUDIT, CHAIN
from ...state.records import EVERYTHING, Filter, Head
from ...state.store import Store
from ...state.whole import GAP
from ..protocol.entries import shown_anyway
from ..protocol.media import digests
from . import keyed_from, store_chain
from .reading import STORE
from .store_chain import SEALED

_PAGE = 500
_NO_KEY = (
    "is not linked with the key of the audit: it was changed, or written by a process without that key, or was there "
    "before and nobody has said so (overwinter audit key)"
)
_UNOPENED = "is sealed with a key that is not here: nobody can say whether it was changed"
MOST = 20
"""Findings of one chain that are told."""


class Anchor(NamedTuple):
    """A link that was kept elsewhere: that of entry ``n`` of a chain."""

    chain: str
    n: int
    link: str


class Finding(NamedTuple):
    """What does not hold. ``n`` is the number of the entry, 0 when it is the chain as a whole."""

    chain: str
    n: int
    what: str


class Proven(NamedTuple):
    """One chain that was looked at, of ``function`` ("": of the store). ``begins`` is its first entry with a link (0:
    it has none), ``link`` that of its last. ``unkeyed``: how many were not linked with the first key that is here;
    ``unchecked``: how many were linked with a key that is not, by the beginning of its id."""

    chain: str
    function: str
    entries: int
    begins: int
    link: str
    findings: tuple[Finding, ...]
    unkeyed: int = 0
    unchecked: Mapping[str, int] = {}


async def prove(
    store: Store, where: Filter = EVERYTHING, anchors: Iterable[Anchor] = (), *, keyed: bool = True
) -> AsyncGenerator[Proven]:
    """Look at the store's chains, then at every execution that matches, then for anchors that nothing holds. Without
    ``keyed`` an entry may be linked without a key. Raises StoreUnavailable."""
    kept: dict[str, list[Anchor]] = {}
    for anchor in anchors:
        kept.setdefault(anchor.chain, []).append(anchor)
    gone: dict[str, list[Mapping[str, Any]]] = {}
    own = await store_chain.current(store)
    chains = await store_chain.names(store)
    for name in chains:
        yield await _of_store(store, name, kept.pop(f"{STORE}{name}", ()), gone, lags=name != own, keyed=keyed)
    if chains and own not in chains:
        yield Proven(
            STORE, "", 0, 0, "", (Finding(STORE, 0, "the chain that is the store's own is gone, or is not named"),)
        )
    cursor: str | None = None
    while True:
        page = await store.executions(where, cursor, 100)
        for head in page.heads:
            yield await prove_one(store, head, kept.pop(head.id, ()), gone.get(head.id, ()), keyed=keyed)
        cursor = page.cursor
        if cursor is None:
            break
    for chain, missing in kept.items():
        if CHAIN.fullmatch(chain) or (where == EVERYTHING and not gone.get(chain)):
            what = "is gone, and no record says that it was deleted"
            yield Proven(chain, "", 0, 0, "", (Finding(chain, missing[-1].n, what),))


async def prove_one(
    store: Store,
    head: Head,
    anchors: Collection[Anchor] = (),
    gone: Collection[Mapping[str, Any]] = (),
    *,
    keyed: bool = True,
) -> Proven:
    """Look at one journal. ``gone``: what the store's chain says of deletions of executions with this id."""
    wanted = {anchor.n: anchor.link for anchor in anchors}
    proof, said = Proof(root(head.id), store.audit_key), list[Finding]()
    now: Head | None = head
    whole = True
    try:
        while texts := await store.history(head.id, proof.number, _PAGE):
            for text in texts:
                proof.take(text, "" if text != GAP else "is missing, or is no text")
                _anchored(proof, wanted, said, head.id, was_deleted=bool(gone))
                said += [Finding(head.id, proof.number, what) for what in await _beside(store, head.id, text)]
        if proof.number != head.length:
            now = await store.head(head.id)  # it may have gone on, or have been deleted, meanwhile
    except StoreUnavailable:
        raise
    except OverwinterError as error:  # what a store makes of a row that was changed is its own
        said.append(Finding(head.id, proof.number + 1, f"can't be read: {error}"))
        whole = False  # what comes after it is not known, and nobody says that it is not there
    if now is not None:
        said += [Finding(head.id, broken.number, broken.what) for broken in proof.broken]
        said += _counted(now, head, proof.number) if whole else []
        said += await _unkeyed(store, head.id, proof) if keyed and whole else []
        if whole and not gone:
            lost = [n for n in wanted if n > proof.number]
            said += [Finding(head.id, n, "was there when the anchor was made, and is gone") for n in lost]
    return _proven(head.id, head.function, proof, said)


def _proven(chain: str, function: str, proof: Proof, said: Sequence[Finding]) -> Proven:
    unkeyed = sum(last - first + 1 for first, last in proof.unkeyed)
    said, unchecked = tuple(said[:MOST]), dict(proof.unchecked)
    return Proven(chain, function, proof.number, proof.begins, proof.last, said, unkeyed, unchecked)


async def _unkeyed(store: Store, chain: str, proof: Proof) -> list[Finding]:
    """Entries that should have been linked with the key and were not, told as one."""
    if store.audit_key is None or not proof.unkeyed:
        return []
    since = await keyed_from.kept(store, store.audit_key, chain)
    if since is not None and (changed := await changed_since(store, chain, since, proof.number)):
        return changed
    free = 0 if since is None else since.n
    late = [(max(first, free + 1), last) for first, last in proof.unkeyed if last > free]
    if not late:
        return []
    count = sum(last - first + 1 for first, last in late)
    more = f", and {count - 1:,} more" if count > 1 else ""
    return [Finding(chain, late[0][0], f"{_NO_KEY}{more}")]


async def changed_since(store: Store, chain: str, since: keyed_from.From, entries: int) -> list[Finding]:
    """What is not as it was when a chain, which has so many entries, was keyed."""
    if since.n > entries:
        return [Finding(chain, since.n, "was there when the audit was keyed, and is gone")]
    if await _link_at(store, chain, since.n) != since.link:
        return [Finding(chain, since.n, "is another one than when the audit was keyed")]
    return []


async def _link_at(store: Store, chain: str, number: int) -> str:
    if not CHAIN.fullmatch(chain):
        found = await store.history(chain, number - 1, 1)
        return link_of(found[0]) if found else ""
    record = await store.get(AUDIT, store_chain.key(chain.removeprefix(STORE), number))
    return "" if record is None else link_of(record.value)


async def _beside(store: Store, id: str, text: str) -> list[str]:
    """What an entry names by its digest, and keeps beside itself, is there and is that."""
    if '"sha256:' not in text:
        return []
    fact = shown_anyway(text, 0)
    wrong: list[str] = []
    references = [fact.get("blob"), *digests(fact)]
    for reference in (cast("dict[str, Any]", one) for one in references if isinstance(one, dict)):
        digest = reference.get("digest")
        if isinstance(digest, str):
            content = await store.blob(id, digest)
            if content is None or "sha256:" + hashlib.sha256(content).hexdigest() != digest:
                wrong.append(f"names {digest[:23]}…, which {'is missing' if content is None else 'was changed'}")
    return wrong


def _counted(now: Head, before: Head, number: int) -> list[Finding]:
    if number < before.length:
        return [Finding(now.id, number + 1, f"is missing: the head counts {before.length} entries")]
    if number > now.length:
        return [Finding(now.id, now.length + 1, f"was added: the head counts {now.length} entries")]
    return []


def _anchored(proof: Proof, wanted: Mapping[int, str], said: list[Finding], chain: str, *, was_deleted: bool) -> None:
    link = wanted.get(proof.number)
    if link is not None and link != proof.last and not was_deleted:
        said.append(Finding(chain, proof.number, "is another one than when the anchor was made"))


async def _of_store(
    store: Store,
    name: str,
    anchors: Collection[Anchor],
    gone: dict[str, list[Mapping[str, Any]]],
    *,
    lags: bool,
    keyed: bool,
) -> Proven:
    """Look at one of the store's chains, and note what it says of deletions. ``lags``: it is another store's, and was
    imported more than once."""
    chain, wanted = f"{STORE}{name}", {anchor.n: anchor.link for anchor in anchors}
    proof, said = Proof(store_chain.root_of(name), store.audit_key), list[Finding]()
    links: dict[int, str] = {}
    async with aclosing(store_chain.texts(store, name)) as records:
        async for number, text in records:
            proof.gap(number - 1)
            links[number] = link_of(text)
            proof.take(text, "" if links[number] else _UNOPENED if text == SEALED else "has no link: it was changed")
            _anchored(proof, wanted, said, chain, was_deleted=False)
            told = store_chain.read(text)
            if text != SEALED and told.get("n") != number:
                said.append(Finding(chain, number, f"says that it is record {told.get('n')!r:.20}"))
            for one in _deleted(told):
                gone.setdefault(str(one.get("id")), []).append(one)
    said = [*(Finding(chain, broken.number, broken.what) for broken in proof.broken), *said]
    said += await _head(store, name, proof, links, lags=lags)
    said += await _unkeyed(store, chain, proof) if keyed else []
    said += [Finding(chain, n, "was there when the anchor was made, and is gone") for n in wanted if n > proof.number]
    return _proven(chain, "", proof, said)


async def _head(store: Store, name: str, proof: Proof, links: Mapping[int, str], *, lags: bool) -> list[Finding]:
    """The head tells of nothing that is not there. It may lag: the next who writes moves it on."""
    chain = f"{STORE}{name}"
    try:
        found = await store.get(AUDIT, f"{name}/{store_chain.HEAD}")
        head = store_chain.reached(found)
    except (StoreCorrupt, StoreSealed) as error:
        return [Finding(chain, 0, str(error))]
    if found is None:
        return [Finding(chain, 0, "has no head: it was taken out")] if proof.number > 1 else []
    if head.n < proof.number - 1 and not lags:
        return [Finding(chain, 0, f"its head says {head.n}, and there are {proof.number} records")]
    if head.n > proof.number:
        again = await store.get(AUDIT, store_chain.key(name, head.n))
        if again is None:
            return [Finding(chain, head.n, f"is missing: its head says {head.n}, and {proof.number} are there")]
    elif head.link != links.get(head.n, ""):
        return [Finding(chain, head.n, "is another one than the head of the chain says")]
    return []


def _deleted(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found: Any = told.get("deleted")
    if not isinstance(found, list):
        return []
    return [one for one in found if isinstance(one, dict)]  # pyright: ignore[reportUnknownVariableType]


async def holds(store: Store, proven: Iterable[Proven], link: str) -> bool:
    """Whether any of these chains has that link anywhere."""
    for one in proven:
        if one.link == link:
            return True
        if not one.function:
            async with aclosing(store_chain.texts(store, one.chain.removeprefix(STORE))) as records:
                async for _, text in records:
                    if link_of(text) == link:
                        return True
            continue
        number = 0
        while entries := await store.history(one.chain, number, _PAGE):
            if any(link_of(text) == link for text in entries):
                return True
            number += len(entries)
    return False
