"""One video going through a quantized network: every frame by itself, or keyframe and residuals.

    frame      y_t = Q(W) ∗ Q(x_t) + b
    keyframe   y_k = Q_h(W) ∗ x̂_k + b,  x̂_k = Q_h(x_k)
    pairwise   y_t = y_k + Q_l(W) ∗ Q_l(x_t − x̂_k)
    recurrent  y_t = y_{t−1} + Q_l(W) ∗ Q_l(x_t − x̂_{t−1}),  x̂_t = x̂_{t−1} + Q_l(x_t − x̂_{t−1})

Where calibration found it better a quantizer takes the frame's own codes on residual frames, and the layers
that read it give y_t = Q_l(W) ∗ Q_l(x_t) + b (`PointGrids.of_frame`).

A state of the network (`Network.states`) is what the stream's frame before gave, quantized as that was.
Everything between layers (non-linearities, additions, pooling, resizing) works on frame t itself.

With regions, of which M are a frame's new pixels at a map's size, the input and what each node gives are
y_t = M · y + (1 − M) · y_{t−1}. A keyframe's codes x̂_k and outputs y_k are renewed within M alone, and
residuals are 0 outside of it. Vectors are computed in full.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from videoquant.axes import DenseSparse
from videoquant.network.graph import unwrap
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.regions.gate import Gate, GateState
from videoquant.runtime.clock import Clock, index_and_size
from videoquant.runtime.report import FrameReport
from videoquant.simulate.activations import as_array
from videoquant.simulate.parameters import Parameters
from videoquant.simulate.region_masks import Places, RegionMasks
from videoquant.simulate.step import Observer, Probe, State, Step
from videoquant.torch_settings import plain_math


class Stream:
    """The state of one video. Frames go in one after another; the first and every T-th is a keyframe.

    A frame of another size, a frame whose index does not follow the last one (a seek) and `reset()` start
    again from a keyframe (see `Clock`). A frame that is refused (`DataError`), as is one of which a quantizer
    would get NaN or infinity, leaves the stream as it was.
    """

    def __init__(self, quantized: Parameters) -> None:
        self.quantized = quantized
        self._report = FrameReport()
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
        points = dict.fromkeys(self.quantized.points.values())
        return {point: dict(bits[str(point)]) for point in points if str(point) in bits}

    @property
    def densities(self) -> dict[QuantizationPoint, float]:
        """`report.density` by point, of every point where the scheme is Dense + Sparse."""
        if not isinstance(self.quantized.scheme.representation, DenseSparse):
            return {}
        points = dict.fromkeys(self.quantized.points.values())
        return {point: self._report.density.get(str(point), 0.0) for point in points}

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
        if not clock.restarts:  # the network's states belong to the video, not to a cycle
            state = replace(state, carried=self._state.carried)
        masks, gates = self._look(x, state)
        step = Step(self.quantized, x, state, clock.is_key, observe, probe, masks, self.places)
        x = step.held(network.input, x)
        step.watch(network.input, x)
        step.carry(network.input, x)
        outputs = network.run(x, step.compute)
        # Only now, with the frame done, does the stream move on.
        self._state, self._clock = replace(step.next, gates=gates), clock
        macs = sum(network.macs.values())
        self._report = FrameReport(
            clock.is_key,
            macs,
            macs if masks is None else step.macs_done,
            step.bits,
            step.density,
            step.computed,
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
