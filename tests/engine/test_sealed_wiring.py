"""Keys in the environment seal whatever a DSN names, and a process without them is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.state.errors import StoreSealed
from overwinter.state.sealing.keys import new_key


@workflow
async def order(ctx: Context, card: str) -> str:
    return card


def test_keys_in_the_environment_seal_and_who_has_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", new_key())
    monkeypatch.setenv("OVERWINTER_KEYS", "strict env:SHOP_KEY")
    dsn = f"sqlite:///{tmp_path / 'store.db'}"

    async def main() -> str:
        async with Runtime([order], dsn) as runtime:
            handle = await runtime.start(order, "card 4711", id="e")
            return str(await handle.result())

    assert asyncio.run(main()) == "card 4711"
    assert b"4711" not in (tmp_path / "store.db").read_bytes()
    monkeypatch.delenv("OVERWINTER_KEYS")
    with pytest.raises(StoreSealed, match="OVERWINTER_KEYS"):
        asyncio.run(main())
