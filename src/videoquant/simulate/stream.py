"""One video going through a quantized network: every frame by itself, or keyframe and residuals.

    frame      y_t = Q(W) ∗ Q(x_t) + b
    keyframe   y_k = Q_h(W) ∗ x̂_k + b,  x̂_k = Q_h(x_k)
    pairwise   y_t = y_k + Q_l(W) ∗ Q_l(x_t − x̂_k)
    recurrent  y_t = y_{t−1} + Q_l(W) ∗ Q_l(x_t − x̂_{t−1}),  x̂_t = x̂_{t−1} + Q_l(x_t − x̂_{t−1})

Everything between layers (non-linearities, additions, pooling, resizing) works on frame t itself.

With regions, of which M are a frame's new pixels at a map's size, the input and what each node gives are
y_t = M · y + (1 − M) · y_{t−1}. A keyframe's codes x̂_k and outputs y_k are renewed within M alone, and
residuals are 0 outside of it. Vectors are computed in full.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.axes import DenseSparse, Residual
from videoquant.errors import NetworkError, refused_as
from videoquant.network.finite import require_finite
from videoquant.network.graph import Node, unwrap
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.ranges.grid import Grid
from videoquant.ranges.predictor import Features
from videoquant.ranges.sources import RangeSource
from videoquant.regions.gate import Gate, GateState
from videoquant.runtime.clock import Clock, index_and_size
from videoquant.runtime.report import FrameReport
from videoquant.simulate.activations import as_array, quantize_adaptive, represent
from videoquant.simulate.layer import compute_layer
from videoquant.simulate.parameters import Parameters
from videoquant.simulate.quantized_tensor import QuantizedTensor, Represented, add_to, values_of
from videoquant.simulate.region_masks import Places, RegionMasks
from videoquant.torch_settings import plain_math

Observer = Callable[[Node, Tensor], None]
# Sees each quantizer: what it gets (the activation or its residual), where its grid comes from, and the
# features that predictors have seen of this frame.
Probe = Callable[[QuantizationPoint, Tensor, RangeSource, Features], None]


@dataclass
class State:
    """What a stream remembers between frames.

    reference: the reference input, by point.
    output: what each layer gave for it.
    watched: the values that predictors read, of the frame that residuals are taken from.
    held: with regions, the values of the frame before, by name.
    codes: with regions, of a residual scheme, what layers read on the keyframe, by point.
    gates: with regions, what the gate of each stream knows of the frames before.
    """

    reference: dict[QuantizationPoint, Tensor] = field(default_factory=dict)
    output: dict[str, Tensor] = field(default_factory=dict)
    watched: dict[str, Tensor] = field(default_factory=dict)
    held: dict[str, Tensor] = field(default_factory=dict)
    codes: dict[QuantizationPoint, Represented] = field(default_factory=dict)
    gates: tuple[GateState, ...] = ()


class Stream:
    """The state of one video. Frames go in one after another; the first and every T-th is a keyframe.

    A frame of another size, a frame whose index does not follow the last one (a seek) and `reset()` start
    again from a keyframe (see `Clock`). A frame that is refused (`DataError`), as is one of which a quantizer
    would get NaN or infinity, leaves the stream as it was.
    """

    def __init__(self, quantized: Parameters) -> None:
        self.quantized = quantized
        self._report = FrameReport()
        self._readers = Counter(quantized.points.values())
        regions, network = quantized.scheme.regions, quantized.network
        self.gate = None if regions is None else Gate(regions, network.size, network.input_shape[1])
        self.places = None if regions is None else Places(network)
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is a keyframe."""
        self._state = State()
        self._clock = Clock(self.quantized.scheme.period)

    @property
    def report(self) -> FrameReport:
        """What there is to say of the last frame."""
        return self._report

    @property
    def is_key(self) -> bool:
        """`report.is_key`."""
        return self._report.is_key

    @property
    def shares(self) -> dict[QuantizationPoint, dict[int, float]]:
        """`report.bits` by point."""
        bits = self._report.bits
        return {point: dict(bits[str(point)]) for point in self._readers if str(point) in bits}

    @property
    def densities(self) -> dict[QuantizationPoint, float]:
        """`report.density` by point, of every point where the scheme is Dense + Sparse."""
        if not isinstance(self.quantized.scheme.representation, DenseSparse):
            return {}
        return {point: self._report.density.get(str(point), 0.0) for point in self._readers}

    @property
    def state(self) -> State:
        """What it remembers of the frames before."""
        return self._state

    def __call__(self, frame: Any) -> Tensor | dict[str, Tensor]:
        """The network's output for the next frame: a Tensor, or {name: Tensor} where there are several.

        frame: a `Frame`, a picture (`network.frames`), or the network's input N×C×H×W. Gradients flow where
        the input or the network's weights ask for them.
        """
        return unwrap(self.run(frame))

    @plain_math()
    def run(
        self, frame: Any, observe: Observer | None = None, probe: Probe | None = None
    ) -> dict[str, Tensor]:
        """As calling it, but always {name: Tensor}. observe: sees every node's output, probe: quantizers."""
        x = self.quantized.network.prepare(frame)
        return self.feed(x, *index_and_size(frame, x.shape), observe, probe)

    def feed(
        self,
        x: Tensor,
        index: int | None = None,
        size: tuple[int, ...] | None = None,
        observe: Observer | None = None,
        probe: Probe | None = None,
    ) -> dict[str, Tensor]:
        """As `run`, for a network input that nothing checks or copies: N×C×H×W of float, N streams at once.

        index, size: of the frame that it was made from; by them a seek and another frame size are seen.
        """
        network, clock = self.quantized.network, self._clock.tick(index, size or tuple(x.shape))
        state = State() if clock.is_full or (clock.is_key and self.gate is None) else self._state
        masks, gates = self._look(x, state)
        step = _Step(self, x, state, clock.is_key, observe, probe, masks)
        x = step.held(network.input, x)
        step.watch(network.input, x)
        outputs = network.run(x, step.compute)
        # Only now, with the frame done, does the stream move on.
        self._state, self._clock = replace(step.next, gates=gates), clock
        macs = sum(network.macs.values())
        self._report = FrameReport(
            clock.is_key, macs, macs if masks is None else step.macs_done, step.bits, step.density
        )
        return outputs

    def _look(self, x: Tensor, state: State) -> tuple[RegionMasks | None, tuple[GateState, ...]]:
        """The regions of a frame of N streams, and what their gates know then."""
        regions = self.quantized.scheme.regions
        if self.gate is None or regions is None:
            return None, ()
        pictures = self.quantized.network.preprocessing.levels(as_array(x))
        before = state.gates or [self.gate.first()] * len(pictures)
        steps = [self.gate.step(gate, picture) for gate, picture in zip(before, pictures, strict=True)]
        return RegionMasks([region for region, _ in steps], regions.grow), tuple(gate for _, gate in steps)


class _Step:
    """One frame: reads the old state, builds the next one beside it."""

    def __init__(
        self,
        stream: Stream,
        frame: Tensor,
        state: State,
        is_key: bool,
        observe: Observer | None,
        probe: Probe | None,
        masks: RegionMasks | None,
    ) -> None:
        self.frame = frame
        self.masks, self.places = masks, stream.places
        self.quantized = stream.quantized
        time = self.quantized.scheme.time
        self.time = time if isinstance(time, Residual) else None
        self.is_key, self.state, self.observe, self.probe = is_key, state, observe, probe
        kept = (dict(state.reference), dict(state.output), dict(state.watched), dict(state.held))
        self.next = State(*kept, dict(state.codes))
        self.macs_done = 0
        self.seen: dict[str, NDArray[np.float64]] = {}
        self.bits: dict[str, dict[int, float]] = {}
        self.density: dict[str, float] = {}
        self._inputs: dict[QuantizationPoint, Represented] = {}
        self._waiting = Counter(stream._readers)

    def compute(self, node: Node, inputs: list[Tensor]) -> Tensor:
        point = self.quantized.points.get(node.name)
        if point is None:
            y = self.quantized.network.apply(node, inputs)
        else:
            y = self._layer(node, point, inputs[0])
        y = self.held(node.name, y)
        self._count(node)
        self.watch(node.name, y)
        if self.observe:
            self.observe(node, y)
        return y

    def held(self, value: str, new: Tensor) -> Tensor:
        """A value as the frame has it: with regions, what was computed inside, and what is held elsewhere."""
        if self.masks is None or self.places is None or value not in self.places.held:
            return new
        if not self.masks.whole:
            new = self.masks.choose(self.places.map_size(value), new, self.state.held[value])
        self.next.held[value] = new
        return new

    def _count(self, node: Node) -> None:
        macs = self.quantized.network.macs.get(node.name)
        if macs is not None and self.masks is not None and self.places is not None:
            new, pixels = self.masks.count(self.places.map_size(node.name))
            self.macs_done += macs * new // pixels

    def _choose(self, point: QuantizationPoint, new: Tensor, old: Tensor | None) -> Tensor:
        """What stands at a point: `new` inside the region, `old` elsewhere, or 0 where that is None."""
        if self.masks is None or self.places is None or self.masks.whole:
            return new
        size = self.places.flat.get(point.value) or self.places.map_size(point.value)
        return self.masks.choose(size, new, torch.zeros_like(new) if old is None else old)

    def watch(self, value: str, x: Tensor) -> None:
        """Take the features of a value that predictors read, and remember it where later frames need it."""
        watched = self.quantized.watched.get(value)
        if watched is None:
            return
        self.seen[value] = watched.extract(x, None if self.is_key else self.state.watched[value])
        if self.time and (self.is_key or self.time.recurrent):
            self.next.watched[value] = x

    def _layer(self, node: Node, point: QuantizationPoint, x: Tensor) -> Tensor:
        quantize = self._quantized_key if self.is_key else self._quantized_residual
        if point not in self._inputs:
            if not x.requires_grad:  # training looks at its loss
                require_finite(x, self.quantized.network, point.value, self.frame)
            self._inputs[point] = quantize(point, x)
        x_hat = self._inputs[point]
        self._waiting[point] -= 1
        if not self._waiting[point]:  # the last layer that shares this point
            del self._inputs[point]

        network = self.quantized.network
        with refused_as(NetworkError, f"{network.name}: node {node.name!r}, {node.op}, cannot run"):
            return self._compute(node, x_hat)

    def _compute(self, node: Node, x_hat: Represented) -> Tensor:
        tensors = self.quantized.network.node_tensors(node)
        weights = self.quantized.weights[node.name]
        if self.is_key:
            y = compute_layer(node, x_hat, weights.key, tensors)
            if self.time and self.time.period > 1:
                self._keep_output(node, y)
            return y
        y = compute_layer(node, x_hat, weights.residual, tensors, self.state.output[node.name])
        if self.time and self.time.recurrent:
            self._keep_output(node, y)
        return y

    def _keep_output(self, node: Node, y: Tensor) -> None:
        """What later frames add W ∗ residual to."""
        if self.masks is not None and self.places is not None and not self.masks.whole:
            y = self.masks.choose(self.places.map_size(node.name), y, self.state.output[node.name])
        self.next.output[node.name] = y

    def _quantized_key(self, point: QuantizationPoint, x: Tensor) -> Represented:
        grid = self._grid(point, x, self.quantized.grids[point].key)
        x_hat = self._represent(point, x, grid)
        if not self.time or self.time.period == 1:
            return x_hat
        if self.masks is not None and grid is not None:
            x_hat = self._held_codes(point, x_hat)
        new = values_of(x_hat) if self.time.quantized_reference else x
        self.next.reference[point] = self._choose(point, new, self.state.reference.get(point))
        return x_hat

    def _held_codes(self, point: QuantizationPoint, new: Represented) -> Represented:
        """A keyframe's codes: outside the region those of the keyframe that it was last part of."""
        old = self.state.codes.get(point)
        if isinstance(new, QuantizedTensor) and isinstance(old, QuantizedTensor):
            sparse = new.sparse
            if sparse is not None:
                sparse = self._choose(point, sparse, old.sparse)
            new = QuantizedTensor(self._choose(point, new.steps, old.steps), new.grid, sparse)
        elif old is not None:
            new = self._choose(point, values_of(new), values_of(old))
        self.next.codes[point] = new
        return new

    def _quantized_residual(self, point: QuantizationPoint, x: Tensor) -> Represented:
        assert self.time is not None
        source = self.quantized.grids[point].residual
        assert source is not None and point.residual is not None
        reference = self.state.reference[point]
        residual = self._choose(point, x - reference, None)
        grid = self._grid(point, residual, source)
        x_hat: Represented
        if self.time.adaptive:
            adaptive = quantize_adaptive(residual, grid, point.residual, self.time.tolerance)
            x_hat, self.bits[str(point)] = adaptive
        else:
            x_hat = self._represent(point, residual, grid)
        if self.time.recurrent:
            self.next.reference[point] = add_to(reference, x_hat)
        return x_hat

    def _grid(self, point: QuantizationPoint, x: Tensor, source: RangeSource) -> Grid | None:
        if self.probe:
            self.probe(point, x, source, self.seen)
        return source.grid(lambda: as_array(x), self.seen)

    def _represent(self, point: QuantizationPoint, x: Tensor, grid: Grid | None) -> Represented:
        x_hat, density = represent(x, grid, self.quantized.scheme.representation)
        if density is not None and grid is not None:
            self.density[str(point)] = density
        return x_hat
