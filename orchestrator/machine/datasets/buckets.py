"""What the name of a bucket means: ``{"data": "./folder", "results": "s3://bucket/folder"}``. Any other name is that of
a bucket of S3. ``OVERWINTER_BUCKETS`` says the same for those that are not named: ``data=./folder,results=s3://bucket``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from ....state.errors import InvalidInput
from .bucket import Bucket
from .folder import Folder
from .s3 import S3, make_client

Place = str | os.PathLike[str]
VARIABLE = "OVERWINTER_BUCKETS"


class Buckets:
    """Threads may use it. Raises InvalidInput for a place that is none; that there is nothing at one is seen when it
    is used."""

    def __init__(self, places: Mapping[str, Place] | None = None) -> None:
        everywhere = _listed(os.environ.get(VARIABLE, ""))
        self._places = {name: _place(name, where) for name, where in {**everywhere, **(places or {})}.items()}
        self._lock = Lock()
        self._client: Any = None

    def get(self, name: str) -> Bucket:
        """The bucket of a name. Raises InvalidInput when S3 is meant and boto3 is not installed, Refused."""
        place = self._places.get(name, (name, ""))
        if isinstance(place, Path):
            return Folder(place)
        with self._lock:
            if self._client is None:
                self._client = make_client()
        return S3(self._client, *place)


def _listed(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in filter(None, (part.strip() for part in text.split(","))):
        name, given, where = one.partition("=")
        if not given or not name or not where:
            raise InvalidInput(f"{VARIABLE} names buckets as NAME=FOLDER or NAME=s3://BUCKET, with commas, not {one!r}")
        found[name.strip()] = where.strip()
    return found


def _place(name: str, where: Place) -> Path | tuple[str, str]:
    if not isinstance(where, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
        raise InvalidInput(f"the bucket {name!r} is a folder or s3://BUCKET, not {type(where).__name__}")
    text = os.fspath(where)
    if not text or "\0" in text:
        raise InvalidInput(f"the bucket {name!r} is a folder or s3://BUCKET, not {text!r}")
    if not text.startswith("s3://"):
        if "://" in text:
            raise InvalidInput(f"the bucket {name!r} is a folder or s3://BUCKET, not {text!r}")
        return Path(text).expanduser().absolute()
    bucket, _, folder = text.removeprefix("s3://").partition("/")
    if not bucket:
        raise InvalidInput(f"s3:// of the bucket {name!r} names no bucket")
    return bucket, folder if not folder or folder.endswith("/") else f"{folder}/"
