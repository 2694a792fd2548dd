"""One request to a target, whatever server it came through."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs

from ..http.service import single
from ..messages.message import RawHeaders
from ..messages.problem import Refused


class Asked(NamedTuple):
    """``streams``: its server can send an answer piece by piece."""

    method: str
    path: str
    query: bytes
    headers: RawHeaders
    body: bytes
    streams: bool = True

    def parameter(self, name: str) -> str | None:
        """A query parameter; None when it is not there, which is not the same as empty."""
        try:
            query = parse_qs(self.query.decode("ascii"), keep_blank_values=True, errors="strict")
        except ValueError:
            raise Refused(400, "the query is not valid percent-encoded UTF-8") from None
        return single(query, name) if name in query else None
