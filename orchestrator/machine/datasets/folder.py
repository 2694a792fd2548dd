"""A folder of this machine as a bucket: a key is the path of a file in it, with slashes.

Nothing outside of the folder can be reached: not by ``..``, not by a link, not by a name that is no name of a file.
Links that lead to files within it are followed. What is written appears whole, under its name, once it is on disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from .bucket import MISSING_BUCKET, MISSING_KEY, Object, Opened, Refused, changed

_PART = ".overwinter-part-"
"""How the names of files begin that are being written."""


class Folder:
    """Implements ``Bucket``. Versions and owners are what only S3 has."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def open(self, key: str, *, version: str = "", owner: str = "", start: int = 0, etag: str = "") -> Opened:
        if version:
            raise Refused(f"{key} has no versions: {self._root} is a folder; leave VersionId out")
        path = self._inside(key)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise Refused(MISSING_KEY, 404)  # a folder, or what would never end
            file = path.open("rb")
        except FileNotFoundError:
            self._rooted()
            raise Refused(MISSING_KEY, 404) from None
        except OSError as error:
            raise Refused(f"{key} can't be read: {error.strerror}", 403) from None
        found = _etag(os.fstat(file.fileno()))
        if etag and etag != found:
            file.close()
            raise changed(key)
        file.seek(start)
        return Opened(file, found)

    def list(self, prefix: str, after: str = "", *, owner: str = "") -> Iterator[Object]:
        self._rooted()
        named = sorted((key.encode("utf-8", "surrogateescape"), key, path) for key, path in self._files(prefix))
        for encoded, key, path in named:
            if encoded > after.encode("utf-8", "surrogateescape"):
                with suppress(FileNotFoundError):  # gone since
                    found = path.stat()
                    yield Object(key, found.st_size, int(found.st_mtime), _etag(found))

    def put(self, key: str, content: bytes, *, owner: str = "") -> None:
        self._rooted()
        path = self._inside(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile("wb", prefix=_PART, dir=path.parent, delete=False) as file:
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    os.replace(file.name, path)  # noqa: PTH105  # on an open file, which pathlib has nothing for
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise Refused(f"{key} can't be written: {error.strerror}", 403) from None

    def _rooted(self) -> None:
        if not self._root.is_dir():
            raise Refused(f"{MISSING_BUCKET}: there is no folder {self._root}", 404)

    def _inside(self, key: str) -> Path:
        """Where the file of a key lies. Raises Refused for a place outside."""
        parts = key.split("/")
        if "\0" in key or (os.sep != "/" and os.sep in key) or any(part in ("", ".", "..") for part in parts):
            raise Refused(f"{key!r:.200} is no name of a file in a folder", 400)
        path = self._root.joinpath(*parts)
        try:
            inside = path.resolve().is_relative_to(self._root.resolve())
        except (OSError, RuntimeError, ValueError):  # links in a circle; what has no form on disk
            inside = False
        if not inside:
            raise Refused(f"{key!r:.200} leads out of the folder {self._root}", 403)
        return path

    def _files(self, prefix: str) -> Iterator[tuple[str, Path]]:
        """Keys and their files. A link that leads out of the folder is no file of it."""
        folder, _, _ = prefix.rpartition("/")
        try:
            start = self._inside(folder) if folder else self._root
        except Refused:
            return
        if "\0" in prefix:
            return
        for at, folders, names in os.walk(start):
            folders.sort()
            place = Path(at)
            for name in names:
                path = place / name
                key = path.relative_to(self._root).as_posix()
                if key.startswith(prefix) and not name.startswith(_PART) and self._mine(key):
                    yield key, path

    def _mine(self, key: str) -> bool:
        try:
            return stat.S_ISREG(self._inside(key).stat().st_mode)
        except (Refused, OSError):
            return False


def _etag(found: os.stat_result) -> str:
    return f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
