"""File descriptors for the connections that may be open: the operating system counts sockets as files, and a process
that has none left can't even say so."""

from __future__ import annotations

import logging

log = logging.getLogger("overwinter")

OTHERS = 256  # for stores, models, files, what user code opens, and connections that are just being refused


def connections_within_reach(wanted: int) -> int:
    """How many of the ``wanted`` connections there are descriptors for, after asking for more where that is allowed."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + OTHERS  # a crowd is accepted before the ones that give way are closed
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    possible = max(10, (soft - min(OTHERS, soft // 2)) // 2)
    log.warning(
        "this process may open %d files, so it takes %d connections at once instead of %d; raise the limit (ulimit -n, "
        "LimitNOFILE) or lower --max-connections",
        soft,
        possible,
        wanted,
    )
    return possible
