"""The peak memory of one engine, measured in a process of its own.

In the process that times them all, one could not tell whose memory is whose. So each is opened once more, by
the same function, in a fresh process; what counts is how far the peak of resident memory rises from the point
where packages are imported and inputs lie ready, through loading and running a few frames.

The peak is the kernel's VmHWM. `ru_maxrss` would not do: a child process starts with its parent's.
"""

from __future__ import annotations

import importlib
import multiprocessing
import re
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from videoquant.bench.engine_config import EngineConfig, Prepared

STATUS = Path("/proc/self/status")


def peak_memory_mb(config: EngineConfig, inputs: Sequence[Prepared], threads: int) -> float | None:
    """The 2²⁰ bytes that an engine takes at most, with its network; None where the system does not say.

    inputs: the frames it runs.
    """
    if not STATUS.exists():
        return None
    context = multiprocessing.get_context("spawn")
    # Ctrl-C reaches every process of the terminal: only this one is to say so.
    quiet = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(1, mp_context=context, initializer=signal.signal, initargs=quiet) as process:
        return process.submit(_measure, config, list(inputs), threads).result()


def _measure(config: EngineConfig, inputs: list[Prepared], threads: int) -> float:
    torch.set_num_threads(threads)
    for package in config.packages:
        importlib.import_module(package)
    before = _peak()
    runner = config.open()
    for x in inputs:
        runner.run(runner.lay_out(x))
    return _peak() - before


def _peak() -> float:
    found = re.search(r"VmHWM:\s*(\d+) kB", STATUS.read_text())
    assert found is not None
    return int(found[1]) / 1024
