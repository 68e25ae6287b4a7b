"""Which tests `make quick` leaves out, and how they are found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import quick

CONFTEST = """
from pathlib import Path
from tests import quick
from tests.quick import pytest_addoption, pytest_collection_modifyitems, pytest_configure
quick.BUDGET = 0.1
quick.LIST = Path(__file__).with_name("slow.txt")
"""
TESTS = """
import time
import pytest

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

@pytest.mark.parametrize("case", range(3))
def test_slow_together(case):
    burn(0.06)

def test_quick():
    pass
"""


@pytest.fixture
def project(tmp_path):
    """A folder of tests of its own; gives its list, and how often each test passed in a run."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_some.py").write_text(TESTS)

    def run(*options):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return tmp_path / "slow.txt", run


def test_what_is_measured_as_slow_is_left_out(project):
    slow, run = project
    assert "4 passed" in run("--quick")  # nothing is measured yet
    assert "4 passed" in run("--measure")
    assert [line.split()[1] for line in slow.read_text().splitlines()[1:]] == [
        "test_some.py::test_slow_together"
    ]
    assert "1 passed, 3 deselected" in run("--quick")


def test_processes_of_xdist_measure_for_the_one_that_writes(project):
    slow, run = project
    run("--measure", "-n", "2")
    assert "test_slow_together" in slow.read_text() and "test_quick" not in slow.read_text()


def test_the_cheapest_are_quick_up_to_the_budget(monkeypatch):
    monkeypatch.setattr(quick, "BUDGET", 1.0)
    text = quick.listed({"a": 0.5, "d": 3.0, "b": 0.2, "c": 0.3, "e": 0.6})
    assert text == f"{quick.HEADER}   3.00 d\n   0.60 e\n"  # b, c and a take 1.0 together
