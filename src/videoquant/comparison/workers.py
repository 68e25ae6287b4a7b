"""Tasks one after the other, or side by side in processes. What a task gives does not depend on which.

A process that is lost costs the task in its hands, which is done again.
"""

from __future__ import annotations

import os
import pickle
import signal
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
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
    """Something to do. name: in words. reads: what it has to read first, "" for nothing of weight. step:
    called as it goes on."""

    @property
    def name(self) -> str: ...

    @property
    def reads(self) -> str: ...

    def __call__(self, memory: Memory, step: Callable[[], None]) -> Any: ...


# Called at every step of a task with its name.
Progress = Callable[[str], None]
# The number of each task and what it gave, in the order in which they end.
Results = Iterator[tuple[int, Any]]
# Runs tasks. After Ctrl-C it ends without those that have not ended. Raises what a task raises.
Runner = Callable[[Sequence[Task], Progress], Results]


class Waiting:
    """Tasks that wait for a worker. What a worker has read serves all tasks that read the same (`Memory`)."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks
        self._numbers = list(range(len(tasks)))
        self._lost = [0] * len(tasks)

    def __len__(self) -> int:
        return len(self._numbers)

    def take(self, has_read: str, others_read: Collection[str]) -> int:
        """The number of the next task for a worker that has read this, beside others at work: one that reads
        the same, else what no other reads, else of what most tasks are left; the first one of those."""
        left = Counter(self._tasks[number].reads for number in self._numbers)

        def rank(number: int) -> tuple[bool, bool, int]:
            reads = self._tasks[number].reads
            return reads != has_read, reads in others_read, -left[reads]

        number = min(self._numbers, key=rank)
        self._numbers.remove(number)
        return number

    def put_back(self, number: int) -> None:
        """The worker of this task is lost. Raises `WorkerError` where it has lost `TRIES` of them."""
        self._lost[number] += 1
        if self._lost[number] == TRIES:
            raise WorkerError(
                f"{self._tasks[number].name}: its process was lost {TRIES} times, perhaps for want of "
                "memory; use fewer workers"
            )
        self._numbers.insert(0, number)


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


class Processes(AbstractContextManager["Processes"]):
    """`count` processes of this machine, which share its threads. They begin and end with the context: before
    there is anything to do, since each imports PyTorch first.

    Raises `WorkerError` where one task loses `TRIES` of them.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._idle: list[_Worker] = []
        self._runs = 0

    def __enter__(self) -> Processes:
        self._begin(min(self.count, os.cpu_count() or 1))
        return self

    def __exit__(self, *_: object) -> None:
        while self._idle:
            self._idle.pop().end()

    def _begin(self, wanted: int) -> None:
        threads = max(1, torch.get_num_threads() // self.count)
        while len(self._idle) < wanted:
            self._idle.append(_Worker(threads))

    def __call__(self, tasks: Sequence[Task], progress: Progress) -> Results:
        self._runs += 1
        waiting, said = Waiting(tasks), [0] * len(tasks)
        self._begin(min(self.count, len(tasks)))
        busy: dict[Connection, _Worker] = {}

        def hand_out() -> None:
            while waiting and self._idle:
                worker = self._idle.pop()
                number = waiting.take(worker.has_read, {other.has_read for other in busy.values()})
                worker.begin(self._runs, number, tasks[number])
                busy[worker.connection] = worker

        try:
            with deferred_interrupt() as interrupted:
                while (waiting or busy) and not interrupted():
                    hand_out()
                    for connection in wait(list(busy), timeout=0.2):
                        worker = busy[connection]  # type: ignore[index]
                        number = worker.number
                        try:
                            kind, value = _receive(worker.connection)
                        except (EOFError, OSError):
                            del busy[worker.connection]
                            worker.end()
                            waiting.put_back(number)
                            self._begin(len(self._idle) + 1)
                            continue
                        if kind == "step":
                            worker.steps += 1
                            if worker.steps > said[number]:  # else one that was lost had come as far
                                said[number] = worker.steps
                                progress(tasks[number].name)
                            continue
                        del busy[worker.connection]
                        self._idle.append(worker)
                        hand_out()  # before this result is looked at
                        yield number, result_of(kind, value)
        finally:
            for worker in busy.values():
                worker.end()


class _Worker:
    """A process, what it does (the task of a number, and its steps so far), and what it has read."""

    def __init__(self, threads: int) -> None:
        context = get_context("spawn")  # a fork of a process with threads can hang
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, threads), daemon=True)
        # Ctrl-C reaches every process; the first one ends the others.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        other.close()
        self.number = self.steps = 0
        self.has_read = ""

    def begin(self, run: int, number: int, task: Task) -> None:
        self.number, self.steps, self.has_read = number, 0, task.reads
        _send(self.connection, (run, task))

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(connection: Connection, threads: int) -> None:
    """What a process does until it is killed or nobody sends any more. Its memory is that of one run."""
    memory, before = Memory(), 0
    with threads_of_pytorch(threads):
        while True:
            try:
                run, task = _receive(connection)
            except EOFError:
                return
            if run != before:
                memory, before = Memory(), run
            _send(connection, carried_out(task, memory, lambda: _send(connection, ("step", None))))


def _send(connection: Connection, value: Any) -> None:
    """As bytes: `Connection.send` opens a shared memory and a socket for each tensor, which takes longer."""
    connection.send_bytes(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))


def _receive(connection: Connection) -> Any:
    return pickle.loads(connection.recv_bytes())


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
