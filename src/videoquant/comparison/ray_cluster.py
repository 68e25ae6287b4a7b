"""Tasks on a Ray cluster, whose machines see the same files."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from videoquant.comparison.workers import TRIES, Memory, Progress, Results, Task, carried_out, result_of
from videoquant.content_hash import code
from videoquant.errors import MissingExtraError, WorkerError
from videoquant.files import reason
from videoquant.interrupt import deferred_interrupt
from videoquant.text import printable
from videoquant.torch_settings import threads_of_pytorch

REACHED_IN = 5.0  # seconds


class RayCluster:
    """A cluster by its address; "auto" is the one that this machine is in, "local" begins one here.

    Each of its cores runs a task with one thread. A lost worker costs the task in its hands, which Ray does
    again. Raises `MissingExtraError` where Ray is not installed, `WorkerError` where the cluster cannot be
    reached, runs other code than this, or loses a task `TRIES` times.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def __call__(self, tasks: Sequence[Task], progress: Progress) -> Results:
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
            raise WorkerError(f"--ray {self.address}: cannot be reached: {printable(str(error))}") from None
        carry_out = ray.remote(num_cpus=1, max_retries=TRIES - 1)(_carry_out)
        waiting = {carry_out.remote(task, code()): number for number, task in enumerate(tasks)}
        try:
            with deferred_interrupt() as interrupted:
                while waiting and not interrupted():
                    for done in ray.wait(list(waiting), timeout=0.2)[0]:
                        number = waiting.pop(done)
                        try:
                            kind, steps, value = ray.get(done)
                        except ray.exceptions.RayError as error:
                            raise WorkerError(
                                f"{tasks[number].name}: lost {TRIES} times on the cluster: "
                                f"{type(error).__name__}"
                            ) from None
                        for _ in range(steps):
                            progress(tasks[number].name)
                        yield number, result_of(kind, value)
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)
            ray.shutdown()

    def _check_reached(self) -> None:
        """Ray itself tries for minutes."""
        host, _, port = self.address.removeprefix("ray://").rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=REACHED_IN).close()
        except (OSError, ValueError, OverflowError) as error:
            why = reason(error) if isinstance(error, OSError) else "it must be HOST:PORT, auto or local"
            raise WorkerError(f"--ray {self.address}: cannot be reached: {why}") from None


def _carry_out(task: Task, expected: str) -> tuple[str, int, Any]:
    """On a worker: what `carried_out` gives, with the number of steps in the middle."""
    if code() != expected:
        return "error", 0, WorkerError("a worker of the cluster has another version of videoquant")
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    with threads_of_pytorch(1):
        kind, value = carried_out(task, Memory(), step)
    return kind, steps, value
