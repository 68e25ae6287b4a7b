"""Which tests are quick: all but the functions that `slow.txt` names.

`pytest --quick` (`make quick`) leaves those out. `pytest --measure` writes them: it takes the CPU seconds of
every test that it runs, its child processes included, so that what else the machine does hardly matters; a
function is slow when all its cases together take more than `LIMIT`. A new test is quick until it is measured.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

LIMIT = 0.5
ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("slow.txt")
HEADER = (
    "# By `pytest --measure` (quick.py): CPU seconds of the test functions that `make quick` leaves out.\n"
)


def pytest_addoption(parser):
    group = parser.getgroup("videoquant")
    group.addoption("--quick", action="store_true", help=f"leave out the tests that {LIST.name} names")
    group.addoption("--measure", action="store_true", help=f"write to {LIST.name} which tests are slow")


def pytest_configure(config):
    if config.getoption("--measure"):
        config.pluginmanager.register(Measure(writes=not hasattr(config, "workerinput")))


def pytest_collection_modifyitems(config, items):
    if config.getoption("--quick"):
        slow = read()
        left_out = [item for item in items if function(item.nodeid) in slow]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if function(item.nodeid) not in slow]


class Measure:
    """Adds up the CPU seconds of tests by function.

    writes: whether this process writes the list; those that pytest-xdist starts only measure.
    """

    def __init__(self, writes):
        self.writes, self.seconds, self.last = writes, Counter(), cpu_seconds()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self):
        report = yield
        now = cpu_seconds()
        report.user_properties.append(("cpu", now - self.last))
        self.last = now
        return report

    def pytest_runtest_logreport(self, report):
        self.seconds[function(report.nodeid)] += dict(report.user_properties)["cpu"]

    def pytest_sessionfinish(self):
        if self.writes:
            LIST.write_text(updated(read(), self.seconds), encoding="utf-8")


def updated(slow, measured):
    """The text of the list after a run.

    slow: what the list said, seconds by function. measured: the same of those that ran.
    """
    known = {name: seconds for name, seconds in slow.items() if exists(name)} | dict(measured)
    rows = sorted((name, seconds) for name, seconds in known.items() if seconds > LIMIT)
    return HEADER + "".join(f"{seconds:7.1f} {name}\n" for name, seconds in rows)


def read():
    """The slow functions, and their seconds."""
    lines = LIST.read_text(encoding="utf-8").splitlines() if LIST.exists() else []
    rows = (line.split(maxsplit=1) for line in lines if not line.startswith("#"))
    return {name: float(seconds) for seconds, name in rows}


def exists(name):
    """Whether the function is still there."""
    file, _, test = name.partition("::")
    path = ROOT / file
    return path.exists() and f"def {test.rpartition('::')[2]}(" in path.read_text(encoding="utf-8")


def function(nodeid):
    """The function of a test: its name without the case."""
    return nodeid.partition("[")[0]


def cpu_seconds():
    """Of this process and of the children that it has waited for."""
    return sum(os.times()[:4])
