"""What knowing an activation's range costs, beside the convolution that reads it (QPP, Tables A.1 and B.5).

An activation of 64 channels after a ReLU, and a 3×3 convolution 64 → 64. Its range is measured by the
functions that dynamic schemes use, or predicted by those of QPP; quantizing, the int8 and the Dense + Sparse
convolution are operators of the engine. Everything takes its turn in one process, in changing order.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from videoquant.ranges.estimators import MinMax, Quantile
from videoquant.ranges.features import PAPER_FEATURES, features
from videoquant.ranges.predictor import Predictor
from videoquant.stopwatch import WARM_UP, timed

CHANNELS = 64
SIZES = (56, 112, 224)  # height and width
DENSITIES = (0.01, 0.03)  # of the sparse part of Dense + Sparse
UNIT = "int8 convolution"
FLOAT = "fp32 convolution"
DYNAMIC = ("min/max", "quantize", UNIT)  # what a dynamic scheme does for the layer: the paper's "Total"
# The paper's percentages of its int8 convolution: BOLT on one Cortex-A76 core, floating point in 16 bits.
# Dense + Sparse at 1% is Table B.5's charge, in mAh, which it gives for 56×56 only.
PAPER: Mapping[int, Mapping[str, float]] = {
    56: {FLOAT: 184, "min/max": 2, "quantile": 12, "quantize": 11, "dynamic total": 113, "D+S 1%": 120},
    112: {FLOAT: 188, "min/max": 5, "quantile": 11, "quantize": 10, "dynamic total": 116},
    224: {FLOAT: 200, "min/max": 2, "quantile": 10, "quantize": 10, "dynamic total": 112},
}

Job = Callable[[], object]
# Runs its job and returns the milliseconds it took; the engine's times its operators itself.
Timed = Callable[[], float]


@dataclass(frozen=True)
class RangeRow:
    """One job on one activation. percent: of the int8 convolution's median time; paper_percent: the paper's.

    ms_spread: between the quartiles; of the total, which is a sum of medians, there is none.
    """

    size: int
    job: str
    ms_median: float
    ms_spread: float | None
    percent: float
    paper_percent: float | None


def activation(size: int) -> Tensor:
    """1×64×size×size, non-negative, channels last; always the same."""
    generator = torch.Generator().manual_seed(size)
    x = torch.randn(1, CHANNELS, size, size, generator=generator).relu()
    return x.contiguous(memory_format=torch.channels_last)


def weights() -> Tensor:
    """64×64×3×3; always the same."""
    return torch.randn(CHANNELS, CHANNELS, 3, 3, generator=torch.Generator().manual_seed(0)) / 24


def range_jobs(x: Tensor) -> dict[str, Timed]:
    """The jobs that are the same for every engine: measuring and predicting a range; fp32 by PyTorch."""
    array = x.numpy()
    weight = weights().contiguous(memory_format=torch.channels_last)
    slopes = (0.1,) * len(PAPER_FEATURES), (0.2,) * len(PAPER_FEATURES)  # any will do: they cost the same
    predictor = Predictor("x", PAPER_FEATURES, slopes, (0.0, 0.0), (-1.0, 0.0), (0.1, 9.0), (0.0, 4.0), 1.0)
    jobs: dict[str, Job] = {
        FLOAT: partial(torch.nn.functional.conv2d, x, weight, padding=1),
        "min/max": partial(MinMax().measure, array, 8, False),
        "quantile": partial(Quantile().measure, array, 8, False),
        "QPP": lambda: predictor({"x": features(array, PAPER_FEATURES)}),
    }
    return {name: partial(_ms, job) for name, job in jobs.items()}


def _ms(job: Job) -> float:
    return timed(job)[1]


def time_ranges(size: int, jobs: Mapping[str, Timed], repeats: int) -> list[RangeRow]:
    """Run every job `repeats` times, after `WARM_UP` that do not count; a row each, and the dynamic total."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    order = random.Random(0)
    with torch.no_grad():
        for turn in range(WARM_UP + repeats):
            for name in order.sample(list(jobs), len(jobs)):
                ms = jobs[name]()
                if turn >= WARM_UP:
                    times[name].append(ms)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    spreads: dict[str, float | None] = {
        name: float(np.subtract(*np.quantile(taken, (0.75, 0.25)))) for name, taken in times.items()
    }
    medians["dynamic total"] = sum(medians[name] for name in DYNAMIC)
    return [
        RangeRow(size, name, ms, spreads.get(name), 100 * ms / medians[UNIT], PAPER[size].get(name))
        for name, ms in medians.items()
    ]
