"""Who is meant by a name. What the platform has verified goes before what a request says of itself."""

from __future__ import annotations

import unicodedata


def person(by: str) -> str:
    """What two names of one person have in common: ``ana (arn:…)``, as a request that was verified is noted, is whom
    the platform has verified, whatever name it gave itself. Letters count, not their case."""
    claimed, mark, verified = by.rpartition(" (")
    meant = verified[:-1] if mark and claimed and verified.endswith(")") else by
    return unicodedata.normalize("NFKC", meant).strip().casefold()
