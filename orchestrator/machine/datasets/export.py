"""The results of a Map, written to a bucket: a file for each status that any of them has, and a manifest of these.

Names and contents follow from the execution, so writing twice changes nothing. The manifest comes last: where it is,
everything is.
"""

from __future__ import annotations

from typing import Any

from ....state.errors import StateFailed
from ....state.text import dumps
from ..running.failure import WRITER_FAILED
from ..running.resources import Export
from .bucket import Refused
from .buckets import Buckets

STATUSES = ("FAILED", "PENDING", "SUCCEEDED")


def write_results(buckets: Buckets, export: Export) -> dict[str, Any]:
    """``{"Bucket", "Key"}`` of the manifest. Raises StateFailed (States.ResultWriterFailed)."""
    try:
        bucket = buckets.get(export.bucket)
        written: dict[str, list[dict[str, Any]]] = {}
        for status in STATUSES:
            written[status] = []
            if results := export.results.get(status):
                content = _lines(results) if export.lines else dumps(results)
                key = f"{export.folder}{status}_0.{'jsonl' if export.lines else 'json'}"
                encoded = content.encode()
                bucket.put(key, encoded, owner=export.owner)
                written[status].append({"Key": key, "Size": len(encoded)})
        manifest = {"DestinationBucket": export.bucket, "MapRunArn": export.run, "ResultFiles": written}
        key = f"{export.folder}manifest.json"
        bucket.put(key, dumps(manifest).encode(), owner=export.owner)
    except Refused as error:
        raise StateFailed(WRITER_FAILED, str(error)) from None
    return {"Bucket": export.bucket, "Key": key}


def _lines(results: list[Any]) -> str:
    return "".join(f"{dumps(one)}\n" for one in results)
