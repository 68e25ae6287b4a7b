"""What a range predictor sees of an activation: quantiles and moments of it (QPP supplement, C).

All are taken from an evenly spaced sample of at most about so many elements: every a-th row and b-th column
with all its channels, so that features cost little beside the layer that computes the activation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant.errors import SchemeError

SAMPLES = 1 << 12  # elements of a sample, and of large activations
SHARE = 1 / 64  # of all: the last thousandth of a small sample says too little of theirs
FIRST_SAMPLES = 1 << 16  # of predictors that do not say: those of older files
LANES = 64

_LEVELS = {
    f"q{level:g}": level
    for level in (
        *(0.001, 0.01),
        *(i / 100 for i in range(5, 90, 5)),
        *(i / 100 for i in range(90, 99)),
        *(i / 1000 for i in range(990, 999)),
        *(0.999, 0.9993, 0.9995, 0.9997, 0.9998, 0.9999, 0.99995),
    )
}

# The candidates: 44 quantiles and five more.
POOL = (*_LEVELS, "mean", "max", "min", "std", "absmax")
# The paper's own choice.
PAPER_FEATURES = ("q0.9", "q0.99", "q0.999", "mean", "max")


def features(x: NDArray[np.float32], names: Sequence[str], samples: int = SAMPLES) -> NDArray[np.float64]:
    """The named features of an activation, in the order of `names`.

    x: float32, N×C×H×W, or of any other shape, from which elements are taken evenly.
    samples: about how many elements at most.
    names: of `POOL`. Quantiles are elements of the sample: that of rank ⌊α·(n − 1)⌋.
    Raises `SchemeError` for a name that is not in the pool.
    """
    sample = _sample(x, samples)
    ordered = np.sort(sample)
    return np.array([_feature(sample, ordered, name) for name in names])


def sample_size(shape: Sequence[int]) -> int:
    """About how many elements of an activation of this shape predictors are learnt from."""
    return max(SAMPLES, round(SHARE * math.prod(shape)))


def choice(count: int) -> tuple[str, ...] | None:
    """The features that a number of them stands for: the paper's five, or all; None where a test chooses."""
    return {len(PAPER_FEATURES): PAPER_FEATURES, len(POOL): POOL}.get(count)


def quantile_level(name: str) -> float | None:
    """The α of a feature that is a quantile; None of every other."""
    return _LEVELS.get(name)


def sample_steps(shape: Sequence[int], samples: int = SAMPLES) -> tuple[int, int, int]:
    """From an activation N×C×H×W every a-th row and b-th column are taken: (a, b, 1).

    From one of any other shape every c-th element: (1, 1, c).
    """
    every = max(1.0, math.prod(shape) / samples)
    if len(shape) != 4:
        return 1, 1, round(every)
    rows = min(max(1, round(math.sqrt(every))), shape[2])
    return rows, max(1, round(every / rows)), 1


def _sample(x: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    rows, columns, each = sample_steps(x.shape, samples)
    sample = x.transpose(0, 2, 3, 1)[:, ::rows, ::columns] if x.ndim == 4 else x.reshape(-1)[::each]
    return sample.reshape(-1)


def _feature(sample: NDArray[np.float32], ordered: NDArray[np.float32], name: str) -> float:
    if name in _LEVELS:
        return float(ordered[math.floor(_LEVELS[name] * (len(ordered) - 1))])
    match name:
        case "mean":
            return _sum(sample) / len(sample)
        case "max":
            return float(ordered[-1])
        case "min":
            return float(ordered[0])
        case "std":
            mean = _sum(sample) / len(sample)
            return math.sqrt(_sum(np.square(sample.astype(np.float64) - mean)) / len(sample))
        case "absmax":
            return float(max(-ordered[0], ordered[-1]))
    raise SchemeError(f"unknown feature {name!r}; known are {', '.join(POOL)}")


def _sum(values: NDArray[Any]) -> float:
    """The sum in an order that the engine can follow: value i belongs to lane i mod 64, then lane by lane."""
    rows = np.zeros((-(-len(values) // LANES), LANES))
    rows.reshape(-1)[: len(values)] = values
    # `cumsum` adds one after another; `sum` does so as it pleases.
    return float(rows.cumsum(0)[-1].cumsum()[-1])
