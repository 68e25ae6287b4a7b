"""Tasks one after the other, or side by side in processes. What a task gives does not depend on which.

A process that is lost costs the task in its hands, which is done again.
"""

from __future__ import annotations

import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

import torch

from videoquant.errors import WorkerError
from videoquant.interrupt import deferred_interrupt
from videoquant.torch_settings import threads_of_pytorch

TRIES = 3  # of a task whose processes are lost


class Memory:
    """What a worker keeps from one task to the next: one value, by its key."""

    def __init__(self) -> None:
        self._key: Any = None
        self._value: Any = None

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        if self._key != key:
            self._key = self._value = None  # the old one goes before the new one comes
            self._value = make()
            self._key = key
        return self._value


class Task(Protocol):
    """Something to do. name: in words. step: called as it goes on."""

    @property
    def name(self) -> str: ...

    def __call__(self, memory: Memory, step: Callable[[], None]) -> Any: ...


# Called at every step of a task with its name.
Progress = Callable[[str], None]
# The number of each task and what it gave, in the order in which they end.
Results = Iterator[tuple[int, Any]]
# Runs tasks. After Ctrl-C it ends without those that have not ended. Raises what a task raises.
Runner = Callable[[Sequence[Task], Progress], Results]


def one_by_one(tasks: Sequence[Task], progress: Progress) -> Results:
    """In this process, with all its threads."""
    memory = Memory()
    with deferred_interrupt() as interrupted:

        def step(name: str) -> None:
            progress(name)
            if interrupted():
                raise KeyboardInterrupt

        for number, task in enumerate(tasks):
            try:
                result = task(memory, partial(step, task.name))
            except KeyboardInterrupt:
                return
            yield number, result


class Processes:
    """`count` processes of this machine, which share its threads.

    Raises `WorkerError` where one task loses `TRIES` of them.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, tasks: Sequence[Task], progress: Progress) -> Results:
        threads = max(1, torch.get_num_threads() // self.count)
        waiting, tries, said = deque(range(len(tasks))), [0] * len(tasks), [0] * len(tasks)
        idle = [_Worker(threads) for _ in range(min(self.count, len(tasks)))]
        busy: dict[Connection, _Worker] = {}
        try:
            with deferred_interrupt() as interrupted:
                while (waiting or busy) and not interrupted():
                    while waiting and idle:
                        worker, number = idle.pop(), waiting.popleft()
                        worker.begin(number, tasks[number])
                        busy[worker.connection] = worker
                    for connection in wait(list(busy), timeout=0.2):
                        worker = busy[connection]  # type: ignore[index]
                        number = worker.number
                        try:
                            kind, value = worker.connection.recv()
                        except (EOFError, OSError):
                            tries[number] += 1
                            if tries[number] == TRIES:
                                raise WorkerError(
                                    f"{tasks[number].name}: its process was lost {TRIES} times, perhaps for "
                                    "want of memory; use fewer workers"
                                ) from None
                            waiting.appendleft(number)
                            del busy[worker.connection]
                            worker.end()
                            idle.append(_Worker(threads))
                            continue
                        if kind == "step":
                            worker.steps += 1
                            if worker.steps > said[number]:  # else one that was lost had come as far
                                said[number] = worker.steps
                                progress(tasks[number].name)
                            continue
                        del busy[worker.connection]
                        idle.append(worker)
                        yield number, result_of(kind, value)
        finally:
            for worker in (*idle, *busy.values()):
                worker.end()


class _Worker:
    """A process, and what it does: the task of a number, and its steps so far."""

    def __init__(self, threads: int) -> None:
        context = get_context("spawn")  # a fork of a process with threads can hang
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, threads), daemon=True)
        self.process.start()
        other.close()
        self.number = self.steps = 0

    def begin(self, number: int, task: Task) -> None:
        self.number, self.steps = number, 0
        self.connection.send(task)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(connection: Connection, threads: int) -> None:
    """What a process does until it is killed or nobody sends any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which reaches every process; the first one ends the others
    memory = Memory()
    with threads_of_pytorch(threads):
        while True:
            try:
                task = connection.recv()
            except EOFError:
                return
            connection.send(carried_out(task, memory, lambda: connection.send(("step", None))))


def carried_out(task: Task, memory: Memory, step: Callable[[], None]) -> tuple[str, Any]:
    """ "done" with the result and the warnings of a task, or "error" with what it raised."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            result = task(memory, step)
        except Exception as error:
            return "error", error
    return "done", (result, [(warning.category, str(warning.message)) for warning in said])


def result_of(kind: str, value: Any) -> Any:
    """The result of a task of which `carried_out` gave this: raises and warns here what it did there."""
    if kind == "error":
        raise value
    result, said = value
    for category, text in said:
        warnings.warn(text, category, stacklevel=3)
    return result
