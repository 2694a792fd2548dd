"""The keys by which mail is known, so that it arrives once. Two mails have one key only when they are of one kind
and say the same: no source, id or operation, whatever characters it has, gives the key of something else.

A key begins with its kind, and what comes after the kind is one text, or a JSON array when it is several. An event's
key stays ``source id`` where that is nobody else's, as stores have it that were written before keys had kinds: what
a broker sends again while a process is upgraded is still known.
"""

from __future__ import annotations

from ...state.codec import dumps

START = "start"
"""An execution starts once."""

_KINDS = (
    "message",
    "child:",
    "cancel:",
    "cancel-of:",
    "terminated:",
    "event:",
    "decided:",
    "delegated:",
    "resolved:",
    "revoked:",
    "retry:",
    "run:",
)


def message(id: str) -> str:
    """A message to a session, by the id that its sender gave it."""
    return f"message {id}"


def event(source: str, id: str) -> str:
    """An event from outside, by its source and id."""
    if " " in source or source.startswith(_KINDS):
        return f"event:{dumps([source, id])}"
    return f"{source} {id}"


def child(id: str, at: int) -> str:
    """That a child has ended, to its parent. Not its id alone: one that had failed and was opened again ends once more,
    and its parent may wait for that."""
    return f"child:{dumps([id, at])}"


def ending(verb: str, parent: str) -> str:
    """``cancel`` or ``terminated``, from a parent to its child. A child has one parent."""
    return f"{verb}:{parent}"


def cancel_of(parent: str, op: str) -> str:
    """``cancel`` for the child that a parent has under ``op``, when another may follow under the same id."""
    return f"cancel-of:{dumps([parent, op])}"


def decision(op: str, at: int, *more: str) -> str:
    """On the approval that was asked for under ``op`` at that time. There is one, whoever else decides meanwhile; where
    there may be several, ``more`` says which: on what exactly, of whom."""
    return f"decided:{dumps([op, at, *more])}"


def delegation(op: str, digest: str) -> str:
    """Of what is asked now to somebody else. There is one, whoever else delegates it meanwhile."""
    return f"delegated:{dumps([op, digest])}"


def revocation(standing: str) -> str:
    """Of a standing approval. There is one, whoever else revokes it meanwhile."""
    return f"revoked:{standing}"


def resolution(op: str, since: int, refused: int) -> str:
    """On what came of the call in doubt under ``op`` since that time, when so many words about it did not fit. There is
    one, like a decision."""
    return f"resolved:{dumps([op, since, refused])}"


def retry(length: int) -> str:
    """Of an execution that failed with so many entries. Each failure is retried once, however many ask for it."""
    return f"retry:{length}"


def run(id: str) -> str:
    """Of a run of a schedule that somebody asks for, by the run's id."""
    return f"run:{id}"
