"""Parts of an experiment that stand for themselves, one after the other or side by side, with equal results.

What `videoquant compare` runs its own with: `--workers N` processes of this machine, or the machines of a Ray
cluster (`--ray ADDRESS`). Floating-point convolutions round by the number of threads: results are equal to
those of one process with as many as each worker has (`OMP_NUM_THREADS`).
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from videoquant.comparison.ray_cluster import RayCluster
from videoquant.comparison.workers import Memory, Processes, Runner

# A part by its key. For other processes it must be one that pickle knows: of a module, or a `partial` of it.
Work = Callable[[str], Any]


@dataclass(frozen=True, eq=False)
class Part:
    """The task of one key."""

    name: str
    work: Work
    reads: str = ""  # what it reads comes with it

    def __call__(self, memory: Memory, step: Callable[[], None]) -> Any:
        return self.work(self.name)


def add_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes side by side")
    parser.add_argument("--ray", metavar="ADDRESS", help="run on a Ray cluster; local begins one here")
    return parser


def runner(options: argparse.Namespace) -> AbstractContextManager[Runner | None]:
    """What runs the parts, as the options say; None does so one after the other, in this process."""
    if options.ray is not None:
        return RayCluster(options.ray)
    return Processes(options.workers) if options.workers > 1 else nullcontext(None)


def done(keys: Sequence[str], work: Work, run: Runner | None = None) -> Iterator[tuple[str, Any]]:
    """Each key with what its part gives, in the order in which they end.

    Raises `KeyboardInterrupt` after Ctrl-C, behind the last one that is done.
    """
    if run is None:
        for key in keys:
            yield key, work(key)
        return
    ended = 0
    for number, result in run([Part(key, work) for key in keys], lambda _: None):
        ended += 1
        yield keys[number], result
    if ended < len(keys):
        raise KeyboardInterrupt
