"""PDF documents: their text, by pypdf (``pip install pypdf``), and samples of them for those who have none at hand.

python papers.py office/inbox     five invoices, as suppliers would send them: most of them are in order
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

from pypdf import PdfReader, PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

A4 = (595, 842)  # points
FONT = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica", "/Encoding": "/WinAnsiEncoding"}
LONGEST = 20_000  # characters of one document


class Unreadable(ValueError):
    """A document of which no text can be had."""


def text_of(document: bytes) -> str:
    """The text of a PDF, page by page. Raises Unreadable: broken, encrypted, scanned without text, or far too long."""
    try:
        pages = [page.extract_text() for page in PdfReader(io.BytesIO(document)).pages]
    except Exception as error:  # anybody sends these bytes, and a parser raises what it likes on them
        raise Unreadable(f"it is no PDF that can be read ({error})") from error
    text = "\n".join(pages).encode("utf-8", "replace").decode().strip()  # a font may map to what is no character
    if not text:
        raise Unreadable("there is no text in it; it may be a scan")
    if len(text) > LONGEST:
        raise Unreadable(f"it has {len(text):,} characters, and an invoice has {LONGEST:,} at the most")
    return text


def pdf(lines: Sequence[str]) -> bytes:
    """A page with these lines."""
    writer = PdfWriter()
    page = writer.add_blank_page(*A4)
    font = DictionaryObject({NameObject(key): NameObject(value) for key, value in FONT.items()})
    fonts = DictionaryObject({NameObject("/F1"): font})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    content = DecodedStreamObject()
    shown = "".join(f"({_escaped(line)}) Tj T*\n" for line in lines)
    content.set_data(f"BT /F1 11 Tf 16 TL 60 780 Td\n{shown}ET".encode("cp1252"))
    page[NameObject("/Contents")] = content.flate_encode()
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def invoice(
    number: str, order: str, net: str, vat: str, total: str, iban: str = "DE02 1203 0000 0000 2020 51"
) -> bytes:
    """What Lumen Lighting sends."""
    head = ["Lumen Lighting GmbH", "Winterfeldtstrasse 1", "10781 Berlin", ""]
    body = [f"Invoice {number}", f"Your order {order}", ""]
    sums = [f"Net {net} EUR", f"VAT 19% {vat} EUR", f"Total {total} EUR", ""]
    return pdf([*head, *body, *sums, f"IBAN {iban}"])


SAMPLES = {
    "lumen-71.pdf": invoice("LL-71", "PO-1001", "100.00", "19.00", "119.00"),
    "lumen-72.pdf": invoice("LL-72", "PO-1002", "2000.00", "380.00", "2380.00"),  # large: a person approves
    "lumen-73.pdf": invoice("LL-73", "PO-1077", "50.00", "9.50", "59.50"),  # nobody has ordered that
    "lumen-74.pdf": invoice("LL-74", "PO-1003", "80.00", "15.20", "95.20", iban="GB33 BUKB 2020 1555 5555 55"),
    "scan.pdf": pdf([]),
}


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "office/inbox")
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in SAMPLES.items():
        (folder / name).write_bytes(document)
        print(f"{folder / name}")


if __name__ == "__main__":
    main()
