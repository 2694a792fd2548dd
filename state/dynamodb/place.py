"""Where the data is: a ``dynamodb://`` DSN, taken apart and checked."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from ...security.address import shown
from ..compression import ABOVE, OPTION, asked
from ..errors import InvalidInput
from ..quantities import milliseconds

_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_OPTIONS = ("region", "endpoint", "bucket", "retention", OPTION)
_FORM = "dynamodb://table?region=eu-central-1&bucket=name&retention=30d"


class Place(NamedTuple):
    """Empty texts mean: as the AWS environment says (region, endpoint), or none (bucket)."""

    table: str
    region: str = ""
    endpoint: str = ""
    bucket: str = ""
    folder: str = ""  # inside the bucket; ends with a slash unless empty
    retention: int | None = None  # ms that a finished execution is kept; None: until somebody deletes it
    above: int = ABOVE  # bytes from which on texts are compressed; 0: none are

    def __str__(self) -> str:
        return f"DynamoDB table {self.table}" + (f" in {self.region}" if self.region else "")


def parse(dsn: str) -> Place:
    """The place of ``dynamodb://table?region=…&endpoint=…&bucket=name/folder&retention=30d&compress=1KB``; all
    options may lack. Raises InvalidInput that shows the form."""
    try:
        parts = urlsplit(dsn)
    except ValueError:
        raise InvalidInput(f"{shown(dsn)!r} names no DynamoDB table; write {_FORM}") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme != "dynamodb" or not parts.netloc or parts.path not in ("", "/"):
        raise InvalidInput(f"{shown(dsn)!r} names no DynamoDB table; write {_FORM}")
    if not _TABLE.fullmatch(parts.netloc):
        raise InvalidInput(
            f"{shown(dsn)!r}: a DynamoDB table has a name of 3 to 255 letters, digits, dots, hyphens and underscores; "
            "make the table under such a name"
        )
    if set(options) - set(_OPTIONS):
        raise InvalidInput(f"{shown(dsn)!r}: there is an option that is none; there are {', '.join(_OPTIONS)}")
    bucket, _, folder = options.get("bucket", "").strip("/").partition("/")
    try:
        retention = milliseconds(options["retention"]) if "retention" in options else None
    except ValueError as error:
        raise InvalidInput(f"{shown(dsn)!r}: retention: {error}") from None
    return Place(
        table=parts.netloc,
        region=options.get("region", ""),
        endpoint=options.get("endpoint", ""),
        bucket=bucket,
        folder=f"{folder}/" if folder else "",
        retention=retention,
        above=asked(options.get(OPTION), ABOVE),
    )
