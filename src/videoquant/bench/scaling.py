"""How the engine scales: one stream on more threads, and more streams on the threads there are."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier
from time import perf_counter
from typing import Any

import numpy as np

from videoquant.runtime.plan import Plan
from videoquant.runtime.stream import Stream, open_stream
from videoquant.stopwatch import WARM_UP

STREAMS = (1, 2, 4, 8)
ROUNDS = 3  # of all ways by turns: a slow spell of the machine strikes all alike


@dataclass
class Scaling:
    """Streams of one plan, side by side, each fed as fast as it takes frames.

    streams: how many. threads: of each.
    frames_per_second: of all together; the median of rounds.
    ms_median, ms_p99: of a frame, of all streams and rounds.
    """

    streams: int
    threads: int
    frames_per_second: float
    ms_median: float
    ms_p99: float


@dataclass
class _Way:
    streams: list[Stream]
    threads: int
    rates: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)


def ways(cores: int) -> list[tuple[int, int]]:
    """(streams, threads of each): one stream on 1 to all cores, then more on as many as each has of them."""
    counts = {1, cores} | {2**power for power in range(cores.bit_length()) if 2**power <= cores}
    alone = [(1, threads) for threads in sorted(counts)]
    return alone + [(streams, max(1, cores // streams)) for streams in STREAMS[1:]]


def scale(
    plan: Plan, mode: str, inputs: Sequence[Any], cores: int, progress: Callable[[], None] = lambda: None
) -> list[Scaling]:
    """Run the ways by turns. inputs: a clip's frames, as streams take them; `WARM_UP` of them do not count.

    progress: called `ROUNDS` times for each way.
    """
    found = [
        _Way([open_stream(plan, mode, threads) for _ in range(streams)], threads)
        for streams, threads in ways(cores)
    ]
    for _ in range(ROUNDS):
        for way in found:
            _run(way, inputs)
            progress()
    return [
        Scaling(
            len(way.streams),
            way.threads,
            statistics.median(way.rates),
            statistics.median(way.ms),
            float(np.quantile(way.ms, 0.99)),
        )
        for way in found
    ]


def _run(way: _Way, inputs: Sequence[Any]) -> None:
    """Each stream takes all inputs once, on a thread of its own; all begin to count together."""
    begin = Barrier(len(way.streams))

    def run(stream: Stream) -> tuple[float, float, list[float]]:
        try:
            stream.reset()
            for x in inputs[:WARM_UP]:
                stream.run(x)
        except BaseException:
            begin.abort()  # else the others would wait for this one
            raise
        begin.wait()
        start = last = perf_counter()
        ms = []
        for x in inputs[WARM_UP:]:
            stream.run(x)
            now = perf_counter()
            ms.append((now - last) * 1e3)
            last = now
        return start, last, ms

    with ThreadPoolExecutor(len(way.streams)) as pool:
        runs = list(pool.map(run, way.streams))
    seconds = max(end for _, end, _ in runs) - min(start for start, _, _ in runs)
    way.rates.append(sum(len(ms) for _, _, ms in runs) / seconds)
    way.ms += [one for _, _, ms in runs for one in ms]
