"""Tasks side by side: equal results, progress, errors and warnings as in one process, lost processes."""

import os
import signal
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from videoquant.comparison.workers import TRIES, Memory, Processes, one_by_one
from videoquant.errors import CalibrationWarning, DataError, WorkerError


@dataclass(frozen=True)
class Square:
    """Gives its number squared after so many steps. lost: a file with a byte for every time it was lost."""

    number: int
    error: str = ""
    warning: str = ""
    lost: Path | None = None
    times: int = 0

    @property
    def name(self):
        return f"square {self.number}"

    def __call__(self, memory, step):
        step()
        if self.warning:
            warnings.warn(self.warning, CalibrationWarning, 1)
        if self.error:
            raise DataError(self.error)
        if self.lost and (not self.lost.exists() or self.lost.stat().st_size < self.times):
            with self.lost.open("ab") as file:
                file.write(b"x")
            os.kill(os.getpid(), signal.SIGKILL)
        step()
        return memory.get("base", lambda: 1) * self.number**2


RUNNERS = [pytest.param(one_by_one, id="one process"), pytest.param(Processes(2), id="two processes")]


@pytest.mark.parametrize("run", RUNNERS)
def test_each_task_gives_its_result_once(run):
    steps = []
    found = dict(run([Square(n) for n in range(5)], steps.append))
    assert found == {n: n**2 for n in range(5)}
    assert sorted(steps) == sorted([f"square {n}" for n in range(5)] * 2)


@pytest.mark.parametrize("run", RUNNERS)
def test_what_a_task_warns_of_and_raises_comes_here(run):
    with pytest.warns(CalibrationWarning, match="too dark"):
        assert dict(run([Square(3, warning="too dark")], lambda _: None)) == {0: 9}
    with pytest.raises(DataError, match="no frames"):
        list(run([Square(3, error="no frames")], lambda _: None))


def test_a_lost_process_costs_its_task_and_no_other(tmp_path):
    steps = []
    tasks = [Square(1), Square(2, lost=tmp_path / "lost", times=1), Square(3)]
    assert dict(Processes(2)(tasks, steps.append)) == {0: 1, 1: 4, 2: 9}
    assert (tmp_path / "lost").stat().st_size == 1
    assert sorted(steps) == sorted([f"square {n}" for n in (1, 2, 3)] * 2)  # none is counted twice


def test_a_task_that_loses_every_process_ends_the_run(tmp_path):
    with pytest.raises(WorkerError, match=f"square 7: its process was lost {TRIES} times"):
        list(Processes(2)([Square(7, lost=tmp_path / "lost", times=99)], lambda _: None))
    assert (tmp_path / "lost").stat().st_size == TRIES


def test_ctrl_c_ends_it_with_what_is_done():
    seen = []

    def step(name):
        if name == "square 2":
            signal.raise_signal(signal.SIGINT)

    for number, value in one_by_one([Square(n) for n in range(5)], step):
        seen.append((number, value))
    assert seen == [(0, 0), (1, 1)]


def test_memory_holds_one_value():
    memory, made = Memory(), []

    def make(key):
        return memory.get(key, lambda: made.append(key) or key)

    assert [make(key) for key in "aabba"] == list("aabba") and made == list("aba")
