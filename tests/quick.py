"""Which tests are quick: all but the functions that `slow.txt` names.

`pytest --quick` (`make quick`) leaves those out. `pytest --measure`, over all tests (`make measure`), writes
them: it takes the CPU seconds of each, its child processes included, so that what else the machine does
hardly matters. The functions whose cases take least are quick, as many as take `BUDGET` together. A new test
is quick until it is measured.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

LONG = 20.0  # CPU seconds: these functions begin first, so that no process works alone at the end
BUDGET = 50.0  # CPU seconds: on two cores a minute, with what starting and collecting take
LIST = Path(__file__).with_name("slow.txt")
HEADER = "# By `make measure` (quick.py): CPU seconds of the functions that `make quick` leaves out.\n"


def pytest_addoption(parser):
    group = parser.getgroup("videoquant")
    group.addoption("--quick", action="store_true", help=f"leave out the tests that {LIST.name} names")
    group.addoption("--measure", action="store_true", help=f"write to {LIST.name} which tests are slow")


def pytest_configure(config):
    if config.getoption("--measure"):
        if config.getoption("--quick"):
            raise pytest.UsageError("--measure is for all tests, without --quick")
        config.pluginmanager.register(Measure(writes=not hasattr(config, "workerinput")))


def pytest_collection_modifyitems(config, items):
    slow = read()
    items.sort(key=lambda item: min(0.0, LONG - slow.get(function(item.nodeid), 0.0)))
    if config.getoption("--quick"):
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
            LIST.write_text(listed(self.seconds), encoding="utf-8")


def listed(seconds):
    """The text of the list. seconds: of every test function."""
    total, slow = 0.0, {}
    for name in sorted(seconds, key=seconds.__getitem__):
        total += seconds[name]
        if total > BUDGET:
            slow[name] = seconds[name]
    return HEADER + "".join(f"{slow[name]:7.2f} {name}\n" for name in sorted(slow))


def read():
    """The slow functions, by name, and their CPU seconds."""
    lines = LIST.read_text(encoding="utf-8").splitlines() if LIST.exists() else []
    entries = (line.split(maxsplit=1) for line in lines if not line.startswith("#"))
    return {name: float(seconds) for seconds, name in entries}


def function(nodeid):
    """The function of a test: its name without the case."""
    return nodeid.partition("[")[0]


def cpu_seconds():
    """Of this process and of the children that it has waited for."""
    return sum(os.times()[:4])
