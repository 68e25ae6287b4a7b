"""Which pooling of the samples' clips a quantizer takes: the one by which the layers that read it lose least.

An average of clips forgets what is rare, and the largest clip takes resolution from what is common. Which of
these hurts cannot be read off the values: in one YOLOv8n the inputs of the last layers of scores want the
largest, while an early map, whose few large values matter little, must not be wider than the average. What
layers make of the value tells (`frame_choice` asks them too): of the ways to pool, the one with the least

    Σ_layers Σ_samples |W∗x̂ − W∗x|² / |W∗x|²

is taken, W in floating point. Samples count alike however large their outputs are, so a rare one is not lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from videoquant.calibration.layer_outputs import LayerOutputs
from videoquant.calibration.range_fit import Seen, pooled
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
) -> Pooling:
    """The one of `WAYS` that the layers which read a point lose least by.

    x, indices: the samples of its value, and which of them `seen` has the ranges of.
    """
    grids: dict[Grid, Pooling] = {}
    for way in WAYS:
        low, high = pooled(seen.ranges, way, seen.sources)
        if low == high:
            return WAYS[0]
        grids.setdefault(seen.estimator.grid((low, high), seen.bits, seen.symmetric), way)
    if len(grids) == 1:
        return WAYS[0]
    errors = dict.fromkeys(grids, 0.0)
    for i in indices:
        value = x[i]
        x_hats = {grid: values_of(represent(value, grid, scheme.representation)[0]) for grid in grids}
        for node in layers:
            exact = outputs.exact(node, value)
            size = max(float(exact.square().sum()), 1e-30)
            for grid, x_hat in x_hats.items():
                errors[grid] += float((outputs.exact(node, x_hat) - exact).square().sum()) / size
    return grids[min(errors, key=errors.__getitem__)]
