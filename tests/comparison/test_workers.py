"""Tasks side by side: equal results, progress, errors and warnings as in one process, lost processes."""

import multiprocessing
import os
import signal
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from videoquant.comparison.workers import TRIES, Memory, Processes, Waiting, one_by_one
from videoquant.errors import CalibrationWarning, DataError, WorkerError


@dataclass(frozen=True)
class Square:
    """Gives its number squared after so many steps. lost: a file with a byte for every time it was lost."""

    number: int
    reads: str = ""
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


@pytest.fixture(params=["one process", "two processes"])
def run(request):
    with nullcontext(one_by_one) if request.param == "one process" else Processes(2) as run:
        yield run


def test_each_task_gives_its_result_once(run):
    steps = []
    found = dict(run([Square(n) for n in range(5)], steps.append))
    assert found == {n: n**2 for n in range(5)}
    assert sorted(steps) == sorted([f"square {n}" for n in range(5)] * 2)
    assert dict(run([Square(7)], steps.append)) == {0: 49}  # and so do the next ones


def test_what_a_task_warns_of_and_raises_comes_here(run):
    with pytest.warns(CalibrationWarning, match="too dark"):
        assert dict(run([Square(3, warning="too dark")], lambda _: None)) == {0: 9}
    with pytest.raises(DataError, match="no frames"):
        list(run([Square(3, error="no frames")], lambda _: None))


def test_a_lost_process_costs_its_task_and_no_other(tmp_path):
    steps = []
    tasks = [Square(1), Square(2, lost=tmp_path / "lost", times=1), Square(3)]
    with Processes(2) as run:
        assert dict(run(tasks, steps.append)) == {0: 1, 1: 4, 2: 9}
    assert (tmp_path / "lost").stat().st_size == 1
    assert sorted(steps) == sorted([f"square {n}" for n in (1, 2, 3)] * 2)  # none is counted twice


def test_a_task_that_loses_every_process_ends_the_run(tmp_path):
    match = f"square 7: its process was lost {TRIES} times"
    with Processes(2) as run, pytest.raises(WorkerError, match=match):
        list(run([Square(7, lost=tmp_path / "lost", times=99)], lambda _: None))
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


def test_processes_end_with_their_context():
    with Processes(2) as run:
        list(run([Square(1), Square(2)], lambda _: None))
        assert len(multiprocessing.active_children()) == 2
    assert not multiprocessing.active_children()


@dataclass(frozen=True)
class Remembers:
    """Gives what the memory of its worker was filled with for what it reads."""

    number: int
    reads: str
    name: str = "remembers"

    def __call__(self, memory, step):
        return memory.get(self.reads, lambda: self.number)


def test_a_memory_lasts_for_one_run():
    with Processes(1) as run:
        assert dict(run([Remembers(1, "a"), Remembers(2, "a")], print)) == {0: 1, 1: 1}
        assert dict(run([Remembers(3, "a")], print)) == {0: 3}


def test_a_worker_takes_what_it_has_read():
    waiting = Waiting([Square(n, reads) for n, reads in enumerate("aaabbbc")])
    assert waiting.take("", ()) == 0
    assert waiting.take("", {"a"}) == 3
    assert [waiting.take("a", {"b"}), waiting.take("b", {"a"}), waiting.take("a", {"b"})] == [1, 4, 2]
    assert waiting.take("a", {"b"}) == 6  # what nobody reads
    assert waiting.take("c", {"b"}) == 5 and not waiting  # what is left


def test_a_task_that_was_lost_waits_again():
    waiting = Waiting([Square(0), Square(1)])
    for _ in range(TRIES - 1):
        assert waiting.take("", ()) == 0
        waiting.put_back(0)
    waiting.take("", ())
    with pytest.raises(WorkerError, match="square 0: its process was lost"):
        waiting.put_back(0)
