"""``overwinter store init``: the store is there and can be used when this returns.

``--json``: ``{"store", "created", "executions"}``.
"""

from __future__ import annotations

from typing import NamedTuple

import click

from ...state.errors import StoreError
from .. import reach
from ..options import json_option, store_option


class Made(NamedTuple):
    """The store's DSN without secrets, whether it is new, and how many executions it holds."""

    store: str
    created: bool
    executions: int


@click.command(epilog="--json: {store, created, executions}")
@store_option
@json_option
def init_command(store: str, as_json: bool) -> None:
    """Make the store (file, table, bucket) if it is not there, and bring an older one up to date."""
    made = reach.run(_init(store))
    if as_json:
        from ..view.terminal import emit

        emit(made._asdict())
        return
    from ..view.terminal import say
    from ..view.text import counted

    if made.created:
        say(f"made {made.store}", style="green")
    else:
        say(f"{made.store} is there, with {counted(made.executions, 'execution')}")


async def _init(dsn: str) -> Made:
    from ...orchestrator.reading import Reading
    from ...security.address import shown
    from ...state.opening import open_store

    path = reach.sqlite_path(dsn)
    store = open_store(dsn)
    created = path is not None and not path.exists()
    try:
        await store.open()
    except StoreError:
        await store.create()
        await store.open()
        created = True
    try:
        return Made(shown(dsn), created, sum((await Reading(store).counts()).values()))
    finally:
        await store.close()
