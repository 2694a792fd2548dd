"""A back office: invoices arrive in a folder as PDFs, are read, checked against the books, and booked. What is not in
order waits for a person, for days if it must; what is large waits for an approval.

    pip install pypdf
    python papers.py office/inbox              five invoices arrive
    overwinter dev back_office.py              they are worked on
    overwinter ps                              what waits, and for what
    overwinter signal ID decision '{"by": "ana", "action": "correct", "changes": {"order": "PO-1003"}}'
    overwinter approve ID --by ben

Each document is an execution of its own. The process may be killed at any moment: nothing is booked twice, nothing is
lost. Without a key it reads by a scripted model; with OVERWINTER_MODEL=openai/gpt-5-mini by a real one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal

from books import Invoice, booked_from, enter, findings, opened
from papers import Unreadable, text_of
from pydantic import BaseModel

from overwinter import Agent, Completion, Context, Denied, Limits, current_call, workflow
from overwinter.functions.model import Message, Scripted, ToolSchema
from overwinter.functions.trigger import Folder, trigger
from overwinter.patterns import Link, prompt_chain

APPROVAL_FROM = Decimal(1000)
REMIND = "2d"
REMINDERS = 7
Outcome = Literal["booked", "rejected", "duplicate"]


def office(*parts: str) -> Path:
    """A place in the office's folder, which BACK_OFFICE names."""
    path = Path(os.environ.get("BACK_OFFICE", "office")).joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def titled(name: str, *more: str) -> str:
    """A name for a file about a document, whatever it is called: file systems take 255 bytes."""
    return ".".join([name.encode()[:150].decode(errors="ignore"), *more])


class Arrived(BaseModel):
    """What the folder tells of a file."""

    path: str
    name: str


class Document(BaseModel):
    """A document that was taken in: its name, the digest of its bytes, and its text, or why there is none."""

    name: str
    digest: str
    text: str = ""
    unreadable: str = ""


class Reading(BaseModel):
    """What is known of an invoice, by the model or by a person; what is left out is not."""

    supplier: str | None = None
    number: str | None = None
    order: str | None = None
    net: Decimal | None = None
    vat: Decimal | None = None
    total: Decimal | None = None
    iban: str | None = None

    def with_changes(self, changes: Reading) -> Reading:
        """The same, as a person reads it."""
        return self.model_copy(update=changes.model_dump(exclude_none=True))

    def missing(self) -> list[str]:
        """What stands in the way of an Invoice."""
        fields = [name for name, value in self.model_dump().items() if value is None]
        return [f"not known: {', '.join(fields)}"] if fields else []

    def invoice(self) -> Invoice:
        """Raises ValidationError while something is missing."""
        return Invoice.model_validate(self.model_dump())


class Decision(BaseModel):
    """What a person decides. "again": something in the books was changed; look once more."""

    by: str
    action: Literal["correct", "again", "reject"]
    changes: Reading = Reading()
    reason: str = ""


class Filed(BaseModel):
    """What became of a document."""

    document: str
    outcome: Outcome
    number: str = ""
    total: Decimal | None = None
    approved_by: str = ""
    reason: str = ""


# -- reading: a chain of one link, whose gate sends back what does not add up ------------------------------------


def adds_up(invoice: Invoice) -> str | None:
    """The gate: what is wrong with a reading by itself, before anybody asks the books."""
    if invoice.net + invoice.vat != invoice.total:
        return f"net {invoice.net} and VAT {invoice.vat} are not the total {invoice.total}"
    return None


def reader_script(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str:
    """The scripted model: it reads by rules, and takes the net amount for the total until it is told."""
    text = messages[-1].content

    def after(word: str) -> str:
        found = re.search(rf"^{word} (.+?)(?: EUR)?$", text, re.MULTILINE)
        return found[1] if found else "?"

    read = {
        "supplier": text.partition("\n")[0],
        "number": after("Invoice"),
        "order": after("Your order"),
        "net": after("Net"),
        "vat": after("VAT 19%"),
        "total": after("Total" if "refused" in text else "Net"),
        "iban": after("IBAN").replace(" ", ""),
    }
    return json.dumps(read)


reader = Agent(
    name="reader",
    model=os.environ.get("OVERWINTER_MODEL") or Scripted(reader_script, "reader"),
    instructions="Read the invoice. Copy what stands there, invent nothing.",
    output=Invoice,
    limits=Limits(iterations=4, tokens=20_000, time="2m"),
)
reading = prompt_chain("reading", Link(reader, gate=adds_up, tries=2))


# -- the steps: each may run twice when a process dies in it, and does the same both times ------------------------


def take_in(path: str, name: str) -> Document:
    """Keep the document under the digest of its bytes, whatever becomes of the file in the inbox, and read its text."""
    content = Path(path).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    kept, new = office("archive", f"{digest}.pdf"), office("archive", f".{digest}.new")
    new.write_bytes(content)
    new.replace(kept)
    try:
        return Document(name=name, digest=digest, text=text_of(content))
    except Unreadable as error:
        return Document(name=name, digest=digest, unreadable=str(error))


def known(digest: str) -> str | None:
    """The number under which these very bytes are booked."""
    with opened(office("books.db")) as books:
        return booked_from(books, digest)


def check(invoice: Invoice, digest: str) -> list[str]:
    """What the books have against it."""
    with opened(office("books.db")) as books:
        return [*filter(None, [adds_up(invoice)]), *findings(books, invoice, digest)]


def book(invoice: Invoice, digest: str, approved_by: str) -> list[str]:
    """Write it into the books, once; or what has come between."""
    with opened(office("books.db")) as books:
        return enter(books, invoice, digest, key=current_call().idempotency_key, approved_by=approved_by)


def remind(name: str, digest: str, wrong: list[str], number: int) -> None:
    """Tell the clerks: a file here, a mail elsewhere."""
    office("reminders", titled(name, digest[:12], f"{number}.txt")).write_text("\n".join(wrong) + "\n", "utf-8")


def put_away(path: str, filed: Filed, digest: str) -> None:
    """Write down what became of it, and take it out of the inbox, unless another document has that name by now."""
    told = office(filed.outcome, titled(filed.document, digest[:12], "json"))
    told.write_text(filed.model_dump_json(indent=2), "utf-8")
    file = Path(path)
    if file.exists() and hashlib.sha256(file.read_bytes()).hexdigest() == digest:
        file.unlink(missing_ok=True)


# -- the course of a document ------------------------------------------------------------------------------------


INBOX = office("inbox")
INBOX.mkdir(exist_ok=True)


@trigger(Folder(INBOX, pattern="*.pdf", every="2s"))
@workflow(uses=[reading])
async def file_invoice(ctx: Context, arrived: Arrived) -> Filed:
    """Read, check, ask where something is wrong, book, put away."""
    document = await ctx.step(take_in, arrived.path, arrived.name)
    filed = await _file(ctx, document)
    await ctx.step(put_away, arrived.path, filed, document.digest)
    ctx.status(f"{document.name}: {filed.outcome} {filed.number}")
    return filed


async def _file(ctx: Context, document: Document) -> Filed:
    if number := await ctx.step(known, document.digest):
        return Filed(document=document.name, outcome="duplicate", number=number)
    seen, wrong = await _read(ctx, document)
    while True:
        wrong = wrong or seen.missing() or await ctx.step(check, seen.invoice(), document.digest)
        if not wrong:
            invoice = seen.invoice()
            try:
                approved_by = await _approved(ctx, document, invoice)
            except Denied as denied:
                return Filed(document=document.name, outcome="rejected", number=invoice.number, reason=str(denied))
            wrong = await ctx.step(book, invoice, document.digest, approved_by)
            if not wrong:
                filed = Filed(document=document.name, outcome="booked", number=invoice.number, total=invoice.total)
                return filed.model_copy(update={"approved_by": approved_by})
        if number := await ctx.step(known, document.digest):  # it came twice, and the other one was faster
            return Filed(document=document.name, outcome="duplicate", number=number)
        decision = await _decision(ctx, document, wrong)
        if decision is None or decision.action == "reject":
            reason = f"{decision.by}: {decision.reason}" if decision else f"nobody has decided: {wrong[0]}"
            return Filed(document=document.name, outcome="rejected", number=seen.number or "", reason=reason)
        seen, wrong = seen.with_changes(decision.changes), []


async def _read(ctx: Context, document: Document) -> tuple[Reading, list[str]]:
    """What the invoice says, and why that is not known: whatever the model does wrong, a person looks at it."""
    if document.unreadable:
        return Reading(), [document.unreadable]
    ctx.status(f"{document.name}: is read")
    (read,) = await ctx.parallel(ctx.call(reading, document.text), completion=Completion.tolerate(count=1))
    if read.error:
        return Reading(), [f"it could not be read: {read.error}"]
    return Reading.model_validate(read.value.model_dump()), []


async def _approved(ctx: Context, document: Document, invoice: Invoice) -> str:
    """Who has approved it; nobody needs to where it is small. Raises Denied."""
    if invoice.total < APPROVAL_FROM:
        return ""
    what = f"pay {invoice.total} to {invoice.supplier} for {invoice.order}"
    ctx.status(f"{document.name}: {what}?")
    approval = await ctx.approve(what[:200], data=invoice, role="head-of-accounts", timeout="14d")
    return approval.by


async def _decision(ctx: Context, document: Document, wrong: list[str]) -> Decision | None:
    """What a person decides, who is reminded every two days; None when nobody has in two weeks."""
    for number in range(1, REMINDERS + 1):
        ctx.status(f"{document.name}: {'; '.join(wrong)}"[:300])
        try:
            return await ctx.wait_for("decision", type=Decision, timeout=REMIND)
        except TimeoutError:
            await ctx.step(remind, document.name, document.digest, wrong, number)
    return None
