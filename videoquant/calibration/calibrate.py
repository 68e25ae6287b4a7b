"""From unlabelled clips to grids: the network runs on all of them at once, node by node.

At each quantizer the ranges of all samples are measured and averaged (method: Static), and what follows sees
the values quantized so, as it will at run time. A residual is measured the same way, at every offset
1..T − 1 from its keyframe.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence

from torch import Tensor

from videoquant.axes import FLOAT, DenseSparse, Dynamic, Residual
from videoquant.errors import DataError
from videoquant.network.graph import Network, Node
from videoquant.network.operators import OPERATORS
from videoquant.quantizers.placement import LayerBits, Point, layer_bits, points
from videoquant.quantizers.ranges import Range
from videoquant.quantizers.weights import WeightCodes, quantize_weights
from videoquant.schemes import Scheme
from videoquant.simulate.activations import (
    ActivationGrid,
    DynamicGrid,
    StaticGrid,
    Unquantized,
    fake_quantize,
    fake_quantize_adaptive,
    fake_quantize_dense_sparse,
    make_grid,
)
from videoquant.simulate.parameters import LayerWeights, PointGrids
from videoquant.simulate.quantized import QuantizedNetwork

# What one value holds for every clip and every frame of it: [clip][frame].
Samples = list[list[Tensor]]
Progress = Callable[[], None]


class CalibrationWarning(UserWarning):
    """Calibration data that cannot say what it should."""


def calibrate(
    network: Network, scheme: Scheme, clips: Sequence[Sequence[Tensor]], progress: Progress | None = None
) -> QuantizedNetwork:
    """Learn a scheme's parameters from clips.

    clips: consecutive inputs N×C×H×W of the network, each clip beginning with a keyframe; frames past the
    scheme's period are ignored by residual schemes and are samples like any other without a time axis.
    progress: called once per node of the network.
    Raises `SchemeError` for an axis not built yet, `DataError` where there is nothing to learn from.
    """
    scheme.check_built()
    bits = layer_bits(network, scheme)
    weights = {
        node.name: _layer_weights(network, scheme, node, bits[node.name])
        for node in network.layers
        if not bits[node.name].is_float
    }
    run = _Run(network, scheme, weights)
    if isinstance(scheme.ranges, Dynamic) or not weights:
        grids = {point: run.dynamic_grids(point) for point in run.readers}
        return QuantizedNetwork(network, scheme, weights, grids)
    if scheme.period > 1:
        clips = [clip[: scheme.period] for clip in clips if len(clip) > 1]
    else:
        clips = [[frame] for clip in clips for frame in clip]
    clips = [clip for clip in clips if clip]
    if not clips:
        needed = "2 consecutive frames" if scheme.period > 1 else "1 frame"
        raise DataError(f"{scheme}: calibration needs at least {needed}; got none")
    run.walk(clips, progress)
    return QuantizedNetwork(network, scheme, weights, run.grids)


class _Run:
    """One walk through the network with every sample."""

    def __init__(self, network: Network, scheme: Scheme, weights: dict[str, LayerWeights]) -> None:
        self.network, self.scheme, self.weights = network, scheme, weights
        self.time = scheme.time if isinstance(scheme.time, Residual) else None
        self.points = points(network, layer_bits(network, scheme))
        self.readers = Counter(self.points.values())
        self.grids: dict[Point, PointGrids] = {}
        self._quantized: dict[Point, Samples] = {}
        self._waiting = Counter(self.readers)

    def walk(self, clips: Sequence[Sequence[Tensor]], progress: Progress | None) -> None:
        """Visit every node once. The graph's values are `Samples` on this walk."""
        shape = [len(clip) for clip in clips]

        def compute(node: Node, inputs: list[Samples]) -> Samples:
            if progress:
                progress()
            if node.name in self.points:
                return self._layer(node, inputs[0])
            return [
                [self.network.apply(node, [value[c][t] for value in inputs]) for t in range(length)]
                for c, length in enumerate(shape)
            ]

        self.network.run([list(clip) for clip in clips], compute)

    def dynamic_grids(self, point: Point) -> PointGrids:
        """Grids that need no calibration."""
        key = self._dynamic(point.key, symmetric=False)
        return PointGrids(
            key, None if point.residual is None else self._dynamic(point.residual, symmetric=True)
        )

    def _dynamic(self, bits: int, symmetric: bool) -> ActivationGrid:
        return Unquantized() if bits == FLOAT else DynamicGrid(self.scheme.range_estimator, bits, symmetric)

    def _layer(self, node: Node, x: Samples) -> Samples:
        point = self.points[node.name]
        if point not in self._quantized:
            self._quantized[point] = self._learn(point, x)
        x_hat = self._quantized[point]
        self._waiting[point] -= 1
        if not self._waiting[point]:
            del self._quantized[point]

        tensors = self.network.node_tensors(node)
        weights = self.weights[node.name]
        key = tensors | ({"weight": weights.key.values} if weights.key else {})
        if self.time is None:
            return [[OPERATORS[node.op](frame, **key, **node.attributes) for frame in clip] for clip in x_hat]
        low = tensors | ({"weight": weights.residual.values} if weights.residual else {})
        low.pop("bias", None)
        result = []
        for clip in x_hat:
            outputs = [OPERATORS[node.op](clip[0], **key, **node.attributes)]
            for residual in clip[1:]:
                base = outputs[-1] if self.time.recurrent else outputs[0]
                outputs.append(OPERATORS[node.op](residual, **low, **node.attributes) + base)
            result.append(outputs)
        return result

    def _learn(self, point: Point, x: Samples) -> Samples:
        """Find a point's grids; return what they make of x: keyframes quantized, residuals likewise."""
        if self.time is None:
            frames = [frame for clip in x for frame in clip]
            source = self._static(point, frames, point.key)
            self.grids[point] = PointGrids(source)
            return [[self._fake_quantize(frame, source) for frame in clip] for clip in x]
        key = self._static(point, [clip[0] for clip in x], point.key)
        keys = [self._fake_quantize(clip[0], key) for clip in x]
        if point.residual is None or max(map(len, x)) == 1:
            self.grids[point] = PointGrids(key, Unquantized())
            return [[k] for k in keys]
        references = keys if self.time.quantized_reference else [clip[0] for clip in x]
        if self.time.recurrent:
            # The frame before stands for its reconstruction, which is not known before the grid is.
            pairs = [
                (clip[t], clip[t - 1] if t > 1 else k)
                for k, clip in zip(references, x, strict=True)
                for t in range(1, len(clip))
            ]
        else:
            pairs = [(frame, k) for k, clip in zip(references, x, strict=True) for frame in clip[1:]]
        residuals = [frame - reference for frame, reference in pairs]
        source = self._static(point, residuals, point.residual, still=[frame for frame, _ in pairs])
        self.grids[point] = PointGrids(key, source)
        return [
            [k, *self._residuals(point, source, reference, clip[1:])]
            for k, reference, clip in zip(keys, references, x, strict=True)
        ]

    def _residuals(
        self, point: Point, source: ActivationGrid, reference: Tensor, frames: list[Tensor]
    ) -> list[Tensor]:
        assert self.time is not None and point.residual is not None
        result = []
        for frame in frames:
            residual = frame - reference
            if self.time.adaptive:
                residual, _ = fake_quantize_adaptive(residual, source, point.residual, self.time.tolerance)
            else:
                residual = self._fake_quantize(residual, source)
            if self.time.recurrent:
                reference = reference + residual
            result.append(residual)
        return result

    def _fake_quantize(self, x: Tensor, source: ActivationGrid) -> Tensor:
        if isinstance(self.scheme.representation, DenseSparse):
            return fake_quantize_dense_sparse(x, source)[0]
        return fake_quantize(x, source)

    def _static(
        self, point: Point, samples: list[Tensor], bits: int, still: list[Tensor] | None = None
    ) -> ActivationGrid:
        """The grid of the samples' average range.

        still: for residuals, which take a symmetric grid: the frames they were taken from. Their range stands
        in where nothing moves.
        """
        if bits == FLOAT:
            return Unquantized()
        symmetric = still is not None
        low, high = self._average_range(samples, bits, symmetric)
        if low == high and still:
            text = f"nothing moves at {point.value!r} in calibration; its residuals take the range of frames"
            warnings.warn(f"{self.scheme}: {text}", CalibrationWarning, stacklevel=2)
            low, high = self._average_range(still, bits, symmetric)
        if low == high:  # the value is always zero: any grid holds it
            low, high = -1.0, 1.0
        return StaticGrid(make_grid((low, high), bits, symmetric))

    def _average_range(self, samples: list[Tensor], bits: int, symmetric: bool) -> Range:
        ranges = [self.scheme.range_estimator.measure(sample, bits, symmetric) for sample in samples]
        lows, highs = zip(*ranges, strict=True)
        return sum(lows) / len(ranges), sum(highs) / len(ranges)


def _layer_weights(network: Network, scheme: Scheme, node: Node, bits: LayerBits) -> LayerWeights:
    weight = network.tensors[f"{node.name}.weight"]

    def codes(width: int) -> WeightCodes | None:
        if width == FLOAT:
            return None
        return quantize_weights(weight, node, width, scheme.weights, scheme.estimator)

    key = codes(bits.key.weights)
    if bits.residual is None:
        return LayerWeights(key)
    same = bits.residual.weights == bits.key.weights
    return LayerWeights(key, key if same else codes(bits.residual.weights))
