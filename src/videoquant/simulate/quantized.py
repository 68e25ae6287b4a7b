"""The quantized network as its user holds it: parameters that open streams."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from torch import Tensor

from videoquant.markup import facts
from videoquant.simulate.parameters import Parameters
from videoquant.simulate.stream import Stream


class QuantizedNetwork(Parameters):
    """A network and a scheme, calibrated. Made by `videoquant.quantize`, saved by `videoquant.save`.

    `quantized.stream()` opens a stream of frames with its own state; calling `quantized(frame)` feeds one
    that belongs to this object.
    """

    @cached_property
    def _own_stream(self) -> Stream:
        return self.stream()

    def _repr_html_(self) -> str:
        """The network, the scheme and what is quantized, as a notebook shows it."""
        network, kept = self.network, len(self.network.layers) - len(self.points)
        layers = f"{len(self.points)} quantized" + (f", {kept} in floating point" if kept else "")
        named = {"layers": layers, "input": "×".join(map(str, network.input_shape))}
        return facts(f"{network.name}, {self.scheme}", named)

    def stream(self) -> Stream:
        """A new stream; streams share these parameters and nothing else."""
        return Stream(self)

    def __call__(self, frame: Any) -> Tensor | dict[str, Tensor]:
        """Feed the next frame to this object's own stream; see `Stream.__call__`."""
        return self._own_stream(frame)

    def reset(self) -> None:
        """Let this object's own stream start again from a keyframe."""
        self._own_stream.reset()
