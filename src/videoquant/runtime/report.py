"""What a stream says of a frame: the same from simulation and from the integer engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FrameReport:
    """The last frame of a stream. Quantizers are named as `str(QuantizationPoint)` names them.

    is_key: whether it was a keyframe (every frame is, without a time axis).
    macs: multiply–accumulates of the network, computed in full; 0 before there was a frame.
    macs_done: those of them that were done; simulation computes all.
    bits: by quantizer, the share of locations at each bit-width; of adaptive schemes, on residual frames.
        Only simulation counts them.
    density: by quantizer, the share of elements in the sparse part of Dense + Sparse. One that this frame
        left in floating point has no sparse part, and is not named.
    computed: by layer, the share of its multiply–accumulates that the frame's region took; only with regions.
    memory_bytes: what the stream holds, without the weights, which streams share; None where that is not
        counted, in simulation.
    """

    is_key: bool = True
    macs: int = 0
    macs_done: int = 0
    bits: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    density: Mapping[str, float] = field(default_factory=dict)
    computed: Mapping[str, float] = field(default_factory=dict)
    memory_bytes: int | None = None

    @property
    def work_share(self) -> float:
        """The share of a dense frame's multiply–accumulates that this one took, 0 … 1."""
        return self.macs_done / self.macs if self.macs else 1.0
