"""Keys by reference; who may open a sealed store; changing keys."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from overwinter.state.codec import dumps, loads
from overwinter.state.contract.case import NOW, change, found, known, lease
from overwinter.state.errors import EtagMismatch, InvalidInput, SchemaMismatch, StoreCorrupt, StoreSealed
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Answer
from overwinter.state.sealing import marker
from overwinter.state.sealing.box import Box, key_of
from overwinter.state.sealing.keys import VARIABLE, new_key, read_keys
from overwinter.state.sealing.rotation import reseal
from overwinter.tests.state.sealing_cases import furnish, keys, make_keys, mark, opened

SECRET = bytes(range(100, 116)) + bytes(range(200, 216))


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    make_keys(monkeypatch)
    monkeypatch.delenv(VARIABLE, raising=False)


# -- references --------------------------------------------------------------------------------------


def test_a_key_may_be_written_in_every_usual_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    written = [
        SECRET.hex(),
        SECRET.hex().upper(),
        base64.b64encode(SECRET).decode(),
        base64.urlsafe_b64encode(SECRET).decode().rstrip("="),
        f"  {SECRET.hex()}\n",
    ]
    for text in written:
        monkeypatch.setenv("K", text)
        (tmp_path / "key").write_text(text)
        assert keys("env:K").first.secret == keys(f"file:{tmp_path / 'key'}").first.secret == SECRET


def test_the_first_seals_and_all_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, " env:NEW,\n env:OLD ")
    read = read_keys()
    assert read is not None and not read.strict
    assert read.first.reference == "env:NEW"
    assert set(read.by_id) == {keys("env:NEW").first.id, keys("env:OLD").first.id}
    assert keys("strict env:NEW").strict
    assert read_keys("") is None and read_keys("env:NEW") == keys("env:NEW")
    monkeypatch.delenv(VARIABLE)
    assert read_keys() is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "has no K"),
        ("hunter2", "no key|bytes instead"),
        ("00" * 32, "not random"),
        ("0123456789abcdef" * 4, "not random"),
        (base64.b64encode(b"correct horse battery staple 123").decode(), "not random"),
        (base64.b64encode(SECRET[:16]).decode(), "16 bytes instead of 32"),
        ("é" * 40, "no key"),
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(text: str, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K", text)
    with pytest.raises(InvalidInput, match=complaint) as refused:
        keys("env:K")
    assert "overwinter store new-key" in str(refused.value)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize(
    "reference",
    ["file:/nowhere/key", "env:", "file:", "strict", " ", ",", SECRET.hex(), base64.b64encode(SECRET).decode()],
)
def test_a_reference_that_leads_nowhere_is_refused(reference: str) -> None:
    """Also what is left of ``"$NEW,$OLD"`` when neither is set: what is meant to be sealed is not written plainly."""
    with pytest.raises(InvalidInput, match=VARIABLE) as refused:
        read_keys(reference)
    assert (
        reference == "strict"
        or len(reference) < 10
        or reference.startswith("file")
        or reference not in str(refused.value)
    )


def test_new_keys_are_keys_and_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {new_key() for _ in range(200)}
    assert len(made) == 200
    for text in made:
        monkeypatch.setenv("K", text)
        assert text not in repr(keys("env:K"))


def test_a_process_without_keys_does_not_load_cryptography() -> None:
    program = (
        "import sys; from overwinter.state.sealing import keys, marker; "
        "assert not [name for name in sys.modules if name.startswith('cryptography')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_the_package_it_is_said_what_to_install() -> None:
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from overwinter.state.errors import InvalidInput\n"
        "try:\n    import overwinter.state.sealing.store\n"
        "except InvalidInput as error:\n    assert 'overwinter[encryption]' in str(error)\n"
        "else:\n    raise SystemExit('it was not refused')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# -- who may open a store ----------------------------------------------------------------------------


def test_a_sealed_store_is_refused_to_a_wrong_key_and_to_none() -> None:
    async def main() -> None:
        inner = MemoryStore()
        await marker.refuse_sealed(inner)
        await mark(inner)
        async with opened(inner) as store:
            await marker.refuse_sealed(store)
        with pytest.raises(StoreSealed, match=keys().first.id) as refused:
            await marker.refuse_sealed(inner)
        assert VARIABLE in str(refused.value)
        with pytest.raises(StoreSealed, match=f"memory:// holds payloads sealed with key {keys().first.id}"):
            async with opened(inner, "env:NEW"):
                raise AssertionError("it was opened")
        await mark(inner, "env:NEW env:OLD")
        with pytest.raises(StoreSealed, match=keys("env:NEW").first.id):  # what was written since is sealed with it
            async with opened(inner):
                raise AssertionError("it was opened")

    asyncio.run(main())


def test_a_refused_store_is_closed_again() -> None:
    class Noting(MemoryStore):
        closed = 0

        async def close(self) -> None:
            self.closed += 1

    async def main() -> None:
        inner = Noting()
        await mark(inner)
        with pytest.raises(StoreSealed):
            async with opened(inner, "env:NEW"):
                raise AssertionError("it was opened")
        assert inner.closed == 2

    asyncio.run(main())


def test_a_forged_marker_is_found_out() -> None:
    async def main() -> None:
        inner = MemoryStore()
        await mark(inner)
        record: dict[str, Any] = loads((await inner.get(marker.SCOPE, marker.KEY) or ("",))[0])
        forged = Box(keys(), "store", "another").seal("known text", "overwinter")
        for wrong, error in (
            ({**record, "keys": {keys().first.id: forged}}, StoreCorrupt),
            ({**record, "format": 2}, SchemaMismatch),
            ({"format": 1}, StoreCorrupt),
            ([], StoreCorrupt),
        ):
            await inner.put(marker.SCOPE, marker.KEY, dumps(wrong))
            with pytest.raises(error):
                async with opened(inner):
                    raise AssertionError("it was opened")

    asyncio.run(main())


def test_what_was_there_before_is_read_as_it_is_unless_strict() -> None:
    async def main() -> None:
        inner = MemoryStore()
        await furnish(inner)
        await inner.put("s", "k", '"plain"')
        async with opened(inner) as store:
            assert list(await store.history("x", 0, 1)) == ['{"type":"first of x"}']
            assert (await store.get("s", "k") or ("",))[0] == '"plain"'
            accepted = await store.accept("x", None, now=NOW, owner="a")
            assert accepted.answer is Answer.GRANTED and known(accepted).note == "note of x"
            await store.append(change(known(accepted), ["sealed from here"], release=True))
            assert list(await store.history("x", 3)) == ["sealed from here"]
            assert await store.blob("x", "sha256:aa") == b"blob of x"
            assert "not sealed" in (await store.survey())[-1].detail
        assert [bool(key_of(text)) for text in await inner.history("x")] == [False] * 3 + [True]
        with pytest.raises(StoreCorrupt, match="strict"):
            async with opened(inner, "strict env:OLD"):
                raise AssertionError("it was opened")

    asyncio.run(main())


def test_a_store_is_moved_by_its_content_and_sealed_with_the_keys_of_its_new_place() -> None:
    async def main() -> None:
        async with opened(MemoryStore()) as old, opened(MemoryStore(), "strict env:NEW") as new:
            await furnish(old)
            dump = await old.dump("x")
            assert dump is not None and await new.restore(dump)
            assert await new.dump("x") == dump
            stored = await new.inner.dump("x")
            assert stored is not None
            held = [*stored.entries, stored.head.state, stored.head.note, *(mail.body for mail in stored.mail)]
            used = {key_of(text) for text in held} | {key_of(content) for content in stored.blobs.values()}
            assert used == {keys("env:NEW").first.id}

    asyncio.run(main())


def test_two_processes_that_seal_for_the_first_time_agree() -> None:
    class Slow(MemoryStore):
        async def get(self, scope: str, key: str) -> Any:
            found = await super().get(scope, key)
            await asyncio.sleep(0)
            return found

    async def main() -> None:
        inner = Slow()
        async with opened(inner, "env:OLD env:NEW") as one, opened(inner, "env:NEW env:OLD") as other:
            await asyncio.gather(one.put("s", "k", "1"), other.put("s", "l", "2"))
        held = await marker.read(inner)
        assert held is not None and set(held.marker.keys) == {keys().first.id, keys("env:NEW").first.id}

    asyncio.run(main())


# -- changing keys -----------------------------------------------------------------------------------


def test_a_key_is_replaced_and_retired_when_nothing_needs_it() -> None:
    async def main() -> None:
        inner, old = MemoryStore(), keys("env:OLD").first.id
        async with opened(inner) as store:
            await furnish(store)
            for number in range(5):
                await store.put("s", str(number), f'"{number}"')
        async with opened(inner, "env:NEW env:OLD") as store:
            await store.put("s", "4", '"4"')
            done = await reseal(store)
            assert (done.values, done.retired) == (4, ())
            assert done.left == {old: 7}  # three entries, mail, blob, state and note
            assert [(await store.get("s", str(number)) or ("",))[0] for number in range(5)] == [
                f'"{n}"' for n in range(5)
            ]
            assert {key_of((await inner.get("s", str(n)) or ("",))[0]) for n in range(5)} == {store.first_key}
            accepted = await store.accept("x", None, now=NOW, owner="a")
            await store.append(change(known(accepted), status="idle", wake=None, consumed=[2], release=True))
            assert await store.delete("x", now=NOW)
            assert await reseal(store) == (0, {}, (old,))
        async with opened(inner, "env:NEW"):
            pass

    asyncio.run(main())


def test_resealing_seals_what_never_was_and_strict_is_possible_then() -> None:
    async def main() -> None:
        inner = MemoryStore()
        await inner.put("s", "k", '"plain"')
        async with opened(inner) as store:
            assert (await reseal(store)).values == 1
        async with opened(inner, "strict env:OLD") as store:
            assert (await store.get("s", "k") or ("",))[0] == '"plain"'

    asyncio.run(main())


def test_resealing_overwrites_nothing_that_is_newer() -> None:
    class Racing(MemoryStore):
        raced = False

        async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
            if etag and scope == "s" and not self.raced:
                self.raced = True
                await super().put(scope, key, '"newer"')
            return await super().put(scope, key, value, etag=etag)

    async def main() -> None:
        inner = Racing()
        await inner.put("s", "k", '"older"')
        async with opened(inner) as store:
            await reseal(store)
            assert inner.raced and (await store.get("s", "k") or ("",))[0] == '"newer"'

    asyncio.run(main())


def test_a_lost_key_can_be_given_up_and_its_executions_wait() -> None:
    async def main() -> None:
        inner = MemoryStore()
        async with opened(inner) as store:
            await furnish(store)
        assert await marker.forget(inner, keys().first.id) is True
        assert await marker.forget(inner, keys().first.id) is False
        async with opened(inner, "env:NEW") as store:
            assert (await store.accept("x", None, now=NOW, owner="b")).answer is Answer.QUEUED
            await lease(store, "y")
            assert (await found(store, "x")).status == "waiting"
            with pytest.raises(EtagMismatch):
                await store.put("s", "k", "1", etag="none")
        assert await marker.forget(inner, keys("env:NEW").first.id) is True
        await marker.refuse_sealed(inner)  # no key is left that it could ask for

    asyncio.run(main())
