"""Prometheus itself, where the machine has it: it scrapes a process that has worked, with the token, and knows what
the catalogue says; every expression of the dashboards and rules runs there. promtool holds the rules against the unit
tests beside them, and each of these tests can fail."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from overwinter import Agent, Breaker, Budget, Context, Retry, Runtime, Scripted, call, current_call, tool, workflow
from overwinter.functions.bus.dead_letters import DeadLetters, letter
from overwinter.functions.model import Answer, ModelUnavailable, Prices, Request, Usage
from overwinter.state.errors import ExecutionFailed
from overwinter.telemetry.metrics import catalogue, prometheus
from overwinter.tests.apart.place import on_a_loop, served
from overwinter.tests.servers.observers import Prometheus, program

OBSERVABILITY = Path(__file__).parents[2] / "observability"
RULES = OBSERVABILITY / "prometheus" / "rules.yaml"
UNITS = RULES.with_name("rules_test.yaml")
BOARDS = sorted((OBSERVABILITY / "grafana").glob("*.json"))
TOKEN = "a-token-that-is-long-enough"
ABSENT = {"overwinter_store_requests", "overwinter_commit_failures"}
"""Metrics of what does not happen here, and of which there are no series before it does."""

# -- what the process does ---------------------------------------------------------------------------


@tool
def lookup(order: str) -> str:
    """Find an order."""
    return f"{order} was shipped"


@tool(effect="irreversible", approval="desk")
def refund(order: str) -> str:
    """Refund an order."""
    return f"{order} was refunded"


async def broken() -> None:
    raise OSError("down")


class Unpriced:
    """A model of which nobody knows the price."""

    name = "nobody/knows"

    async def complete(self, request: Request) -> Answer:
        return Answer("Hello.", usage=Usage(3, 1), model=self.name)


@workflow
async def failing(ctx: Context, given: str) -> None:
    await ctx.step(broken, breaker=Breaker(failures=1, reset="1h"), retry=Retry(1))


async def flaky() -> str:
    if current_call().attempt == 1:
        raise OSError("down")
    return "up"


@workflow
async def passing(ctx: Context, given: str) -> str:
    await ctx.step(flaky, retry=Retry(2, first="1ms"))
    return await ctx.step(lookup, given)


desk = Agent(
    "desk",
    Scripted([call("lookup", order="A-1"), "It was shipped."]),
    tools=[lookup],
    prices=Prices(input="1000", output="2000"),
    budgets=[Budget("tenant", tokens=1_000_000, cost="100", per="day")],
    settings={"max_tokens": 50},
)
away = Agent("away", Scripted([ModelUnavailable("down", model="script", status=400)]), retry=Retry(1))
stranger = Agent("stranger", Unpriced())
refunds = Agent("refunds", Scripted([call("refund", order="A-1"), "Done."]), tools=[refund])
FUNCTIONS = [failing, passing, desk, away, stranger, refunds]


async def work(runtime: Runtime) -> None:
    assert await (await runtime.start(passing, "A-1")).result() == "A-1 was shipped"
    with pytest.raises(ExecutionFailed):
        await (await runtime.start(failing, "A-1")).result()
    assert await (await runtime.send(desk, "k", "Where?", tenant="acme")).reply() == "It was shipped."
    await (await runtime.send(stranger, "k", "Hello?")).reply()
    with pytest.raises(ModelUnavailable):
        await (await runtime.send(away, "k", "Hello?")).reply()
    for id in ("r-1", "r-2"):
        await runtime.start(refunds, "Refund A-1", id=id)
        while not (await runtime.show(id)).awaits.startswith("approval"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await runtime.decide("r-1", None, True, by="ana", role="desk")
    await runtime.result("r-1", 20)
    await DeadLetters(runtime.store).keep(letter("orders:e-1", "orders", "passing", {}, ValueError("no"), 1, 1))


@asynccontextmanager
async def worked(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncGenerator[str]:
    """The address of a process that has done all that."""
    monkeypatch.setenv("OVERWINTER_METRICS", "1")
    async with served(FUNCTIONS, f"sqlite:///{folder}/shop.db", token=TOKEN) as here:
        await asyncio.wait_for(work(here.runtime), 60)
        yield here.url


# -- what Prometheus makes of it ---------------------------------------------------------------------


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


@on_a_loop
async def test_prometheus_scrapes_a_process_and_every_dashboard_and_rule_runs_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program("prometheus")
    async with worked(monkeypatch, tmp_path) as url:
        await asyncio.to_thread(_look, url.removeprefix("http://"))


def _look(target: str) -> None:
    with Prometheus(target, RULES, TOKEN) as server:
        server.until(lambda: _scrapes(server) >= 2, "it has scraped twice")
        (job,) = server.ask("targets")["activeTargets"]
        assert (job["health"], job["lastError"]) == ("up", "")
        _knows_the_catalogue(server)
        _shows_the_dashboards(server)
        _watches_the_rules(server)


def _scrapes(server: Prometheus) -> int:
    rows = server.ask("query", query="sum(count_over_time(overwinter_store_up[5m]))")["result"]
    return int(rows[0]["value"][1]) if rows else 0


def _knows_the_catalogue(server: Prometheus) -> None:
    """Names, kinds and what they say; a counter's name is with or without its end, as the release has it."""
    told = server.ask("metadata")
    found = {name.removesuffix("_total"): (said["type"], said["help"]) for name, (said,) in told.items()}
    known = {prometheus.family(one): (one.kind, one.about) for one in catalogue.ALL}
    assert found == {name: said for name, said in known.items() if name not in ABSENT}


def _shows_the_dashboards(server: Prometheus) -> None:
    """Each expression gives something, but for those of which there is nothing."""
    silent: set[str] = set()
    for board in BOARDS:
        made = json.loads(board.read_text("utf-8"))
        for panel in made["panels"]:
            for target in panel["targets"]:
                asked = target["expr"].replace("$__rate_interval", "1m").replace("$job", "shop")
                if not server.ask("query", query=asked)["result"]:
                    silent.add(panel["title"])
        for variable in made["templating"]["list"]:
            if variable["type"] == "query":
                name = variable["query"].removeprefix("label_values(").partition(",")[0]
                assert server.ask("label/job/values", **{"match[]": name}) == ["shop"]
    assert silent == {"Commits that failed", "Requests to the store for a transition"}  # SQLite is asked by none


def _watches_the_rules(server: Prometheus) -> None:
    def seen() -> Any:
        found = [rule for group in server.ask("rules")["groups"] for rule in group["rules"]]
        return found if all(rule["health"] != "unknown" for rule in found) else None

    found = server.until(seen, "it has looked at all rules")
    assert [rule["name"] for rule in found] == [rule["alert"] for rule in rules()]
    assert {(rule["health"], rule.get("lastError", "")) for rule in found} == {("ok", "")}
    waits = {rule["name"] for rule in found if rule["state"] != "inactive"}
    assert waits == {"OverwinterDeadLetters", "OverwinterCircuitOpen"}  # they must hold for longer to fire


# -- what promtool says ------------------------------------------------------------------------------


@on_a_loop
async def test_promtool_finds_no_fault_in_a_scrape(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program("promtool")
    async with worked(monkeypatch, tmp_path) as url, httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200 and "overwinter_turns_total{" in answer.text
    done = _promtool("check", "metrics", stdin=answer.text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _promtool(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [program("promtool"), *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)


def _found(folder: Path, changed: list[dict[str, Any]]) -> set[str]:
    """The alerts of other rules of which the unit tests say that something is wrong."""
    made = {"groups": [{"name": "overwinter", "rules": changed}]}
    (folder / RULES.name).write_text(yaml.safe_dump(made), "utf-8")
    (folder / UNITS.name).write_text(UNITS.read_text("utf-8"), "utf-8")
    done = _promtool("test", "rules", str(folder / UNITS.name))
    return set(re.findall(r"alertname: (\w+)", done.stdout + done.stderr))


def test_promtool_takes_the_rules_and_each_fires_when_it_should_and_not_else() -> None:
    for arguments in (("check", "rules", "--lint=all", "--lint-fatal", str(RULES)), ("test", "rules", str(UNITS))):
        done = _promtool(*arguments)
        assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr


WRONG: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "fires always": lambda rule: {**rule, "expr": "vector(1)"},
    "fires never": lambda rule: {**rule, "expr": f"({rule['expr']}) and vector(0) > 1"},
    "waits for nothing": lambda rule: {name: said for name, said in rule.items() if name != "for"},
    "waits for too long": lambda rule: {**rule, "for": "1d"},
    "is turned round": lambda rule: {**rule, "expr": _turned(rule["expr"])},
}
"""Faults that the unit tests have to find, in whichever rule."""


def _turned(expression: str) -> str:
    """Its last comparison, the other way round."""
    before, sign, after = re.split(r" (==|>) (?!.* (?:==|>) )", expression)
    return f"{before} {'!=' if sign == '==' else '<'} {after}"


@pytest.mark.parametrize("wrong", WRONG)
def test_a_rule_that_is_wrong_is_found(wrong: str, tmp_path: Path) -> None:
    changed = [WRONG[wrong](rule) for rule in rules()]
    assert _found(tmp_path, changed) == {one["alert"] for one in changed if one not in rules()}


def test_every_rule_has_unit_tests_of_both_kinds() -> None:
    tried = [one for test in yaml.safe_load(UNITS.read_text("utf-8"))["tests"] for one in test["alert_rule_test"]]
    for rule in rules():
        fires = {bool(one["exp_alerts"]) for one in tried if one["alertname"] == rule["alert"]}
        assert fires == {True, False}, rule["alert"]
