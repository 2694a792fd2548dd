"""``overwinter retry`` of a state machine: what has succeeded within a Parallel or a Map stays, the rest goes on where
it was."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from overwinter import ExecutionFailed, Final, Runtime, StateMachine, asl
from overwinter.orchestrator.machine import decider as deciding
from overwinter.testing import World, crash_everywhere

CALLED: Counter[str] = Counter()
ILL: set[str] = set()


async def work(given: Any) -> str:
    """Fails for what is ill."""
    name = str(given["name"])
    CALLED[name] += 1
    if name in ILL:
        raise Final(f"{name} is ill")
    return f"did {name}"


def does(name: str, state: str = "", **fields: Any) -> asl.Task:
    return asl.Task(state or name, work, parameters={"name": name}, **fields)


def retried(
    machine: StateMachine, *rounds: set[str], input: Any = None, fresh: int = 400
) -> tuple[Any, list[Counter[str]]]:
    """What comes of it when others are ill each time, and what was called in each round."""

    async def main() -> tuple[Any, list[Counter[str]]]:
        made: list[Counter[str]] = []
        result: Any = None
        async with Runtime([machine], "memory://") as runtime:
            for number, ill in enumerate(rounds):
                CALLED.clear()
                ILL.clear()
                ILL.update(ill)
                if number:
                    await runtime.retry("x")
                else:
                    await runtime.start(machine, input, id="x")
                try:
                    result = await runtime.result("x", timeout=20)
                except ExecutionFailed as failed:
                    result = failed
                made.append(Counter(CALLED))
        return result, made

    with mock.patch.object(deciding, "FRESH", fresh):
        return asyncio.run(main())


@pytest.mark.parametrize("fresh", [400, 1])
def test_branches_that_succeeded_stay(fresh: int) -> None:
    """And a branch that failed goes on from the state that failed, not from its beginning."""
    third = asl.chain(does("c1"), does("c2"), does("c3"))
    machine = StateMachine(
        "m", asl.machine(does("first"), asl.Parallel("P", does("a"), does("b"), third), asl.Pass("Last"))
    )
    result, called = retried(machine, {"c2"}, set(), fresh=fresh)
    assert result == ["did a", "did b", "did c3"]
    assert called == [{"first": 1, "a": 1, "b": 1, "c1": 1, "c2": 1}, {"c2": 1, "c3": 1}]


def test_it_may_fail_again_elsewhere() -> None:
    machine = StateMachine("m", asl.machine(asl.Parallel("P", does("a"), asl.chain(does("b1"), does("b2")))))
    result, called = retried(machine, {"b1"}, {"b2"}, {"b2"}, set())
    assert result == ["did a", "did b2"]
    assert called[1:] == [{"b1": 1, "b2": 1}, {"b2": 1}, {"b2": 1}] and called[0]["a"] == 1


def test_what_was_cut_off_goes_on_where_it_was() -> None:
    """The branch beside waits for an hour when the first one fails; its first state is not made again."""
    waits = asl.chain(does("b1"), asl.Wait("Hour", seconds=3600), does("b2"))
    fails = asl.chain(asl.Wait("Second", seconds=1), does("a"))
    machine = StateMachine("m", asl.machine(asl.Parallel("P", fails, waits)))

    async def main() -> None:
        async with Runtime([machine], "memory://") as runtime:
            CALLED.clear()
            ILL.add("a")
            await runtime.start(machine, id="x")
            with pytest.raises(ExecutionFailed):
                await runtime.result("x", timeout=20)
            ILL.clear()
            await runtime.retry("x")
            while "timer" not in (await runtime.show("x")).awaits or CALLED["a"] < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            assert CALLED == {"a": 2, "b1": 1}
            assert (await runtime.show("x")).status == "waiting"

    asyncio.run(main())


@pytest.mark.parametrize("most", [0, 1, 2])
@pytest.mark.parametrize("fresh", [400, 1])
def test_items_that_succeeded_stay(most: int, fresh: int) -> None:
    each = asl.Task("Each", work, parameters={"name": asl.path("$")})
    items = asl.Map("M", each, items_path="$.l", max_concurrency=most)
    result, called = retried(
        StateMachine("m", asl.machine(items)), {"c"}, set(), input={"l": list("abcde")}, fresh=fresh
    )
    assert result == [f"did {name}" for name in "abcde"]
    both = called[0] + called[1]
    assert both["c"] == 2 and both["a"] == both["b"] == 1
    assert set(both) == set("abcde")


def test_items_that_failed_and_were_tolerated_are_tried_too() -> None:
    each = asl.Task("Each", work, parameters={"name": asl.path("$")})
    items = asl.Map(
        "M", each, mode="DISTRIBUTED", execution_type="STANDARD", tolerated_failure_count=1, max_concurrency=1
    )
    result, called = retried(StateMachine("m", asl.machine(items)), {"a", "c"}, set(), input=list("abcd"))
    assert result == [f"did {name}" for name in "abcd"]
    assert called == [{"a": 1, "b": 1, "c": 1}, {"a": 1, "c": 1, "d": 1}]
    again, called = retried(StateMachine("m", asl.machine(items)), {"a", "c"}, {"c"}, input=list("abcd"))
    assert again[:2] == ["did a", "did b"] and again[2]["Error"] == "Final" and called[1]["a"] == 1


@pytest.mark.parametrize("fresh", [400, 1])
@pytest.mark.parametrize("most", [0, 1, 3])
@pytest.mark.parametrize("written", [True, False])
def test_a_distributed_map_goes_on_with_what_it_has(tmp_path: Path, fresh: int, most: int, written: bool) -> None:
    """Also when what came of it was written before: what is written in the end has each item once."""
    (tmp_path / "names").write_text(json.dumps(list("abcdef")))
    (tmp_path / "out").mkdir()
    items: dict[str, Any] = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": "given", "Key": "names"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Each",
            "States": {"Each": {"Type": "Task", "Resource": "work", "Parameters": {"name.$": "$"}, "End": True}},
        },
        "MaxConcurrency": most,
        "End": True,
    }
    if written:
        items["ResultWriter"] = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "out"}}
    definition = {"StartAt": "M", "States": {"M": items}}
    buckets = {"given": str(tmp_path), "out": str(tmp_path / "out")}
    machine = StateMachine("m", definition, resources={"work": work}, buckets=buckets)
    result, called = retried(machine, {"c"}, {"d"}, set(), fresh=fresh)
    times = sum(called, Counter[str]())
    assert times["c"] >= 2 and times["a"] == times["b"] == 1 and set(times) == set("abcdef")
    if not written:
        assert result == [f"did {name}" for name in "abcdef"]
        return
    told = {Path(key).name: json.loads((tmp_path / "out" / key).read_text()) for key in _files(tmp_path / "out")}
    manifest = told.pop("manifest.json")["ResultFiles"]
    assert [len(manifest[status]) for status in ("FAILED", "PENDING", "SUCCEEDED")] == [0, 0, 1]
    done = json.loads((tmp_path / "out" / manifest["SUCCEEDED"][0]["Key"]).read_text())
    assert [json.loads(one["Input"]) for one in done] == list("abcdef")
    assert [one["RedriveCount"] for one in done][0:3:2] == [0, 1]


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def test_a_data_set_that_could_not_be_read_is_read_anew(tmp_path: Path) -> None:
    reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"}}
    items = {
        "Type": "Map",
        "ItemReader": {**reader, "Parameters": {"Bucket": "given", "Key": "names"}},
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Each",
            "States": {"Each": {"Type": "Pass", "End": True}},
        },
        "End": True,
    }
    machine = StateMachine("m", {"StartAt": "M", "States": {"M": items}}, buckets={"given": str(tmp_path)})

    async def main() -> Any:
        async with Runtime([machine], "memory://") as runtime:
            await runtime.start(machine, {}, id="x")
            with pytest.raises(ExecutionFailed, match="ItemReaderFailed"):
                await runtime.result("x", timeout=20)
            (tmp_path / "names").write_text("[1, 2]")
            await runtime.retry("x")
            return await runtime.result("x", timeout=20)

    assert asyncio.run(main()) == [1, 2]


@pytest.mark.parametrize("mode", ["INLINE", "DISTRIBUTED"])
def test_items_whose_turn_had_not_come_begin_with_what_they_are(mode: str) -> None:
    """The first one fails before the others have begun."""
    fails = "{% $states.context.Execution.RedriveCount = 0 ? $error('no') : $states.input %}"
    config = {"Mode": mode, **({"ExecutionType": "STANDARD"} if mode == "DISTRIBUTED" else {})}
    states = {"P": {"Type": "Pass", "Output": fails, "End": True}}
    flow = {"ProcessorConfig": config, "StartAt": "P", "States": states}
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "M",
        "States": {"M": {"Type": "Map", "ItemProcessor": flow, "End": True}},
    }
    rounds: list[set[str]] = [set()] * (2 if mode == "INLINE" else 4)  # there each item is redriven on its own
    result, _ = retried(StateMachine("m", definition), *rounds, input=[1, 2, 3])
    assert result == [1, 2, 3]


def test_what_is_within_each_other() -> None:
    inner = asl.Parallel("In", does("x"), does("y"))
    each = asl.chain(asl.Task("Each", work, parameters={"name": asl.path("$")}, result_path=None), inner)
    outer = asl.Parallel("Out", does("a"), asl.Map("M", each, items_path="$.l", max_concurrency=1))
    result, called = retried(StateMachine("m", asl.machine(outer)), {"y"}, set(), input={"l": [1, 2]})
    assert result == ["did a", [["did x", "did y"]] * 2]
    assert called[0]["a"] == called[0]["1"] == called[0]["x"] == called[0]["y"] == 1
    assert called[1] == {"y": 2, "2": 1, "x": 1}


def test_retries_of_the_definition_begin_all_of_it_again_and_are_counted_anew() -> None:
    again = asl.retry(interval_seconds=1, max_attempts=1)
    machine = StateMachine("m", asl.machine(asl.Parallel("P", does("a"), does("b"), retry=[again])))
    result, called = retried(machine, {"b"}, {"b"}, set())
    assert called[0] == {"a": 2, "b": 2}  # the Parallel is tried again as a whole
    assert called[1] == {"b": 2, "a": 1}  # a redrive takes up b; that it fails again tries the whole again
    assert called[2] == {"b": 1} and result == ["did a", "did b"]


def test_a_result_that_could_not_be_handed_on_is_not_made_again() -> None:
    """The item selector of the second item fails; what the first one has given stays."""
    each = asl.Task("Each", work, parameters={"name": asl.path("$.n")})
    selector = {"n": asl.path("$$.Map.Item.Value.n")}
    items = asl.Map("M", each, item_selector=selector, max_concurrency=1)
    result, called = retried(StateMachine("m", asl.machine(items)), set(), set(), input=[{"n": "a"}, {}])
    assert isinstance(result, ExecutionFailed) and called == [{"a": 1}, {}]
    shaped = asl.Parallel("P", does("a"), result_selector={"x": asl.path("$.nothing")})
    result, called = retried(StateMachine("m", asl.machine(shaped)), set(), set())
    assert isinstance(result, ExecutionFailed) and called == [{"a": 1}, {}]


def test_the_time_of_the_whole_and_the_count_of_redrives_begin_anew() -> None:
    told = asl.Pass("Told", parameters={"count": asl.path("$$.Execution.RedriveCount")})
    branch = asl.chain(does("a"), told)
    machine = StateMachine("m", asl.machine(asl.Parallel("P", branch, does("b")), timeout_seconds=3600))
    result, _ = retried(machine, {"a"}, {"a"}, set())
    assert result == [{"count": 2}, "did b"]


def test_what_ran_out_of_time_goes_on_too() -> None:
    waits = asl.chain(does("b1"), asl.Wait("W", seconds=3600))
    machine = StateMachine("m", asl.machine(asl.Parallel("P", does("a"), waits), timeout_seconds=1))
    result, called = retried(machine, set(), set())
    assert isinstance(result, ExecutionFailed)
    assert called == [{"a": 1, "b1": 1}, {}]  # the wait was begun again, and nothing that had succeeded


def test_a_redrive_survives_a_crash_at_every_transition() -> None:
    """Also of children, which are executions of their own: one that succeeded is not begun again."""
    ok = StateMachine("ok", asl.machine(asl.Pass("Ok", result="ok")))
    check = asl.Task("Check", work, parameters={"name": asl.path("$$.Execution.RedriveCount")})
    later = asl.chain(does("first"), asl.Wait("Until the child has ended", seconds=60), check)
    machine = StateMachine("m", asl.machine(asl.Parallel("P", asl.Task("Child", ok), later)))

    async def scenario(world: World) -> Any:
        ILL.clear()
        ILL.add("0")
        handle = await world.start(machine, {}, id="x")
        with pytest.raises(ExecutionFailed):
            await handle.result()
        await world.retry("x")
        return await handle.result()

    report = crash_everywhere(scenario, functions=[machine])
    assert report.outcome.value == ["ok", "did 1"]


def test_a_redrive_of_a_distributed_map_survives_a_crash_at_every_transition(tmp_path: Path) -> None:
    """What it writes before it fails does not stand in the way of what it writes in the end."""
    definition = {
        "StartAt": "M",
        "States": {
            "M": {
                "Type": "Map",
                "MaxConcurrency": 2,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Each",
                    "States": {
                        "Each": {"Type": "Task", "Resource": "work", "Parameters": {"name.$": "$"}, "End": True}
                    },
                },
                "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "out"}},
                "End": True,
            }
        },
    }
    machine = StateMachine("m", definition, resources={"work": work}, buckets={"out": str(tmp_path)})

    async def scenario(world: World) -> Any:
        ILL.clear()
        ILL.add("b")
        handle = await world.start(machine, list("abc"), id="x")
        with pytest.raises(ExecutionFailed):
            await handle.result()
        ILL.clear()
        await world.retry("x")
        key = (await handle.result())["ResultWriterDetails"]["Key"]
        files = json.loads((tmp_path / key).read_text())["ResultFiles"]
        done = json.loads((tmp_path / files["SUCCEEDED"][0]["Key"]).read_text())
        return [json.loads(one["Output"]) for one in done], files["FAILED"], files["PENDING"]

    report = crash_everywhere(scenario, functions=[machine])
    assert report.outcome.value == (["did a", "did b", "did c"], [], [])
