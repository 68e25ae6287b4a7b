"""Which pooling of the samples' clips a quantizer takes: the one by which the layers that read it lose least.

An average of clips forgets what is rare, and the largest clip takes resolution from what is common. Which of
these hurts cannot be read off the values: in one YOLOv8n the inputs of the last layers of scores want the
largest, while an early map, whose few large values matter little, must not be wider than the average. What
layers make of the value tells (`frame_choice` asks them too): of the ways to pool, the one with the least

    Σ_layers Σ_samples |W∗x̂ − W∗x|² / |W∗x|²

is taken, W in floating point. Samples count alike however large their outputs are, so a rare one is not lost.
At the layers that no other quantized one follows, the network's outputs y take the place of W∗x (`ends.py`):

    samples · Σ_layers Σ_outputs  Σ_samples |y(x̂) − y(x)|² / Σ_samples |y(x)|²

Here samples count by what they hold: where a detector finds nothing, nothing can be lost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from videoquant.calibration.ends import Ends
from videoquant.calibration.layer_outputs import LayerOutputs
from videoquant.calibration.range_fit import Array, Seen, pooled
from videoquant.calibration.samples import Samples
from videoquant.network.graph import Node
from videoquant.ranges.estimators import Pooling
from videoquant.ranges.grid import Grid
from videoquant.schemes import Scheme
from videoquant.simulate.activations import represent
from videoquant.simulate.quantized_tensor import values_of

WAYS: tuple[Pooling, ...] = ("mean", "halfway", "largest")


def best_pooling(
    outputs: LayerOutputs,
    layers: Sequence[Node],
    x: Samples,
    indices: Sequence[int],
    seen: Seen,
    scheme: Scheme,
    ends: Ends,
) -> Pooling:
    """The one of `WAYS` that the layers which read a point lose least by.

    x, indices: the samples of its value, and which of them `seen` has the ranges of.
    ends: of the network, which has learnt the same samples.
    """
    grids: dict[Grid, Pooling] = {}
    for way in WAYS:
        low, high = pooled(seen.ranges, way, seen.sources)
        if low == high:
            return WAYS[0]
        grids.setdefault(seen.estimator.grid((low, high), seen.bits, seen.symmetric), way)
    if len(grids) == 1:
        return WAYS[0]
    errors = np.zeros(len(grids))
    at_ends: dict[tuple[str, int], Array] = {}  # by layer and output: its square, and the error of each grid
    for i in indices:
        value = x[i]
        x_hats = [values_of(represent(value, grid, scheme.representation)[0]) for grid in grids]
        for node in layers:
            given = [outputs.exact(node, read) for read in (value, *x_hats)]
            if node.name in ends:
                for number, found in enumerate(
                    zip(*(ends.outputs(node.name, i, y) for y in given), strict=True)
                ):
                    known = at_ends.get((node.name, number), np.zeros(1 + len(grids)))
                    at_ends[node.name, number] = known + _squares(*found)
            else:
                size, *noise = _squares(*given)
                errors += np.array(noise) / max(size, 1e-30)
    for size, *noise in at_ends.values():
        errors += len(indices) * np.array(noise) / max(size, 1e-30)
    return list(grids.values())[int(errors.argmin())]


def _squares(exact: Tensor, *others: Tensor) -> Array:
    """The sum of squares of a tensor, and of what each of the others differs from it."""
    compared = [exact, *(other - exact for other in others)]
    return np.array([float(x.square().sum(dtype=torch.float64)) for x in compared])
