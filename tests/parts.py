"""The folders of the tests, as the parts of a run. With ``--parts``, which ``make test`` gives, they come one after
another, those that take longest first, and in each the longest files: so that no worker is alone with a long file in
the end. And instead of a dot for each test there is a line when a part begins and when it is done, and one for each
test that fails, at once. A folder or file that is not named here comes after those that are; nothing else depends on
its name.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence

import pytest

Status = tuple[str, str, str | tuple[str, Mapping[str, bool]]] | None  # category, letter and word, as pytest has them

FOLDERS = ("state", "processes", "engine", "house", "cli", "sim", "http", "workflow", "agent", "aws")
FILES = ("tests/state/test_dynamodb.py", "tests/house/test_documents.py", "tests/engine/test_sizes.py")
"""What takes longest, the longest first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--parts", action="store_true", help="one folder after another, and a line for each instead of dots"
    )


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--parts"):
        return
    config.pluginmanager.register(Order(), "order-of-parts")
    if "PYTEST_XDIST_WORKER" not in os.environ:  # what the workers report arrives where they were started
        config.pluginmanager.register(Progress(config), "progress-of-parts")


class Order:
    """Where tests are collected: in each worker, the same in all."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: place(item.nodeid))


def part_of(nodeid: str) -> str:
    """``tests/state`` for ``tests/state/test_text.py::test_a_word``."""
    return "/".join(nodeid.split("::")[0].split("/")[:2])


def place(nodeid: str) -> tuple[int, str, int]:
    """Where a file stands in the order; its tests stay as they are."""
    part, file = part_of(nodeid), nodeid.split("::")[0]
    folder = part.removeprefix("tests/")
    return _rank(FOLDERS, folder), part, _rank(FILES, file)


def _rank(order: Sequence[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


class Progress:
    """Where the terminal is."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began = time.monotonic()
        self._sizes: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._started: dict[str, float] = {}
        self._ended: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        if not self._started:  # a worker that takes the place of one that died has collected the same
            self._expect(ids)

    def _expect(self, ids: Sequence[str]) -> None:
        self._sizes = Counter(map(part_of, ids))
        self._left = Counter(self._sizes)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        part = part_of(nodeid)
        if part not in self._started:
            self._started[part] = time.monotonic()
            self._say(f"{part}: {self._sizes[part]} tests")

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, Status, Status]:
        """No sign for a test, which is counted all the same."""
        status = yield
        return (status[0], "", "") if status else status

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._say(f"FAILED {report.nodeid} ({report.when})")
        if report.when != "teardown" or report.nodeid in self._ended:
            return
        self._ended.add(report.nodeid)
        part = part_of(report.nodeid)
        self._left[part] -= 1
        if self._left[part] == 0:
            done = sum(left <= 0 for left in self._left.values())
            took = _clock(time.monotonic() - self._started[part])
            counts = f"{done} of {len(self._sizes)} parts, {len(self._ended)} of {self._sizes.total()} tests"
            self._say(f"{part} done in {took} ({counts})")

    def _say(self, line: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.write_line(f"{_clock(time.monotonic() - self._began):>6}  {line}")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
