"""What a machine can do at most: int8 products (`runtime.ceiling`), and bytes moved, by how many."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import numpy as np

# Bytes read and written: from a cache's to beyond any.
SIZES = tuple(1 << power for power in range(18, 28, 2))
TURNS = 15  # short ones: some pass undisturbed on a machine that others use too


@dataclass(frozen=True)
class Limits:
    """macs: int8 multiply–accumulates per second. bytes: of `SIZES`, how many are moved per second."""

    macs: float
    bytes: Sequence[float]

    def arithmetic_ms(self, macs: int) -> float:
        """How long so many products take at least."""
        return 1e3 * macs / self.macs

    def memory_ms(self, size: int) -> float:
        """How long reading and writing so many bytes takes at least: as copies of them, again and again."""
        place = min(bisect_left(SIZES, size), len(SIZES) - 1)
        return 1e3 * size / self.bytes[place]


def measure_limits(threads: int, macs: float) -> Limits:
    """Measure how fast so many threads copy, as the best of several turns. macs: `vnni_ceiling` on them."""
    with ThreadPoolExecutor(threads) as pool:
        return Limits(macs, [_copied(pool, threads, size) for size in SIZES])


def _copied(pool: ThreadPoolExecutor, threads: int, size: int) -> float:
    """Bytes per second, of copies that read and write `size` in all."""
    each = size // 2 // threads
    pairs = [(np.ones(each, np.uint8), np.ones(each, np.uint8)) for _ in range(threads)]
    times = max(1, SIZES[-1] // size // 4)

    def copy(pair: tuple[np.ndarray, np.ndarray]) -> None:
        for _ in range(times):
            np.copyto(*pair)

    best = float("inf")
    for _ in range(TURNS):
        start = perf_counter()
        list(pool.map(copy, pairs))
        best = min(best, perf_counter() - start)
    return 2 * each * threads * times / best
