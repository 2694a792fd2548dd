"""``overwinter store new-key | reseal | forget-key``: the keys that payloads are sealed with (docs/encryption.md).

``new-key`` prints a secret, so it goes to stdout or to a file that only its owner may read, and nowhere else.
``--json``: new-key ``{"id", "file"}``, and ``"key"`` when it goes into no file; reseal ``{"values", "left": {key id or
"plain": n}, "retired": [key id]}``; forget-key ``{"key", "keys",
"forgotten"}``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import reach
from ..exits import NOT_FOUND, USAGE, Exit
from ..options import by_default, json_option, store_option
from ..view.terminal import emit, interactive, say
from ..view.text import counted

if TYPE_CHECKING:
    from ...state.sealing.rotation import Resealed

PLAIN = "plain"


@click.command(epilog='--json: {id, file}, and "key" when it goes into no file')
@click.option("--file", type=click.Path(dir_okay=False), help="Write it there, for its owner alone.")
@json_option
def new_key_command(file: str | None, as_json: bool) -> None:
    """Make a key: 32 random bytes as base64, on stdout or in a new file."""
    from ...state.sealing.keys import id_of, new_key

    key = new_key()
    id = id_of(key)
    if file is not None:
        _write(Path(file), key)
    if as_json:
        emit({"id": id, "file": file, **({"key": key} if file is None else {})})
        return
    if file is None:
        click.echo(key)
        say(f"key {id}; keep it in a secret manager, and a copy where no copy of the store is", style="dim")
        say("say where it is, never the key itself: OVERWINTER_KEYS=env:NAME or file:/path", style="dim")
    else:
        say(f"key {id} is in {file}; keep a copy where no copy of the store is", style="dim")
        say(f"→ OVERWINTER_KEYS=file:{Path(file).absolute()}", style="dim")


def _write(path: Path, key: str) -> None:
    """A file that nobody else may read, even for a moment. One that is there is some other key: it stays."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        advice = "Nothing was changed: what it holds may be a key. Name another file."
        raise Exit(f"{path} exists already", code=USAGE, advice=advice) from None
    except OSError as error:
        raise Exit(f"{path} can't be written: {error.strerror}", code=USAGE, advice="Name another file.") from None
    with os.fdopen(number, "w", encoding="ascii") as stream:
        stream.write(key + "\n")


@click.command(epilog="--json: {values, left: {key id or plain: n}, retired: [key id]}")
@store_option
@json_option
def reseal_command(store: str, as_json: bool) -> None:
    """Seal all values anew with the first key of OVERWINTER_KEYS, and retire keys that nothing needs any more.

    For when every process has the new list of keys. Journals stay as they are: what is left is counted.
    """
    done = reach.run(_reseal(store))
    if as_json:
        emit({"values": done.values, "left": dict(done.left), "retired": list(done.retired)})
        return
    say(f"{counted(done.values, 'value')} sealed anew")
    for key in done.retired:
        say(f"key {key} is needed by nothing any more: strike it from OVERWINTER_KEYS", style="green")
    for key, count in sorted(done.left.items()):
        what = "not sealed at all" if key == PLAIN else f"still sealed with key {key}"
        say(f"{counted(count, 'text or blob', 'texts and blobs')} {what}")
    if done.left:
        say("they go with their executions (store prune); store move writes everything anew at once", style="dim")


async def _reseal(dsn: str) -> Resealed:
    from ...orchestrator.audit.store_chain import record
    from ...orchestrator.protocol.clock import present
    from ...state.sealing.rotation import reseal
    from ...state.sealing.store import SealedStore

    async with reach.opened(dsn) as store:
        if not isinstance(store, SealedStore):
            advice = "Name the keys first: OVERWINTER_KEYS='file:/new file:/old'; overwinter store new-key makes one."
            raise Exit("there are no keys to seal with", code=USAGE, advice=advice)
        await record(store, "store.reseal", "store", at=await present(store), by=by_default())
        return await reseal(store)


@click.command(epilog="--json: {key, keys, forgotten}")
@click.argument("keys", metavar="KEY_ID…", nargs=-1, required=True)
@click.option("--yes", "-y", is_flag=True, help="Do not ask first.")
@store_option
@json_option
def forget_key_command(keys: tuple[str, ...], yes: bool, store: str, as_json: bool) -> None:
    """Give up keys that are lost for good, so that processes open the store without them.

    What is sealed with KEY_ID stays unreadable and waits; everything else goes on. When the key is found again, name it
    in OVERWINTER_KEYS, and what waits goes on too.
    """
    told = ", ".join(keys)
    if not yes:
        _confirm(told)
    reach.run(_forget(store, keys))
    if as_json:
        emit({"key": keys[0], "keys": list(keys), "forgotten": True})
    else:
        say(f"key {told} is given up: what is sealed with it waits, the rest goes on")


def _confirm(key: str) -> None:
    if not interactive():
        raise Exit(f"give up key {key}?", code=USAGE, advice="Nobody can be asked here: say --yes.")
    click.confirm(f"What is sealed with key {key} can't be read without it. Give it up?", abort=True, err=True)


async def _forget(dsn: str, keys: Sequence[str]) -> None:
    from ...orchestrator.audit.store_chain import record
    from ...orchestrator.protocol.clock import present
    from ...state.opening import open_store
    from ...state.sealing.keys import read_keys
    from ...state.sealing.marker import forget, read
    from ...state.sealing.store import SealedStore

    reach.refuse_absent(dsn)
    bare = open_store(dsn, sealed=False)
    await bare.open()
    try:
        found, held = await read(bare), read_keys()
        known: Mapping[str, str] = {} if found is None else found.marker.keys
        _refuse_unknown(keys, known)
        if without := [id for id in known if id not in keys and (held is None or id not in held.by_id)]:
            advice = (
                "Who gives up a key is written down, sealed: name the other keys in OVERWINTER_KEYS. If they are lost "
                "too, give them up with it: forget-key KEY_ID KEY_ID"
            )
            raise Exit(f"the store is sealed with {', '.join(without)} too", code=USAGE, advice=advice)
        store = bare if held is None else SealedStore(bare, held, but=keys)
        await record(store, "store.forget-key", "store", at=await present(bare), by=by_default(), keys=list(keys))
        for key in keys:
            await forget(bare, key)
    finally:
        await bare.close()


def _refuse_unknown(keys: Sequence[str], known: Collection[str]) -> None:
    for key in keys:
        if key not in known:
            told = f"it is sealed with {', '.join(known)}" if known else "it is not sealed"
            advice = "Key ids are 16 letters and digits."
            raise Exit(f"the store knows no key {key!r}; {told}", code=NOT_FOUND, advice=advice)
