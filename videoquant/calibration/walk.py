"""One walk through the network with every calibration sample at once, node by node.

At each quantizer the ranges of all samples are measured and a grid is made of them; what follows sees the
values quantized so, as it will at run time. A residual is measured the same way, at every offset 1..T − 1
from its keyframe.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videoquant.axes import FLOAT, Predicted, Residual
from videoquant.calibration.predictors import fit
from videoquant.errors import CalibrationWarning
from videoquant.network.graph import Network, Node
from videoquant.quantizers.placement import Point, layer_bits, points
from videoquant.quantizers.positions import responsible
from videoquant.schemes import Scheme
from videoquant.simulate.activations import (
    ActivationGrid,
    PredictedGrid,
    StaticGrid,
    Unquantized,
    make_grid,
    quantize_adaptive,
    represent,
)
from videoquant.simulate.layer import compute_layer
from videoquant.simulate.parameters import LayerWeights, PointGrids, Watched
from videoquant.simulate.steps import Represented, plus, values_of

# What one value holds for every clip and every frame of it: [clip][frame].
Samples = list[list[Tensor]]
# The same, as layers read it.
Quantized = list[list[Represented]]
Progress = Callable[[], None]
Array = NDArray[np.float64]


class Walk:
    """What a walk learns.

    watched: the values whose features are taken, and which. Where the scheme's ranges are `Predicted`, each
    quantizer's are predicted from the last of them before it.

    After `run`: grids, by point; features, by (value, on residual frames?): samples × features; ranges, by
    (point, on residual frames?): samples × 2. Samples lie frame by frame, clip after clip.
    """

    def __init__(
        self,
        network: Network,
        scheme: Scheme,
        weights: Mapping[str, LayerWeights],
        watched: Mapping[str, Watched],
    ) -> None:
        self.network, self.scheme, self.weights, self.watched = network, scheme, weights, watched
        self.time = scheme.time if isinstance(scheme.time, Residual) else None
        self.points = points(network, layer_bits(network, scheme))
        predicted = isinstance(scheme.ranges, Predicted)
        self.positions = responsible(network, watched, self.points) if predicted else {}
        self.grids: dict[Point, PointGrids] = {}
        self.features: dict[tuple[str, bool], Array] = {}
        self.ranges: dict[tuple[Point, bool], Array] = {}
        self._seen: list[list[dict[str, Array]]] = []
        self._quantized: dict[Point, Quantized] = {}
        self._waiting = Counter(self.points.values())

    def run(self, clips: Sequence[Sequence[Tensor]], progress: Progress | None) -> None:
        """Visit every node once; each clip begins with a keyframe. The graph's values are `Samples`."""
        self._seen = [[{} for _ in clip] for clip in clips]
        frames = [list(clip) for clip in clips]

        def compute(node: Node, inputs: list[Samples]) -> Samples:
            if progress:
                progress()
            if node.name in self.points:
                y = self._layer(node, inputs[0])
            else:
                y = [
                    [self.network.apply(node, [value[c][t] for value in inputs]) for t in range(len(clip))]
                    for c, clip in enumerate(frames)
                ]
            self._watch(node.name, y)
            return y

        self._watch(self.network.input, frames)
        self.network.run(frames, compute)

    def _watch(self, value: str, x: Samples) -> None:
        """Take the features of a value for all samples, as a stream takes them frame by frame."""
        watched = self.watched.get(value)
        if watched is None:
            return
        taken: dict[bool, list[Array]] = {False: [], True: []}
        recurrent = self.time is not None and self.time.recurrent
        for seen, clip in zip(self._seen, x, strict=True):
            for t, frame in enumerate(clip):
                reference = None if t == 0 else clip[t - 1 if recurrent else 0]
                seen[t][value] = watched.look(frame, reference)
                taken[t > 0].append(seen[t][value])
        for is_residual, rows in taken.items():
            if rows:
                self.features[value, is_residual] = np.array(rows)

    def _layer(self, node: Node, x: Samples) -> Samples:
        point = self.points[node.name]
        if point not in self._quantized:
            self._quantized[point] = self._learn(point, x)
        x_hat = self._quantized[point]
        self._waiting[point] -= 1
        if not self._waiting[point]:
            del self._quantized[point]

        tensors, weights = self.network.node_tensors(node), self.weights[node.name]
        result = []
        for clip in x_hat:
            outputs = [compute_layer(node, clip[0], weights.key, tensors)]
            for residual in clip[1:]:
                base = outputs[-1] if self.time and self.time.recurrent else outputs[0]
                outputs.append(compute_layer(node, residual, weights.residual, tensors, base))
            result.append(outputs)
        return result

    def _learn(self, point: Point, x: Samples) -> Quantized:
        """Find a point's grids; return what they make of x: keyframes quantized, residuals likewise."""
        firsts = [clip[0] for clip in x]
        key = self._source(point, firsts)
        keys = [
            represent(first, key.grid(first, seen[0]), self.scheme.representation)[0]
            for first, seen in zip(firsts, self._seen, strict=True)
        ]
        if self.time is None:
            self.grids[point] = PointGrids(key)
            return [[k] for k in keys]
        if point.residual is None or max(map(len, x)) == 1:
            self.grids[point] = PointGrids(key, Unquantized())
            return [[k] for k in keys]
        references = [values_of(k) for k in keys] if self.time.quantized_reference else firsts
        pairs = []
        for reference, clip in zip(references, x, strict=True):
            for t in range(1, len(clip)):
                # The frame before stands for its reconstruction, which is not known before the grid is.
                pairs.append((clip[t], clip[t - 1] if self.time.recurrent and t > 1 else reference))
        source = self._source(
            point, [frame - ref for frame, ref in pairs], still=[frame for frame, _ in pairs]
        )
        self.grids[point] = PointGrids(key, source)
        return [
            [k, *self._residuals(point, source, reference, clip[1:], seen[1:])]
            for k, reference, clip, seen in zip(keys, references, x, self._seen, strict=True)
        ]

    def _residuals(
        self,
        point: Point,
        source: ActivationGrid,
        reference: Tensor,
        frames: list[Tensor],
        seen: list[dict[str, Array]],
    ) -> list[Represented]:
        assert self.time is not None and point.residual is not None
        result: list[Represented] = []
        for frame, features in zip(frames, seen, strict=True):
            residual = frame - reference
            grid = source.grid(residual, features)
            if self.time.adaptive:
                x_hat, _ = quantize_adaptive(residual, grid, point.residual, self.time.tolerance)
            else:
                x_hat, _ = represent(residual, grid, self.scheme.representation)
            if self.time.recurrent:
                reference = plus(reference, x_hat)
            result.append(x_hat)
        return result

    def _source(
        self, point: Point, samples: list[Tensor], still: list[Tensor] | None = None
    ) -> ActivationGrid:
        """Where a point's grids come from: one for the samples' average range, or a predictor of the range.

        still: for residuals, which take a symmetric grid: the frames they were taken from. Their range stands
        in where nothing moves.
        """
        symmetric = still is not None
        bits = point.residual if symmetric else point.key
        assert bits is not None
        if bits == FLOAT:
            return Unquantized()
        ranges = self.ranges[point, symmetric] = self._measure(samples, bits, symmetric)
        position = self.positions.get(point)
        if position is not None and ranges.any():
            watched = self.watched[position]
            names = watched.residual if symmetric else watched.key
            predictor = fit(position, names, self.features[position, symmetric], ranges)
            return PredictedGrid(predictor, self.scheme.range_estimator, bits, symmetric)
        if still and not ranges.any():
            text = f"nothing moves at {point.value!r} in calibration; its residuals take the range of frames"
            warnings.warn(f"{self.scheme}: {text}", CalibrationWarning, stacklevel=2)
            ranges = self._measure(still, bits, symmetric)
        low, high = ranges.mean(0).tolist()
        if low == high:  # the value is always zero: any grid holds it
            low, high = -1.0, 1.0
        return StaticGrid(make_grid(self.scheme.range_estimator, (low, high), bits, symmetric))

    def _measure(self, samples: list[Tensor], bits: int, symmetric: bool) -> Array:
        """The range of each sample: samples × 2."""
        return np.array([self.scheme.range_estimator.measure(sample, bits, symmetric) for sample in samples])
