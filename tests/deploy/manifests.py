"""The manifests of ``knative/``, and a check of documents against schemas that is stricter than a cluster's: a
cluster drops unknown keys without a word, so a misspelt one does nothing there; here it is an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
KNATIVE = ROOT / "knative"
SCHEMAS = ROOT.parent / "shared" / "targets" / "k8s-schemas"

needs_schemas = pytest.mark.skipif(not SCHEMAS.exists(), reason="the folder with public schemas is not here")


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text("utf-8")) if document is not None]


def manifests() -> list[tuple[str, dict[str, Any]]]:
    """All documents, each with the name of its file."""
    return [(path.name, one) for path in sorted(KNATIVE.glob("*.yaml")) for one in documents(path)]


def named(kind: str, name: str = "") -> dict[str, Any]:
    (found,) = [one for _, one in manifests() if one["kind"] == kind and name in ("", one["metadata"]["name"])]
    return found


@cache
def schemas() -> dict[tuple[str, str], dict[str, Any]]:
    """Schemas by apiVersion and kind."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in (SCHEMAS / "knative-crds").glob("*.yaml"):
        for crd in documents(path):
            spec = crd["spec"]
            for version in spec["versions"]:
                key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                found[key] = version["schema"]["openAPIV3Schema"]
    definitions = kubernetes()
    for kind in ("Namespace", "Secret"):
        found[("v1", kind)] = definitions[f"io.k8s.api.core.v1.{kind}"]
    return found


@cache
def kubernetes() -> dict[str, Any]:
    made: dict[str, Any] = json.loads((SCHEMAS / "kubernetes" / "definitions.json").read_text("utf-8"))["definitions"]
    return made


METADATA = "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def problems(document: dict[str, Any]) -> list[str]:
    """What is wrong with a document: unknown keys, missing ones, values that don't fit."""
    schema = schemas().get((document.get("apiVersion", ""), document.get("kind", "")))
    if schema is None:
        return [f"no schema for {document.get('apiVersion')} {document.get('kind')}"]
    head = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"$ref": METADATA}}
    whole = {**schema, "properties": {**schema["properties"], **head}, "definitions": kubernetes()}
    wrong = [f"{'.'.join(map(str, error.path))}: {error.message}" for error in errors_of(whole, document)]
    return [*wrong, *unknown(whole, document, "")]


def errors_of(schema: dict[str, Any], document: Any) -> Iterator[Any]:
    validator: Any = Draft202012Validator(schema)
    yield from validator.iter_errors(document)


def unknown(schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    """Keys that the schema does not name, also where a cluster would keep them."""
    while "$ref" in schema:
        schema = kubernetes()[schema["$ref"].rpartition("/")[2]]
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown(schema.get("items", {}), item, f"{path}[{index}]")
    if not isinstance(value, dict):
        return
    named_keys: dict[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for key, item in value.items():
        where = f"{path}.{key}".lstrip(".")
        if key in named_keys:
            yield from unknown(named_keys[key], item, where)
        elif isinstance(others, dict):
            yield from unknown(others, item, where)
        elif named_keys or not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield f"{where}: unknown key"


def container_args(service: str) -> list[str]:
    """What a Service's container is started with, instead of the image's own command."""
    (container,) = named("Service", service)["spec"]["template"]["spec"]["containers"]
    return [str(argument) for argument in container.get("args", [])]
