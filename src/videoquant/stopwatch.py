"""How a call is timed: the one way, wherever this package says how long something took."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

WARM_UP = 3  # calls before those that count: caches fill, and a stream gets over a cut
PAUSE = 0.003


def settle() -> None:
    """Wait until the threads of the engine before are asleep: engines let theirs wait busily for a moment."""
    time.sleep(PAUSE)


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call gives, and the milliseconds it took."""
    start = time.perf_counter()
    result = call()
    return result, (time.perf_counter() - start) * 1e3
