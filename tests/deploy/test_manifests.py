"""The manifests are valid to the last key, fit together, and fit the program that they start."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import click
import httpx
import pytest

from overwinter.cli.commands.dev import serve_command
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import write_binary
from overwinter.functions.events.intake import PING
from overwinter.functions.http.app import create_app
from overwinter.functions.http.guard import OPEN
from overwinter.functions.invocation.loading import functions_of, load
from overwinter.functions.runtime import Runtime
from overwinter.state.quantities import seconds

from .manifests import KNATIVE, ROOT, manifests, named, needs_schemas, problems

ALL = manifests()
SERVICES = [document for _, document in ALL if document["apiVersion"] == "serving.knative.dev/v1"]
by_name = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service["metadata"]["name"])


def spec_of(service: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = service["spec"]["template"]["spec"]
    return spec


def container_of(service: dict[str, Any]) -> dict[str, Any]:
    (container,) = spec_of(service)["containers"]
    return cast("dict[str, Any]", container)


def environment_of(service: dict[str, Any]) -> dict[str, Any]:
    """Variables with their literal values; None where the value is a secret."""
    return {variable["name"]: variable.get("value") for variable in container_of(service)["env"]}


# -- valid -----------------------------------------------------------------------------------------------------


@needs_schemas
@pytest.mark.parametrize(("file", "document"), ALL, ids=[f"{file}-{one['metadata']['name']}" for file, one in ALL])
def test_a_manifest_is_valid_to_the_last_key(file: str, document: dict[str, Any]) -> None:
    assert problems(document) == []


def at(document: Any, path: str) -> Any:
    for step in path.split("."):
        document = document[int(step) if step.isdecimal() else step]
    return document


MISSPELT = [
    ("Service", "spec.template.spec", "timeoutSecond", 600),
    ("Service", "spec.template.spec.containers.0.readinessProbe.httpGet", "paht", "/readyz"),
    ("Service", "spec.template.spec.containers.0.securityContext", "readOnlyRootFileSystem", True),
    ("Service", "spec.template.metadata", "anotations", {}),
    ("Trigger", "spec.delivery", "retries", 3),
    ("Trigger", "spec.delivery.deadLetterSink", "url", "/"),
    ("Trigger", "spec", "filtres", []),
    ("Broker", "spec.delivery", "backoffdelay", "PT1S"),
    ("PingSource", "spec", "shedule", "* * * * *"),
    ("EventPolicy", "spec", "form", []),
    ("Secret", "", "stringDate", {}),
    ("Namespace", "metadata", "label", {}),
]


@needs_schemas
@pytest.mark.parametrize(("kind", "path", "key", "value"), MISSPELT, ids=[key for _, _, key, _ in MISSPELT])
def test_a_misspelt_key_is_found(kind: str, path: str, key: str, value: Any) -> None:
    document = copy.deepcopy(next(one for _, one in ALL if one["kind"] == kind))
    assert problems(document) == []
    (at(document, path) if path else document)[key] = value
    assert problems(document) == [f"{path}.{key}".lstrip(".").replace(".0", "[0]") + ": unknown key"]


@needs_schemas
def test_a_wrong_value_and_an_unknown_kind_are_found() -> None:
    trigger = copy.deepcopy(named("Trigger"))
    trigger["spec"]["delivery"]["retry"] = "eight"
    assert len(problems(trigger)) == 1
    assert problems({**trigger, "kind": "Triger"}) == ["no schema for eventing.knative.dev/v1 Triger"]


# -- fit together ----------------------------------------------------------------------------------------------


def test_everything_is_in_one_namespace() -> None:
    name = named("Namespace")["metadata"]["name"]
    assert {one["metadata"]["namespace"] for _, one in ALL if one["kind"] != "Namespace"} == {name}
    assert f"NAMESPACE={name}\n" in (KNATIVE / "apply.sh").read_text("utf-8")


def references(value: Any) -> list[tuple[str, str]]:
    """Everything that is referred to by kind and name, anywhere in a document."""
    if isinstance(value, list):
        return [found for item in value for found in references(item)]
    if not isinstance(value, dict):
        return []
    own = [(value["kind"], value["name"])] if {"kind", "name", "apiVersion"} <= set(value) else []
    return own + [found for item in value.values() for found in references(item)]


def test_what_is_referred_to_is_there() -> None:
    there = {(one["kind"], one["metadata"]["name"]) for _, one in ALL}
    asked = {found for _, one in ALL for found in references(one.get("spec", {}))}
    assert len(asked) >= 3
    assert asked <= there
    assert ("Broker", named("Trigger")["spec"]["broker"]) in there


@by_name
def test_secrets_that_are_used_are_in_the_example(service: dict[str, Any]) -> None:
    example = named("Secret")
    used = [
        variable["valueFrom"]["secretKeyRef"] for variable in container_of(service)["env"] if "valueFrom" in variable
    ]
    assert used
    assert {one["name"] for one in used} == {example["metadata"]["name"]}
    assert {one["key"] for one in used} <= set(example["stringData"])
    assert set(example["stringData"].values()) == {"CHANGE-ME"}


def test_every_file_is_applied_and_every_placeholder_replaced() -> None:
    script = (KNATIVE / "apply.sh").read_text("utf-8")
    files = {path.name for path in KNATIVE.glob("*.yaml")} - {"secrets.example.yaml", "secrets.yaml"}
    assert all(re.search(rf"^ *apply(?:_service [\w-]+)? {re.escape(name)}$", script, re.M) for name in files)
    for name, document in ALL:
        texts = re.findall(r"access_token=(\w+)|'image': '([^']+)'", str(document))
        assert {text for pair in texts for text in pair if text} <= {
            "DELIVERY_TOKEN",
            "registry.example.com/support-desk:0.1.0",
        }, name


# -- fit the platform ------------------------------------------------------------------------------------------


@by_name
def test_services_scale_to_zero_and_stay_inside_of_the_cluster(service: dict[str, Any]) -> None:
    annotations = service["spec"]["template"]["metadata"]["annotations"]
    assert annotations["autoscaling.knative.dev/min-scale"] == "0"
    assert all(isinstance(value, str) for value in annotations.values())
    assert service["metadata"]["labels"]["networking.knative.dev/visibility"] == "cluster-local"


@by_name
def test_a_container_has_no_rights_that_it_does_not_need(service: dict[str, Any]) -> None:
    context = container_of(service)["securityContext"]
    assert context["runAsUser"] > 0 and context["runAsNonRoot"] and context["readOnlyRootFilesystem"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec_of(service)["automountServiceAccountToken"] is False
    resources = container_of(service)["resources"]
    assert set(resources["requests"]) == set(resources["limits"]) == {"cpu", "memory"}


@by_name
def test_the_mounted_folders_are_volumes(service: dict[str, Any]) -> None:
    mounted = {mount["name"] for mount in container_of(service)["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec_of(service)["volumes"]}


def test_times_fit_into_each_other() -> None:
    desk = named("Service", "support-desk")
    spec, environment = spec_of(desk), environment_of(desk)
    assert spec["responseStartTimeoutSeconds"] == spec["timeoutSeconds"] <= 600  # what a cluster allows by default
    assert seconds(environment["OVERWINTER_WAIT"]) < spec["timeoutSeconds"]
    assert seconds(environment["OVERWINTER_GRACE"]) < spec["timeoutSeconds"]


@by_name
def test_a_sweep_comes_seldom_enough_for_a_pod_to_go_away(service: dict[str, Any]) -> None:
    window = service["spec"]["template"]["metadata"]["annotations"]["autoscaling.knative.dev/window"]
    (source,) = [
        one
        for _, one in ALL
        if one["kind"] == "PingSource" and one["spec"]["sink"]["ref"]["name"] == service["metadata"]["name"]
    ]
    every = re.fullmatch(r"\*/(\d+) \* \* \* \*", source["spec"]["schedule"])
    period = 60 * int(every[1]) if every else 3600
    assert period >= 2 * (seconds(window) + 30)  # 30 s: the cluster's scale-to-zero grace


# -- fit the program -------------------------------------------------------------------------------------------


@by_name
def test_probes_ask_what_is_open_on_the_port_that_is_served(service: dict[str, Any]) -> None:
    container = container_of(service)
    (port,) = container["ports"]
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container[name]["httpGet"]
        assert probe["path"] in OPEN and probe["port"] == port["containerPort"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"  # a store that is away is no reason to restart
    assert "PORT" not in environment_of(service)  # the platform sets it
    assert "--port" not in container.get("args", [])
    assert port["containerPort"] == 8080  # what both programs listen at when nothing sets it


PROVIDERS = {"OPENAI_API_KEY"}  # read by litellm


def sources() -> str:
    files = [ROOT / "examples" / "support_desk.py", KNATIVE / "dead_letters.py", *(ROOT / "cli").rglob("*.py")]
    return "\n".join(path.read_text("utf-8") for path in [*files, ROOT / "state" / "opening.py"])


@by_name
def test_variables_are_ones_that_the_program_reads(service: dict[str, Any]) -> None:
    text = sources()
    unread = [name for name in environment_of(service) if f'"{name}"' not in text]
    assert set(unread) <= PROVIDERS


def test_the_values_of_variables_are_ones_that_the_program_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    read = {name for option in serve_command.params for name in names_of(option)}
    given = {name: value for name, value in environment_of(named("Service", "support-desk")).items() if name in read}
    assert len(given) >= 7
    for name, value in given.items():
        monkeypatch.setenv(name, value or "x" * 20)
    context = serve_command.make_context("serve", [str(ROOT / "examples" / "support_desk.py")])
    assert context.params["wait"] == given["OVERWINTER_WAIT"]
    assert context.params["max_active"] == int(given["OVERWINTER_MAX_ACTIVE"])


def names_of(option: click.Parameter) -> list[str]:
    names = option.envvar
    return [names] if isinstance(names, str) else list(names or [])


TOKEN, DELIVERY = "the-token-of-the-api", "the-token-of-deliveries"


def delivered(uri: str, event: CloudEvent, *, host: str = "http://desk") -> int:
    """The status of an event that is sent to the desk at a sink's ``uri``."""
    return asyncio.run(_delivered(lambda client: _post(client, uri, event), host))


async def _post(client: httpx.AsyncClient, uri: str, event: CloudEvent) -> int:
    message = write_binary(event)
    headers = [*message.headers, ("prefer", "reply")]  # as brokers do
    answer = await client.post(uri.replace("DELIVERY_TOKEN", DELIVERY), content=message.body, headers=headers)
    if answer.status_code == 200:
        assert answer.headers["ce-type"] == "io.overwinter.result.support"
    elif answer.is_success:
        assert answer.content == b""  # a body that is no event is a failed delivery for a broker
    return answer.status_code


async def _delivered(work: Callable[[httpx.AsyncClient], Coroutine[Any, Any, int]], host: str) -> int:
    functions = functions_of(load(ROOT / "examples" / "support_desk.py"))
    async with Runtime(functions, "memory://") as runtime:
        app: Any = create_app(runtime, token=TOKEN, delivery_token=DELIVERY)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=host) as client:
            return await work(client)


@pytest.fixture(autouse=True)
def a_shop_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE", str(tmp_path / "shop.db"))


def test_what_the_trigger_lets_through_is_answered_by_the_agent() -> None:
    trigger = named("Trigger")["spec"]
    wanted = trigger["filter"]["attributes"]["type"]
    event = CloudEvent(source="/shop", type=wanted, subject="c-17", data="Where is my order o-17?")
    assert delivered(trigger["subscriber"]["uri"], event) == 200


def test_the_tick_of_the_ping_source_is_a_sweep() -> None:
    for _, source in ALL:
        if source["kind"] == "PingSource":
            tick = CloudEvent(source="/apis/v1/namespaces/support-desk/pingsources/sweep", type=PING)
            assert delivered(source["spec"]["sink"]["uri"], tick) == 204


def test_a_sink_whose_token_was_not_filled_in_is_refused() -> None:
    uri = named("Trigger")["spec"]["subscriber"]["uri"].replace("DELIVERY_TOKEN", "DELIVERY-TOKEN")
    assert delivered(uri, CloudEvent(source="/shop", type="io.overwinter.call.support", data="x")) == 401
