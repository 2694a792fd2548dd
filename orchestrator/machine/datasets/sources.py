"""The files of a data set, one after the other: the one that is named, those of a listing, those that a manifest
names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from ..definition.states.map_data import ReaderConfig
from .bucket import Bucket, Object, Refused
from .buckets import Buckets
from .content import Content, text_of

_WHAT = ("Bucket", "ExpectedBucketOwner")
TAKEN = {
    "s3:getObject": frozenset({*_WHAT, "Key", "VersionId"}),
    "s3:listObjectsV2": frozenset({*_WHAT, "Prefix", "StartAfter"}),
}
"""What each resource of a reader takes for arguments."""


class File(NamedTuple):
    """A file with items in it. ``mark`` is where its data set goes on with it: a key of a listing, or its number.
    ``header``: the columns that a manifest says."""

    mark: str | int
    bucket: str
    key: str
    version: str = ""
    header: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return f"S3://{self.bucket}/{self.key}"


class Arguments:
    """The arguments of a reader. Raises Refused for what its resource does not take."""

    def __init__(self, action: str, given: Mapping[str, Any]) -> None:
        for name, value in given.items():
            if name not in TAKEN[action]:
                raise Refused(f"{action} takes {', '.join(sorted(TAKEN[action]))}, and not {name!r:.80}")
            if not isinstance(value, str):
                raise Refused(f"{name} of {action} is a text, not {json.dumps(value)[:80]}")
        self.action = action
        self._given = given
        self.bucket = self.required("Bucket")
        self.owner = self.get("ExpectedBucketOwner")

    def get(self, name: str) -> str:
        return cast("str", self._given.get(name, ""))

    def required(self, name: str) -> str:
        if not (found := self.get(name)):
            raise Refused(f"The field '{name}' is required but was missing")
        return found


def listed(bucket: Bucket, given: Arguments, after: str = "") -> Iterator[Object]:
    """The objects of ``listObjectsV2``, from the one behind ``after`` on."""
    return bucket.list(given.get("Prefix"), after or given.get("StartAfter"), owner=given.owner)


def metadata(found: Object) -> dict[str, Any]:
    """An object as an item, as AWS writes it."""
    return {
        "Etag": found.etag,
        "Key": found.key,
        "LastModified": found.modified,
        "Size": found.size,
        "StorageClass": found.storage,
    }


def files(buckets: Buckets, given: Arguments, config: ReaderConfig, cursor: dict[str, Any]) -> Iterator[File]:
    """The files, from the one on that ``cursor["file"]`` marks. A manifest is the same one in all pages:
    ``cursor["manifest"]`` is its etag, which the first page notes there."""
    mark = cursor.get("file")
    if given.action == "s3:listObjectsV2":
        if mark is not None:
            yield File(mark, given.bucket, mark)
        for found in listed(buckets.get(given.bucket), given, mark or ""):
            if not found.key.endswith("/"):  # what stands for a folder
                yield File(found.key, given.bucket, found.key)
    elif manifest := _manifest_of(config):
        named = _athena if manifest == "ATHENA_DATA" else _inventory
        for number, file in enumerate(named(_whole(buckets, given, cursor), given)):
            if number >= (mark or 0):
                yield file._replace(mark=number)
    else:
        yield File(0, given.bucket, given.required("Key"), given.get("VersionId"))


def _manifest_of(config: ReaderConfig) -> str:
    return config.manifest_type or ("S3_INVENTORY" if config.input_type == "MANIFEST" else "")


def _whole(buckets: Buckets, given: Arguments, cursor: dict[str, Any]) -> str:
    key, owner = given.required("Key"), given.owner
    etag = cursor.get("manifest", "")
    bucket = buckets.get(given.bucket)
    content = Content(bucket, key, version=given.get("VersionId"), owner=owner, start=0, etag=etag)
    try:
        text = text_of(content.whole(), key, "the manifest").removeprefix("\ufeff")
    finally:
        content.close()
    cursor["manifest"] = content.etag
    return text


def _athena(text: str, given: Arguments) -> Iterator[File]:
    """One address a line, as UNLOAD writes it."""
    for line in filter(None, (line.strip().strip('"') for line in text.splitlines())):
        bucket, _, key = line.removeprefix("s3://").partition("/")
        if not (line.startswith("s3://") and bucket and key):
            raise Refused(f"{given.get('Key')} is no manifest of Athena: {line!r:.200} is no address of a file")
        yield File(0, bucket, key)


def _inventory(text: str, given: Arguments) -> Iterator[File]:
    key = given.get("Key")
    try:
        told: Any = json.loads(text)
        form, schema = told["fileFormat"], told["fileSchema"]
        bucket: str = told["destinationBucket"].rpartition(":::")[2]
        keys: list[str] = [one["key"] for one in told["files"]]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Refused(f"{key} is no manifest of an inventory of S3") from None
    if form != "CSV" or not isinstance(schema, str):
        raise Refused(f"the inventory of {key} has the format {form!r:.40}; only CSV can be read")
    header = tuple(name.strip() for name in schema.split(","))
    for one in keys:
        yield File(0, bucket, one, header=header)
