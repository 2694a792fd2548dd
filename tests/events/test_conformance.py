"""The conformance cases of the CloudEvents project, the JSON schema of the specification, and its Python SDK."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent as SdkEvent
from cloudevents.http import from_http

from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import parse, to_json, write_binary, write_structured
from overwinter.functions.messages.media import is_json
from overwinter.state.errors import InvalidEvent

TARGETS = Path(__file__).parents[3] / "shared" / "targets" / "cloudevents"
needs_targets = pytest.mark.skipif(
    not TARGETS.is_dir(), reason="the CloudEvents conformance files are not beside this checkout"
)


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.load_all((TARGETS / "conformance-repo" / name).read_text("utf-8"), yaml.BaseLoader))


def made(case: dict[str, Any]) -> CloudEvent:
    attributes = {k.lower(): v for k, v in case["ContextAttributes"].items() if k not in ("Extensions", "specversion")}
    extensions = {k: v.strip() for k, v in case["ContextAttributes"].get("Extensions", {}).items()}
    content_type = attributes.pop("datacontenttype", "application/json")
    data: Any = case["Data"].strip()
    return CloudEvent(
        datacontenttype=content_type,
        data=json.loads(data) if is_json(content_type) else data,
        extensions=extensions,
        **attributes,
    )


@needs_targets
@pytest.mark.parametrize("name", ["v1.yaml", "v1_minimum.yaml"])
def test_events_of_the_conformance_repository_survive_both_modes(name: str) -> None:
    cases = documents(name)
    assert cases
    for case in cases:
        event = made(case)
        for write in (write_binary, write_structured):
            message = write(event)
            assert parse(message.headers, message.body) == event


@needs_targets
@pytest.mark.parametrize("name", ["v03.yaml", "v03_minimum.yaml"])
def test_events_of_version_0_3_are_refused_by_name(name: str) -> None:
    for case in documents(name):
        attributes = {k: v for k, v in case["ContextAttributes"].items() if isinstance(v, str)}
        body = json.dumps(attributes).encode()
        with pytest.raises(InvalidEvent, match="specversion"):
            parse([("content-type", "application/cloudevents+json")], body)


def scenarios() -> list[tuple[list[tuple[str, str]], bytes, dict[str, str]]]:
    feature = (TARGETS / "conformance-repo" / "http-protocol-binding.feature").read_text("utf-8")
    found: list[tuple[list[tuple[str, str]], bytes, dict[str, str]]] = []
    for outline in feature.split("Scenario Outline:")[1:]:
        request = re.findall(r'"""\n(.*?)"""', outline, re.DOTALL)[0]
        head, _, body = "\n".join(line.strip() for line in request.strip().splitlines()).partition("\n\n")
        table, examples = outline.partition("Examples:")[::2]
        expected = dict(re.findall(r"\|\s*(\w+)\s*\|\s*(.+?)\s*\|", table))
        for kind in re.findall(r"\|\s*(application/\S.*?)\s*\|", examples):
            lines = [line.replace("<contentType>", kind).split(": ", 1) for line in head.splitlines()[1:]]
            attributes = {k: v.replace("<contentType>", kind) for k, v in expected.items() if k not in ("key",)}
            found.append(([(name, value) for name, value in lines], body.encode(), attributes))
    return found


@needs_targets
def test_the_http_binding_feature_holds() -> None:
    cases = scenarios()
    assert len(cases) == 4
    for headers, body, attributes in cases:
        event = parse(headers, body)
        assert attributes.pop("specversion") == "1.0"
        assert len(attributes) == 5
        for name, value in attributes.items():
            assert getattr(event, name) == value, name
        assert event.data == {"message": "Hello World!"}


@needs_targets
def test_what_is_written_fits_the_schema_of_the_specification() -> None:
    import jsonschema

    schema = json.loads((TARGETS / "spec-schemas" / "cloudevents.json").read_text("utf-8"))
    for data in ({"a": 1}, b"bytes", None, "text"):
        event = CloudEvent(source="/s", type="t", subject="x", data=data, dataschema="https://x.example/s")
        jsonschema.validate(to_json(event), schema)
    for example in schema["properties"]["source"]["examples"]:
        assert CloudEvent(source=example, type="t").source == example
    for example in schema["properties"]["datacontenttype"]["examples"]:
        assert CloudEvent(source="/s", type="t", datacontenttype=example).datacontenttype == example


@needs_targets
def test_the_binding_rules_of_the_checklist_hold() -> None:
    checklist = json.loads((TARGETS / "webhook-and-http-binding-checklist.json").read_text("utf-8"))
    base = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")]
    for example in checklist["http_binding"]["examples"]:
        assert parse([*base, ("ce-subject", example["header"])], b"").subject == example["value"]
        assert parse([*base, ("ce-subject", example["header"].lower())], b"").subject == example["value"].lower()
        event = CloudEvent(source="/s", type="t", subject=example["value"])
        assert dict(write_binary(event).headers)["ce-subject"] == example["header"]


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_the_sdk_reads_what_we_write_and_we_read_what_it_writes(mode: str) -> None:
    ours = CloudEvent(
        id="1",
        source="/s",
        type="t",
        subject="c-42",
        time="2018-04-05T03:56:24Z",
        data={"n": [1, "\u20ac"]},
        extensions={"partitionkey": "k"},
    )
    message = write_binary(ours) if mode == "binary" else write_structured(ours)
    theirs = from_http(dict(message.headers), message.body)
    assert theirs.data == ours.data
    assert {k: theirs[k] for k in ("id", "source", "type", "subject", "partitionkey")} == {
        "id": "1",
        "source": "/s",
        "type": "t",
        "subject": "c-42",
        "partitionkey": "k",
    }
    sent = SdkEvent({"id": "2", "source": "/s", "type": "t", "datacontenttype": "application/json"}, {"n": 1})
    headers, body = (to_binary if mode == "binary" else to_structured)(sent)
    back = parse(list(headers.items()), body)
    assert (back.id, back.source, back.type, back.data) == ("2", "/s", "t", {"n": 1})
