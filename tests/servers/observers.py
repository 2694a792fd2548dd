"""Programs that take what overwinter tells of itself, as they are run in earnest: an OpenTelemetry collector, Jaeger,
Prometheus with promtool. They are taken from the folder ``OVERWINTER_TEST_SERVERS`` or from PATH; a test that needs
one which the machine does not have is skipped, and says how to get it.

    with Jaeger() as jaeger:
        ...  # OTEL_EXPORTER_OTLP_ENDPOINT=jaeger.otlp

Everything listens on 127.0.0.1 on ports that were free, keeps its files in a folder that goes away with it, and is
ended when its ``with`` ends.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import yaml

from overwinter.tests.servers.ports import HOST, free_port, return_port

FOLDER = "OVERWINTER_TEST_SERVERS"
PATIENCE = 60.0
"""Seconds that a server may take to answer, or to have what it was sent."""
GET = {
    "otelcol": "sh tests/servers/observers.sh FOLDER otelcol builds it (with Go)",
    "jaeger": "sh tests/servers/observers.sh FOLDER jaeger builds it (with Go; it takes some minutes)",
    "prometheus": "apt-get install prometheus, or sh tests/servers/observers.sh FOLDER prometheus",
    "promtool": "apt-get install prometheus, or sh tests/servers/observers.sh FOLDER prometheus",
}


def program(name: str) -> str:
    """Where the program is. Skips the test when there is none."""
    folder = os.environ.get(FOLDER)
    found = shutil.which(name, path=folder) if folder else None
    found = found or shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} on PATH nor in {FOLDER}: {GET[name]}")
    return found


class Server:
    """A program with a file of settings, which is ready when an address answers."""

    name: str
    ports: int = 1

    def __init__(self) -> None:
        self._program = program(self.name)
        self._ports = [free_port() for _ in range(self.ports)]
        self.folder = Path(tempfile.mkdtemp(prefix=f"ow-{self.name}-"))
        self.log = self.folder / "log"

    def settings(self) -> Any: ...

    def arguments(self, settings: Path) -> list[str]:
        return ["--config", str(settings)]

    def probe(self) -> str:
        """An address that answers 200 when it is ready."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        settings = self.folder / "settings.yaml"
        settings.write_text(yaml.safe_dump(self.settings()), "utf-8")
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [self._program, *self.arguments(settings)], cwd=self.folder, stdout=log, stderr=log
            )
        try:
            self.until(self._ready, "it is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for port in self._ports:
            return_port(port)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ready(self) -> bool:
        return httpx.get(self.probe(), timeout=PATIENCE).status_code == 200

    def until(self, holds: Any, what: str) -> Any:
        """Ask until the answer is true; that nobody answers counts as not yet."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if found := holds():
                    return found
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"{self.name}: waited for that {what}; its log: {self.log.read_text()[-4000:]}")


class Collector(Server):
    """An OpenTelemetry collector: OTLP in, batches on to ``target`` by OTLP. Any distribution can do that."""

    name = "otelcol"
    ports = 2

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        self.otlp = f"http://{HOST}:{self._ports[0]}"

    def settings(self) -> Any:
        to = {"receivers": ["otlp"], "processors": ["batch"], "exporters": ["otlphttp"]}
        return {
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"{HOST}:{self._ports[0]}"}}}},
            "processors": {"batch": {"timeout": "50ms"}},
            "exporters": {"otlphttp": {"endpoint": self._target, "tls": {"insecure": True}}},
            "service": {"pipelines": {"traces": to, "metrics": to}, "telemetry": {"metrics": {"level": "none"}}},
        }

    def _ready(self) -> bool:
        return httpx.get(self.otlp, timeout=PATIENCE).status_code < 500


class Jaeger(Server):
    """Jaeger 2: OTLP in, traces in memory, and its API for queries."""

    name = "jaeger"
    ports = 4

    def __init__(self) -> None:
        super().__init__()
        self.otlp = f"http://{HOST}:{self._ports[0]}"
        self.query = f"http://{HOST}:{self._ports[1]}"

    def settings(self) -> Any:
        to = {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}
        return {
            "extensions": {
                "jaeger_storage": {"backends": {"kept": {"memory": {"max_traces": 10_000}}}},
                "jaeger_query": {
                    "storage": {"traces": "kept"},
                    "http": {"endpoint": f"{HOST}:{self._ports[1]}"},
                    "grpc": {"endpoint": f"{HOST}:{self._ports[2]}"},
                },
            },
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"{HOST}:{self._ports[0]}"}}}},
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "kept"}},
            "service": {
                "extensions": ["jaeger_storage", "jaeger_query"],
                "pipelines": {"traces": to},
                "telemetry": {"metrics": {"level": "none"}},
            },
        }

    def probe(self) -> str:
        return f"{self.query}/api/services"

    def trace(self, id: str) -> list[dict[str, Any]]:
        """The spans of a trace as the API tells them; none, when nobody has sent any."""
        answer = httpx.get(f"{self.query}/api/traces/{id}", timeout=PATIENCE)
        if answer.status_code == 404:
            return []
        (trace,) = answer.raise_for_status().json()["data"]
        spans: list[dict[str, Any]] = trace["spans"]
        for span in spans:
            span["process"] = trace["processes"][span["processID"]]
        return spans


class Prometheus(Server):
    """Prometheus with ``rules``, and one job: ``shop``, at ``target`` (host and port), asked each second."""

    name = "prometheus"

    def __init__(self, target: str, rules: Path, token: str = "") -> None:
        super().__init__()
        self._target, self._rules, self._token = target, rules, token
        self.url = f"http://{HOST}:{self._ports[0]}"

    def settings(self) -> Any:
        job: dict[str, Any] = {"job_name": "shop", "static_configs": [{"targets": [self._target]}]}
        if self._token:
            (self.folder / "token").write_text(self._token)
            job["authorization"] = {"credentials_file": str(self.folder / "token")}
        often = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        return {"global": often, "rule_files": [str(self._rules)], "scrape_configs": [job]}

    def arguments(self, settings: Path) -> list[str]:
        return [
            f"--config.file={settings}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={HOST}:{self._ports[0]}",
        ]

    def probe(self) -> str:
        return f"{self.url}/-/ready"

    def ask(self, path: str, **parameters: Any) -> Any:
        """``data`` of an answer of its API. An error is raised with what it says."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=PATIENCE)
        said = answer.json()
        assert answer.status_code == 200 and said["status"] == "success", json.dumps(said)
        assert not said.get("warnings") and not said.get("infos"), json.dumps(said)
        return said["data"]
