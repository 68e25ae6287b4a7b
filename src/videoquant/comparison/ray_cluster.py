"""Tasks on a Ray cluster, whose machines see the same files."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from videoquant.comparison.workers import Memory, Progress, Results, Task, Waiting, carried_out, result_of
from videoquant.content_hash import code
from videoquant.errors import MissingExtraError, WorkerError
from videoquant.files import reason
from videoquant.interrupt import deferred_interrupt
from videoquant.text import printable
from videoquant.torch_settings import threads_of_pytorch

REACHED_IN = 5.0  # seconds


class RayCluster(AbstractContextManager["RayCluster"]):
    """A cluster by its address; "auto" is the one that this machine is in, "local" begins one here.

    Each of its cores is a worker with one thread. A lost one costs the task in its hands, which another does.
    Raises `MissingExtraError` where Ray is not installed, `WorkerError` where the cluster cannot be reached,
    runs other code than this, or loses a task `TRIES` times.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._idle: list[tuple[Any, str]] = []  # workers, and what each has read
        self._runs = 0

    def __enter__(self) -> RayCluster:
        try:
            import ray
        except ImportError:
            raise MissingExtraError('--ray needs Ray: pip install "videoquant[ray]"') from None
        local = self.address == "local"
        if not local and self.address != "auto":
            self._check_reached()
        try:
            ray.init(
                None if local else self.address,
                ignore_reinit_error=True,
                log_to_driver=False,
                include_dashboard=False if local else None,
                logging_level="ERROR",
            )
        except Exception as error:
            hint = "" if local else "; a cluster that asks for a token needs RAY_AUTH_MODE=token here"
            raise WorkerError(
                f"--ray {self.address}: cannot be reached: {printable(str(error))}{hint}"
            ) from None
        self._begin(os.cpu_count() or 1)  # before there is anything to do: each imports PyTorch first
        return self

    def __exit__(self, *_: object) -> None:
        import ray

        self._idle.clear()
        ray.shutdown()

    def _begin(self, wanted: int) -> None:
        import ray

        wanted = min(wanted, int(ray.cluster_resources().get("CPU", 1)))
        actor = ray.remote(num_cpus=1)(_Worker)
        self._idle += [(actor.remote(code()), "") for _ in range(wanted - len(self._idle))]

    def __call__(self, tasks: Sequence[Task], progress: Progress) -> Results:
        import ray

        self._runs += 1
        self._begin(len(tasks))
        waiting = Waiting(tasks)
        # By what Ray calls the result: the worker, and the task's number.
        busy: dict[Any, tuple[Any, int]] = {}

        def hand_out() -> None:
            while waiting and self._idle:
                worker, has_read = self._idle.pop()
                number = waiting.take(has_read, {tasks[other].reads for _, other in busy.values()})
                busy[worker.carry_out.remote(self._runs, tasks[number])] = worker, number

        with deferred_interrupt() as interrupted:
            while (waiting or busy) and not interrupted():
                hand_out()
                for done in ray.wait(list(busy), timeout=0.2)[0]:
                    worker, number = busy.pop(done)
                    try:
                        kind, steps, value = ray.get(done)
                    except ray.exceptions.RayError:
                        waiting.put_back(number)
                        self._begin(len(self._idle) + 1)
                        continue
                    self._idle.append((worker, tasks[number].reads))
                    hand_out()  # before this result is looked at
                    for _ in range(steps):
                        progress(tasks[number].name)
                    yield number, result_of(kind, value)

    def _check_reached(self) -> None:
        """Ray itself tries for minutes."""
        host, _, port = self.address.removeprefix("ray://").rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=REACHED_IN).close()
        except (OSError, ValueError, OverflowError) as error:
            why = reason(error) if isinstance(error, OSError) else "it must be HOST:PORT, auto or local"
            raise WorkerError(f"--ray {self.address}: cannot be reached: {why}") from None


class _Worker:
    """A process of the cluster. expected: the hash of the code that asks (`content_hash.code`)."""

    def __init__(self, expected: str) -> None:
        self.same, self.memory, self.run = code() == expected, Memory(), 0

    def carry_out(self, run: int, task: Task) -> tuple[str, int, Any]:
        """What `carried_out` gives, with the number of steps in the middle. Its memory is that of one run."""
        if not self.same:
            return "error", 0, WorkerError("a worker of the cluster has another version of videoquant")
        if run != self.run:
            self.memory, self.run = Memory(), run
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        with threads_of_pytorch(1):
            kind, value = carried_out(task, self.memory, step)
        return kind, steps, value
