"""Who is meant by a name. What the platform has verified goes before what a request says of itself."""

from __future__ import annotations

import re
import unicodedata

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0000-\U000e0fff]"
)
"""Letters and marks that show nothing. Those that only steer how text is shown are told by their category."""


def person(by: str) -> str:
    """What two names of one person have in common: ``ana (arn:…)``, as a request that was verified is noted, is whom
    the platform has verified, whatever name it gave itself. Letters count, not their case, how wide the space between
    them is, or what nobody sees of them."""
    claimed, mark, verified = by.rpartition(" (")
    meant = verified[:-1] if mark and claimed and verified.endswith(")") else by
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", meant).casefold())
    seen = (one for one in _UNSEEN.sub("", folded) if one.isspace() or unicodedata.category(one) not in ("Cf", "Cc"))
    return " ".join("".join(seen).split())
