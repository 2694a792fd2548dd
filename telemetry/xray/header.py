"""X-Ray's trace header, ``X-Amzn-Trace-Id``, and W3C Trace Context: the same ids, written otherwise.

    Root=1-65a1b2c3-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=1
    00-65a1b2c30123456789abcdef01234567-0123456789abcdef-01

Fields come in any order, others stand between them (``Self``, ``Lineage``). A header without a ``Parent`` (a load
balancer's) names a trace and no span in it: W3C has no words for that, so it is no context to go on with.
"""

from __future__ import annotations

import re

NAME = "x-amzn-trace-id"
ENVIRONMENT = "_X_AMZN_TRACE_ID"
"""Where Lambda says the header of what it runs just now."""
_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_PARENT = re.compile(r"(?!0{16})[0-9a-f]{16}")
_W3C = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


def traceparent_of(header: str) -> str:
    """The header as ``traceparent``; "" when it can't be gone on with. What says nothing of sampling, or asks (``?``),
    leaves it to whoever comes next: that is us, and it is sampled."""
    fields: dict[str, str] = {}
    for part in header.split(";"):
        name, mark, value = part.strip().partition("=")
        if mark:
            fields.setdefault(name.lower(), value.strip().lower())
    root, parent = _ROOT.fullmatch(fields.get("root", "")), _PARENT.fullmatch(fields.get("parent", ""))
    if root is None or parent is None or set(root[1] + root[2]) == {"0"}:
        return ""
    return f"00-{root[1]}{root[2]}-{parent[0]}-{'00' if fields.get('sampled') == '0' else '01'}"


def header_of(traceparent: str) -> str:
    """The header that says the same as ``traceparent``; "" when that is none."""
    found = _W3C.fullmatch(traceparent)
    if found is None:
        return ""
    return f"Root={trace_id(found[1])};Parent={found[2]};Sampled={int(found[3], 16) & 1}"


def trace_id(id: str) -> str:
    """32 hexadecimal digits as X-Ray writes a trace's id: the first 8 are the second in which the trace began."""
    return f"1-{id[:8]}-{id[8:]}"
