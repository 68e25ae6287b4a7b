"""Which tests `make quick` leaves out, and how they are found."""

import os
import subprocess
import sys

import pytest

from tests import quick

CONFTEST = """
from pathlib import Path
from tests import quick
from tests.quick import pytest_addoption, pytest_collection_modifyitems, pytest_configure
quick.ROOT, quick.LIMIT = Path(__file__).parent, 0.1
quick.LIST = quick.ROOT / "slow.txt"
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
        environment = {**os.environ, "PYTHONPATH": str(quick.ROOT)}
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


def test_what_did_not_run_keeps_its_place_while_it_is_there():
    this = "tests/test_quick.py::test_what_did_not_run_keeps_its_place_while_it_is_there"
    fast = "tests/test_quick.py::test_what_is_measured_as_slow_is_left_out"
    text = quick.updated({this: 3.0, fast: 2.0, "tests/gone.py::test_gone": 9.0}, {fast: 0.01})
    assert text == f"{quick.HEADER}    3.0 {this}\n"
