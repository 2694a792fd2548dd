"""The back office's documents, with the process killed at every transition: each is booked once or not at all, and
whatever a document, a model or a person does wrong, nothing of it is lost. The model is the scripted one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overwinter import Final
from overwinter.functions.invocation.loading import load
from overwinter.functions.triggers.source import ATTRIBUTE, triggers_of
from overwinter.testing import Report, World, crash_everywhere, simulate

EXAMPLE = Path(__file__).parents[2] / "examples" / "back_office"
MEMORY = Path("/dev/shm")


class Office(NamedTuple):
    """The example, in a folder of its own."""

    module: Any
    papers: Any
    folder: Path

    def empty(self) -> None:
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (self.folder / "inbox").mkdir()

    def arrive(self, name: str, document: bytes) -> dict[str, str]:
        path = self.folder / "inbox" / name
        if not path.exists():
            path.write_bytes(document)
        return {"path": str(path), "name": name}

    def rows(self) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.folder / "books.db") as books:
            return books.execute("SELECT number, order_id, total, approved_by FROM invoices ORDER BY 1").fetchall()

    def files(self) -> dict[str, int]:
        """How many there are in each folder."""
        return {path.name: len(list(path.iterdir())) for path in self.folder.iterdir() if path.is_dir()}

    def crash(self, scenario: Callable[[World], Awaitable[Any]]) -> Report:
        """Through a crash at every point, with what is in the books and the folders at the end."""

        async def whole(world: World) -> Any:
            found = await scenario(world)
            return found, self.rows(), self.files()

        return crash_everywhere(whole, functions=[self.module.file_invoice], fresh=self.empty)


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where the system has that: what is killed here is a process and not the machine."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made) / "office"


@pytest.fixture
def office(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setenv("BACK_OFFICE", str(folder))
    module = load(EXAMPLE / "back_office.py")
    (inbox,) = triggers_of(module.file_invoice.__overwinter__)
    assert str(inbox.source.name) == f"folder {folder}/inbox *.pdf"
    monkeypatch.setattr(module.file_invoice.__overwinter__, ATTRIBUTE, ())  # it would look every two virtual seconds
    return Office(module, load(EXAMPLE / "papers.py"), folder)


def decide(action: str, **fields: Any) -> dict[str, Any]:
    return {"by": "ana", "action": action, **fields}


def test_what_is_in_order_is_booked_once(office: Office) -> None:
    async def scenario(world: World) -> Any:
        arrived = office.arrive("71.pdf", office.papers.SAMPLES["lumen-71.pdf"])
        return await (await world.start(office.module.file_invoice, arrived, id="d")).result()

    report = office.crash(scenario)
    filed, rows, files = report.outcome.value
    assert (filed.outcome, filed.number, filed.total) == ("booked", "LL-71", Decimal("119.00"))
    assert rows == [("LL-71", "PO-1001", "119.00", "")]
    assert files == {"inbox": 0, "archive": 1, "booked": 1}
    (kept,) = (office.folder / "archive").iterdir()
    assert kept.name == f"{hashlib.sha256(kept.read_bytes()).hexdigest()}.pdf"
    assert report.points > 20 and report.executions == 4  # the document, its reading, and twice the reader


@pytest.mark.parametrize("agrees", [True, False])
def test_a_large_one_waits_for_days_for_whoever_approves(office: Office, agrees: bool) -> None:
    async def scenario(world: World) -> Any:
        arrived = office.arrive("72.pdf", office.papers.SAMPLES["lumen-72.pdf"])
        run = await world.start(office.module.file_invoice, arrived, id="d")
        await world.sleep("9d")
        (asked,) = world.open_approvals("d")
        assert (asked["role"], asked["data"]["total"]) == ("head-of-accounts", "2380.00")
        assert office.rows() == []
        await (world.approve("d", by="ben") if agrees else world.deny("d", by="ben", reason="too dear"))
        return await run.result()

    filed, rows, files = office.crash(scenario).outcome.value
    if agrees:
        assert (filed.outcome, filed.approved_by) == ("booked", "ben")
        assert rows == [("LL-72", "PO-1002", "2380.00", "ben")]
    else:
        assert filed.outcome == "rejected" and "too dear" in filed.reason
        assert rows == [] and files["rejected"] == 1


def test_an_exception_waits_for_a_person_who_is_reminded(office: Office) -> None:
    async def scenario(world: World) -> Any:
        arrived = office.arrive("73.pdf", office.papers.SAMPLES["lumen-73.pdf"])
        run = await world.start(office.module.file_invoice, arrived, id="d")
        await world.sleep("5d")
        (office.folder / "inbox" / "73.pdf").unlink()  # somebody tidied up: it is in the archive
        await world.signal("d", "decision", decide("correct", changes={"order": "PO-1099"}))  # there is none either
        await world.sleep("1d")
        await world.signal("d", "decision", decide("correct", changes={"order": "PO-1003"}))
        return await run.result()

    filed, rows, files = office.crash(scenario).outcome.value
    assert (filed.outcome, filed.number) == ("booked", "LL-73")
    assert rows == [("LL-73", "PO-1003", "59.50", "")]
    assert files == {"inbox": 0, "archive": 1, "booked": 1, "reminders": 2}


def test_nobody_decides_and_it_is_put_away_with_the_reason(office: Office) -> None:
    async def scenario(world: World) -> Any:
        arrived = office.arrive("74.pdf", office.papers.SAMPLES["lumen-74.pdf"])
        return await (await world.start(office.module.file_invoice, arrived, id="d")).result()

    filed, rows, files = office.crash(scenario).outcome.value
    assert filed.outcome == "rejected"
    assert filed.reason.startswith("nobody has decided: Lumen Lighting GmbH is paid at DE02120300000000202051, and not")
    assert rows == [] and files == {"inbox": 0, "archive": 1, "rejected": 1, "reminders": 7}


def test_a_scan_is_typed_in_by_hand_also_in_two_parts(office: Office) -> None:
    said = {"supplier": "Lumen Lighting GmbH", "number": "LL-75", "order": "PO-1003"}

    async def scenario(world: World) -> Any:
        run = await world.start(office.module.file_invoice, office.arrive("s.pdf", office.papers.pdf([])), id="d")
        await world.reached("d", "waiting")
        await world.signal("d", "decision", decide("correct", changes=said))
        sums = {"net": "10.00", "vat": "1.90", "total": "11.90", "iban": "DE02120300000000202051"}
        await world.signal("d", "decision", decide("correct", changes=sums))
        return await run.result()

    filed, rows, _ = office.crash(scenario).outcome.value
    assert filed.outcome == "booked" and rows == [("LL-75", "PO-1003", "11.90", "")]


@pytest.mark.parametrize("at_once", [True, False])
def test_the_same_document_is_booked_once_under_whatever_name(office: Office, at_once: bool) -> None:
    async def scenario(world: World) -> Any:
        document = office.papers.SAMPLES["lumen-71.pdf"]
        runs: list[Any] = []
        for name in ("a.pdf", "b.pdf"):
            runs.append(await world.start(office.module.file_invoice, office.arrive(name, document), id=name))
            if not at_once:
                await runs[-1].result()
        return sorted([(await run.result()).outcome for run in runs])

    outcomes, rows, files = office.crash(scenario).outcome.value
    assert outcomes == ["booked", "duplicate"]
    assert len(rows) == 1 and files == {"inbox": 0, "archive": 1, "booked": 1, "duplicate": 1}


def test_what_was_booked_while_an_approval_was_open_is_seen(office: Office) -> None:
    """Both are checked while nothing is booked; the order has money for one of them."""

    async def scenario(world: World) -> Any:
        runs: list[Any] = []
        for number in ("LL-1", "LL-2"):
            document = office.papers.invoice(number, "PO-1002", "1200.00", "228.00", "1428.00")
            arrived = office.arrive(f"{number}.pdf", document)
            runs.append(await world.start(office.module.file_invoice, arrived, id=number))
        await world.until(lambda: all(world.open_approvals(run.id) for run in runs) or None)
        for run in runs:
            await world.approve(run.id, by="ben")
            if run.id == "LL-1":
                await run.result()
        await world.sleep("1d")
        await world.signal("LL-2", "decision", decide("reject", reason="send a corrected one"))
        return [(await run.result()).reason for run in runs]

    reasons, rows, _ = office.crash(scenario).outcome.value
    assert reasons == ["", "ana: send a corrected one"]
    assert rows == [("LL-1", "PO-1002", "1428.00", "ben")]


def test_books_that_were_put_right_are_looked_at_again(office: Office) -> None:
    async def scenario(world: World) -> Any:
        arrived = office.arrive("73.pdf", office.papers.SAMPLES["lumen-73.pdf"])
        run = await world.start(office.module.file_invoice, arrived, id="d")
        await world.sleep("1d")
        with sqlite3.connect(office.folder / "books.db") as books:
            books.execute("INSERT OR IGNORE INTO orders VALUES('PO-1077', 'Lumen Lighting GmbH', '59.50')")
        await world.signal("d", "decision", decide("again"))
        return await run.result()

    filed, rows, _ = office.crash(scenario).outcome.value
    assert filed.outcome == "booked" and rows == [("LL-73", "PO-1077", "59.50", "")]


def test_a_model_that_fails_leaves_the_document_to_a_person(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(messages: Any, tools: Any) -> str:
        raise Final("no model today")

    script = office.module.reader.models[0]
    monkeypatch.setattr(script, "_script", fails, raising=True)

    async def scenario(world: World) -> Any:
        arrived = office.arrive("71.pdf", office.papers.SAMPLES["lumen-71.pdf"])
        run = await world.start(office.module.file_invoice, arrived, id="d")
        await world.reached("d", "waiting")
        await world.signal("d", "decision", decide("reject", reason="by hand, then"))
        return await run.result()

    filed, rows, _ = office.crash(scenario).outcome.value
    assert (filed.outcome, filed.reason, rows) == ("rejected", "ana: by hand, then", [])


@pytest.mark.parametrize("total", ["-5950.00", "0.00"])
def test_what_is_nothing_to_pay_is_looked_at_by_a_person_and_frees_no_money(office: Office, total: str) -> None:
    """Below the sum that needs an approval, it would raise what is left of the order."""

    async def scenario(world: World) -> Any:
        arrived = office.arrive("c.pdf", office.papers.invoice("LL-95", "PO-1003", total, "0.00", total))
        run = await world.start(office.module.file_invoice, arrived, id="d")
        await world.reached("d", "waiting")
        await world.signal("d", "decision", decide("reject", reason="a credit note"))
        return await run.result()

    filed, rows, _ = office.crash(scenario).outcome.value
    assert (filed.reason, rows) == ("ana: a credit note", [])


@pytest.mark.parametrize("name", ["n" * 251 + ".pdf", "🦉" * 62 + "..pdf"])
@pytest.mark.parametrize("order", ["PO-1003", "PO-1077"])
def test_the_longest_of_names_is_booked_reminded_of_and_put_away(office: Office, name: str, order: str) -> None:
    async def scenario(world: World) -> Any:
        arrived = office.arrive(name, office.papers.invoice("LL-90", order, "10.00", "1.90", "11.90"))
        return await (await world.start(office.module.file_invoice, arrived, id="d")).result()

    outcome = simulate(scenario, functions=[office.module.file_invoice]).outcome
    assert outcome == ("booked" if order == "PO-1003" else "rejected")
    assert (office.files()["inbox"], office.files()[outcome]) == (0, 1)
    assert (office.folder / "reminders").exists() == (order == "PO-1077")


def test_two_documents_of_one_name_are_reminded_of_apart(office: Office) -> None:
    for digest in ("a" * 64, "b" * 64):
        office.module.remind("scan.pdf", digest, ["no text"], 1)
    assert office.files()["reminders"] == 2


# -- documents and books by themselves ---------------------------------------------------------------------------


@given(st.lists(st.text("äöü€ \\()abcXYZ019.,-", min_size=1, max_size=30).filter(lambda line: line == line.strip())))
def test_what_is_written_into_a_document_is_read_from_it(lines: list[str]) -> None:
    papers = load(EXAMPLE / "papers.py")
    document = papers.pdf(lines)
    if lines:
        assert papers.text_of(document).split() == " ".join(lines).split()
    else:
        with pytest.raises(papers.Unreadable, match="no text"):
            papers.text_of(document)


def sample() -> bytes:
    document: bytes = load(EXAMPLE / "papers.py").SAMPLES["lumen-71.pdf"]
    return document


WHOLE = sample()
CUT = st.integers(0, len(WHOLE)).map(lambda place: WHOLE[:place])
NOISE = st.builds(
    lambda place, noise: WHOLE[:place] + noise + WHOLE[place + len(noise) :],
    st.integers(0, len(WHOLE)),
    st.binary(min_size=1, max_size=8),
)


@example(WHOLE.replace(b"/FlateDecode", b"/FlateDecade"))
@example(b"")
@given(CUT | NOISE)
def test_a_broken_document_is_unreadable_and_nothing_worse(broken: bytes) -> None:
    papers = load(EXAMPLE / "papers.py")
    try:
        assert papers.text_of(broken)
    except papers.Unreadable as error:
        assert str(error)


def test_a_font_that_maps_to_no_character_gives_text_that_can_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    papers = load(EXAMPLE / "papers.py")
    page = type("Page", (), {"extract_text": lambda self: "Invoice \ud800 LL-1"})()  # as pypdf gives it for <D800>
    monkeypatch.setattr(papers, "PdfReader", lambda stream: type("Read", (), {"pages": [page]})())
    assert papers.text_of(b"").encode() == b"Invoice ? LL-1"


@given(st.lists(st.tuples(st.sampled_from(["1", "2", "3", "4"]), st.integers(1, 120)), max_size=12))
def test_an_order_is_never_invoiced_beyond_its_total(sent: list[tuple[str, int]]) -> None:
    load(EXAMPLE / "back_office.py")
    books = sys.modules["books"]
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(books.SCHEMA)
        entered: dict[str, int] = {}
        for key, (number, total) in enumerate(sent):
            invoice = books.Invoice(
                supplier="Lumen Lighting GmbH", number=number, order="PO-1003", net=total, vat=0, total=total,
                iban="DE02120300000000202051",
            )  # fmt: skip
            wrong = books.enter(connection, invoice, f"d{key}", key=str(key), approved_by="")
            assert books.enter(connection, invoice, f"d{key}", key=str(key), approved_by="") == [] or wrong
            assert bool(wrong) == (number in entered or sum(entered.values()) + total > 200)
            if not wrong:
                entered[number] = total
        rows = connection.execute("SELECT number, total FROM invoices").fetchall()
    assert {number: int(total) for number, total in rows} == entered


# -- real processes ----------------------------------------------------------------------------------------------


DONE = {"inbox": 0, "archive": 12, "booked": 12}


def test_killed_again_and_again_it_books_each_document_once(office: Office, tmp_path: Path) -> None:
    """Three documents arrive at a time, and the dev server is killed with SIGKILL as soon as one of them is booked."""
    orders = [f"PO-{number}" for number in range(1, 13)]
    with sqlite3.connect(office.folder / "books.db") as books:
        books.executescript(sys.modules["books"].SCHEMA)
        for order in orders:
            books.execute("INSERT INTO orders VALUES(?, 'Lumen Lighting GmbH', '119.00')", (order,))
    deadline = time.monotonic() + 90
    for wave in range(4):
        for order in orders[3 * wave : 3 * wave + 3]:
            office.arrive(f"{order}.pdf", office.papers.invoice(f"L-{order}", order, "100.00", "19.00", "119.00"))
        with (tmp_path / "log").open("a") as log, serving(tmp_path, log) as process:
            while len(office.rows()) <= 3 * wave or (wave == 3 and office.files() != DONE):
                said = f"{office.files()}\n{(tmp_path / 'log').read_text()}"
                assert process.poll() is None and time.monotonic() < deadline, said
                time.sleep(0.01)
    assert [row[0] for row in office.rows()] == sorted(f"L-{order}" for order in orders)
    assert office.files() == DONE
    filed = [json.loads(path.read_text()) for path in (office.folder / "booked").iterdir()]
    assert {one["number"] for one in filed} == {f"L-{order}" for order in orders}


class serving:  # a context manager
    """A dev server, which is killed at the end."""

    def __init__(self, folder: Path, log: Any) -> None:
        command = [sys.executable, "-m", "overwinter.cli.main", "dev", str(EXAMPLE / "back_office.py"), "--port", "0"]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env=dict(os.environ), start_new_session=True
        )

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self.process

    def __exit__(self, *_: object) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
