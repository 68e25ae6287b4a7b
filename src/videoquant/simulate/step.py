"""One frame of a stream: reads the state that the frames before left, and builds the next one beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.axes import Residual, Uniform
from videoquant.errors import NetworkError, refused_as
from videoquant.network.finite import require_finite
from videoquant.network.graph import Node
from videoquant.quantizers.on_grid import needs_gradient
from videoquant.quantizers.one_pass import is_plain, quantize_steps
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.ranges.grid import Grid
from videoquant.ranges.predictor import Features
from videoquant.ranges.sources import RangeSource
from videoquant.regions.gate import GateState
from videoquant.simulate.activations import adapt, as_array, quantize_adaptive, represent
from videoquant.simulate.layer import compute_layer
from videoquant.simulate.parameters import Parameters
from videoquant.simulate.quantized_tensor import QuantizedTensor, Represented, add_to, values_of
from videoquant.simulate.region_masks import Places, RegionMasks

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
    carried: what the network's states are on the next frame, by their names (`Network.states`).
    """

    reference: dict[QuantizationPoint, Tensor] = field(default_factory=dict)
    output: dict[str, Tensor] = field(default_factory=dict)
    watched: dict[str, Tensor] = field(default_factory=dict)
    held: dict[str, Tensor] = field(default_factory=dict)
    codes: dict[QuantizationPoint, Represented] = field(default_factory=dict)
    gates: tuple[GateState, ...] = ()
    carried: dict[str, Tensor] = field(default_factory=dict)


class Step:
    """One frame, node by node; the equations are in `stream.py`."""

    def __init__(
        self,
        quantized: Parameters,
        frame: Tensor,
        state: State,
        is_key: bool,
        observe: Observer | None,
        probe: Probe | None,
        masks: RegionMasks | None,
        places: Places | None,
    ) -> None:
        self.frame = frame
        self.masks, self.places = masks, places
        self.quantized = quantized
        time = self.quantized.scheme.time
        self.time = time if isinstance(time, Residual) else None
        self.is_key, self.state, self.observe, self.probe = is_key, state, observe, probe
        kept = (dict(state.reference), dict(state.output), dict(state.watched), dict(state.held))
        self.next = State(*kept, dict(state.codes))
        self.macs_done = 0
        self.computed: dict[str, float] = {}
        self.seen: dict[str, NDArray[np.float64]] = {}
        self.bits: dict[str, dict[int, float]] = {}
        self.density: dict[str, float] = {}
        self._inputs: dict[QuantizationPoint, Represented] = {}
        self._waiting = Counter(quantized.points.values())

    def compute(self, node: Node, inputs: list[Tensor]) -> Tensor:
        point = self.quantized.points.get(node.name)
        if node.name in self.state.carried:
            y = self.state.carried[node.name]
        elif point is None:
            y = self.quantized.network.apply(node, inputs)
        else:
            y = self._layer(node, point, inputs[0])
        self.carry(node.name, y)
        y = self.held(node.name, y)
        self._count(node)
        self.watch(node.name, y)
        if self.observe:
            self.observe(node, y)
        return y

    def carry(self, value: str, x: Tensor) -> None:
        """Keep a value for the states that it is on the next frame."""
        self.next.carried.update(dict.fromkeys(self.quantized.network.becomes.get(value, ()), x))

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
            self.computed[node.name] = new / pixels

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
        of_frame = self.quantized.grids[self.quantized.points[node.name]].of_frame
        if self.is_key:
            y = compute_layer(node, x_hat, weights.key, tensors)
            if self.time and self.time.period > 1 and not of_frame:
                self._keep_output(node, y)
            return y
        if of_frame:
            if weights.residual_bias is not None:
                tensors["bias"] = weights.residual_bias
            return compute_layer(node, x_hat, weights.residual, tensors)
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
        grids = self.quantized.grids[point]
        time = self.time if self.time and self.time.period > 1 else None
        is_reference = time is not None and not grids.of_frame  # else nothing is taken from it
        keep = time is not None and is_reference and time.quantized_reference
        at_once = self._in_one_pass(point, x, grids.key, None, keep)
        if at_once:
            codes, values = at_once
            if is_reference:
                self.next.reference[point] = x if values is None else values
            return codes
        self._require_finite(point, x)
        grid = self._grid(point, x, grids.key)
        x_hat = self._represent(point, x, grid)
        if time is None:
            return x_hat
        if self.masks is not None and grid is not None:
            x_hat = self._held_codes(point, x_hat)
        if not is_reference:
            return x_hat
        new = values_of(x_hat) if time.quantized_reference else x
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
        grids = self.quantized.grids[point]
        source = grids.residual
        assert source is not None and point.residual is not None
        reference = None if grids.of_frame else self.state.reference[point]
        adaptive = self.time.adaptive and reference is not None
        clips = adaptive and self.time.tolerance > 0
        keep = self.time.recurrent and reference is not None
        at_once = self._in_one_pass(point, x, source, reference, keep and not clips)
        if at_once:
            codes, values = at_once
            if adaptive:
                codes, self.bits[str(point)] = adapt(codes, point.residual, self.time.tolerance)
            if keep and reference is not None:
                self.next.reference[point] = add_to(reference, codes) if values is None else values
            return codes
        self._require_finite(point, x)
        if reference is None:
            return self._represent(point, x, self._grid(point, x, source))
        residual = self._choose(point, x - reference, None)
        grid = self._grid(point, residual, source)
        x_hat: Represented
        if self.time.adaptive:
            x_hat, shares = quantize_adaptive(residual, grid, point.residual, self.time.tolerance)
            self.bits[str(point)] = shares
        else:
            x_hat = self._represent(point, residual, grid)
        if self.time.recurrent:
            self.next.reference[point] = add_to(reference, x_hat)
        return x_hat

    def _in_one_pass(
        self, point: QuantizationPoint, x: Tensor, source: RangeSource, reference: Tensor | None, keep: bool
    ) -> tuple[QuantizedTensor, Tensor | None] | None:
        """x̂ of x, or of x − reference; and with `keep` x̂, or reference + x̂, as float32.

        None where more is to be seen of the value than its numbers one by one.
        """
        uniform = isinstance(self.quantized.scheme.representation, Uniform)
        if self.masks or self.probe or source.known == "value" or not uniform or not is_plain(x, reference):
            return None
        if source.fixed is None:  # no range can be predicted from NaN
            self._require_finite(point, x)
        grid = self._grid(point, x, source)
        if grid is None or needs_gradient(x, grid):
            return None
        steps, values, finite = quantize_steps(x, grid, reference, keep)
        if not finite:
            self._require_finite(point, x)
        return QuantizedTensor(steps, grid), values

    def _require_finite(self, point: QuantizationPoint, x: Tensor) -> None:
        if not x.requires_grad:  # training looks at its loss
            require_finite(x, self.quantized.network, point.value, self.frame)

    def _grid(self, point: QuantizationPoint, x: Tensor, source: RangeSource) -> Grid | None:
        if self.probe:
            self.probe(point, x, source, self.seen)
        return source.grid(lambda: as_array(x), self.seen)

    def _represent(self, point: QuantizationPoint, x: Tensor, grid: Grid | None) -> Represented:
        x_hat, density = represent(x, grid, self.quantized.scheme.representation)
        if density is not None and grid is not None:
            self.density[str(point)] = density
        return x_hat
