"""The engine's part of `bench ranges`: one convolution of a plan, operator by operator."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from videoquant.api import quantize
from videoquant.bench.ranges import CHANNELS, DENSITIES, UNIT, Timed, weights
from videoquant.engine import lower
from videoquant.network.graph import Network, Node
from videoquant.runtime.session import open_session
from videoquant.stopwatch import timed

CONVOLUTION = {"stride": [1, 1], "dilation": [1, 1], "groups": 1}


def two_layers(size: int) -> Network:
    """The convolution that is measured, "conv", and a small one after it, so that "conv" gives codes."""
    nodes = [
        Node("conv", "conv2d", ("x",), {**CONVOLUTION, "padding": [1, 1, 1, 1]}, ("weight",)),
        Node("relu", "clamp", ("conv",), {"min": 0.0}),
        Node("next", "conv2d", ("relu",), {**CONVOLUTION, "padding": [0, 0, 0, 0]}, ("weight",)),
    ]
    tensors = {"conv.weight": weights(), "next.weight": torch.ones(1, CHANNELS, 1, 1) / CHANNELS}
    return Network(nodes, "x", (1, CHANNELS, size, size), {"y": "next"}, tensors, name=f"{size}×{size}")


def layer_jobs(x: Tensor, threads: int) -> dict[str, Timed]:
    """Quantizing x, the int8 convolution that reads its codes, and Dense + Sparse ones.

    Of the latter, gathering what lies outside the grid is a part.
    """
    dense = _Operators(x, "w8a8 minmax", threads)
    jobs: dict[str, Timed] = {
        "quantize": partial(dense.ms, 0, dense.conv),
        UNIT: partial(dense.ms, dense.conv, dense.conv + 1),
    }
    for density in DENSITIES:
        sparse = _Operators(x, f"w8a8 ds={density:.0%}", threads)
        jobs[f"D+S {density:.0%}"] = partial(sparse.ms, sparse.conv - 1, sparse.conv + 1)
    return jobs


class _Operators:
    """A session of the two layers whose operators run one at a time. conv: which of them is "conv"."""

    def __init__(self, x: Tensor, scheme: str, threads: int) -> None:
        plan = lower(quantize(two_layers(x.shape[2]), scheme, [x]))
        names = [op.name for op in plan.programs["key"].ops]
        self.conv = names.index("conv")
        self._x = x[0].permute(1, 2, 0).numpy()
        self._session = open_session(plan, "frame", threads)
        self._session.run("key", self._x)  # what each operator reads is there from now on

    def ms(self, first: int, last: int) -> float:
        return timed(partial(self._session.run, "key", self._x, None, first, last))[1]
