"""Which owners live. A process incarnation holds a file locked while it lives; the operating system drops
the lock at its death, so on the same machine a dead owner is known at once. Elsewhere its row expires.

The files lie in the folder ``<database>-lock``, one for each owner, because a lock on a file of its own
(flock) also tells two stores in one process apart. Where there is no flock, only the expiry counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import NamedTuple

if sys.platform != "win32":
    import fcntl

HUNG = 30_000
"""Milliseconds after which a process on this machine that lives and does not beat (stopped, or blocked by its own
code) is taken for dead like one elsewhere. Until then its lock is believed: it may be merely slow."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_TRIES = 5


class Owner(NamedTuple):
    """A row of the owner table, without its id."""

    machine: str
    lock: str
    expires: int


class Leases:
    """The locks this store holds and the signs of life of all others. ``hold`` and ``drop`` are for one
    thread; ``alive`` may be asked from any."""

    def __init__(self, path: Path) -> None:
        self._folder = path.with_name(path.name + "-lock")
        self._held: dict[str, int] = {}  # lock file name -> open file descriptor
        self.machine = _machine()

    def hold(self, owner: str) -> str:
        """Lock the owner's file, if nobody does, and return its name."""
        name = hashlib.sha256(owner.encode()).hexdigest()[:16]
        if name not in self._held and self.machine:
            taken = self._take(name)
            if taken is not None:
                self._held[name] = taken
        return name

    def alive(self, owner: Owner, now: int) -> bool:
        if owner.expires > now:
            return not self._is_here(owner) or self._holds(owner.lock)
        return owner.expires + HUNG > now and self._is_here(owner) and self._holds(owner.lock)

    def _is_here(self, owner: Owner) -> bool:
        return self.machine != "" and owner.machine == self.machine

    def _holds(self, name: str) -> bool:
        return name in self._held or self._locked(name)

    def drop(self, owner: str) -> None:
        """The owner ends, or is dead: unlock and remove its file."""
        name = hashlib.sha256(owner.encode()).hexdigest()[:16]
        held = self._held.pop(name, None)
        if held is None and self.machine:
            held = self._take(name, create=False)
        if held is not None:
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()
            os.close(held)

    def close(self) -> None:
        """Drop every lock of this store: its owners are dead from now on."""
        for name, held in self._held.items():
            with contextlib.suppress(OSError):
                (self._folder / name).unlink()
            os.close(held)
        self._held.clear()
        with contextlib.suppress(OSError):
            self._folder.rmdir()  # fails while others are alive

    def _take(self, name: str, *, create: bool = True) -> int | None:
        flags = os.O_RDWR | (os.O_CREAT if create else 0)
        for _ in range(_TRIES):  # another store may be removing the file, or the folder, at this moment
            try:
                if create:
                    self._folder.mkdir(mode=0o700, exist_ok=True)
                taken = os.open(self._folder / name, flags, 0o600)
            except FileNotFoundError:
                continue
            if _lock(taken, exclusive=True) and _is_at(taken, self._folder / name):
                return taken
            os.close(taken)
        return None

    def _locked(self, name: str) -> bool:
        try:
            probe = os.open(self._folder / name, os.O_RDWR)
        except OSError:
            return False
        try:
            return not _lock(probe, exclusive=False)  # shared, so that two who look don't see each other
        finally:
            os.close(probe)


def _lock(descriptor: int, *, exclusive: bool) -> bool:
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _machine() -> str:
    """What all processes share that can see each other's locks; empty where there are none."""
    if sys.platform == "win32":
        return ""
    try:
        return _BOOT.read_text(encoding="utf-8").strip()
    except OSError:
        return os.uname().nodename
