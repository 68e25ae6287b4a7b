"""The most that this machine can do: the yardstick of the engine's speed."""

from __future__ import annotations

from videoquant import _native
from videoquant.errors import DataError

SECONDS = 0.25


def vnni_ceiling(threads: int = 2) -> float:
    """int8 multiply–accumulates per second of this machine, measured now, on so many threads.

    It is the rate of the best dot-product instruction that the engine has a kernel for (VNNI's `vpdpbusd`
    where the CPU has AVX-512 VNNI) with operands in registers; the best of many short measurements.
    Raises `DataError` for a number of threads below 1 or above 1024.
    """
    try:
        return _native.ceiling(threads, SECONDS)
    except ValueError as error:
        raise DataError(f"threads={threads}: {error}") from None
