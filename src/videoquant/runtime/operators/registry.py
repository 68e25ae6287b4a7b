"""Where the operators of all families enter themselves, and what they have in common."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# float32; what NumPy gives is not said by its types, so those say nothing here.
Array = NDArray[Any]

OPERATORS: dict[str, Callable[..., Array]] = {}

# How many elements those give that may give more than they read.
ELEMENTS: dict[str, Callable[..., int]] = {}


def operator(function: Callable[..., Array]) -> Callable[..., Array]:
    OPERATORS[function.__name__] = function
    return function


def operator_sized(elements: Callable[..., int]) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Says of an operator how many elements it gives, from its own arguments; see `ELEMENTS`."""

    def enter(function: Callable[..., Array]) -> Callable[..., Array]:
        ELEMENTS[function.__name__] = elements
        return operator(function)

    return enter


def single(x: NDArray[np.float64]) -> Array:
    """Rounded to float32, once."""
    return np.asarray(x, np.float32)
