"""What a stream with regions makes of a frame: bytes for the gate, and the region's pixels of the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoquant import _native
from videoquant.axes import Regions
from videoquant.network.input_arrays import given_input, picture_of
from videoquant.regions.native_gate import NativeGate
from videoquant.regions.places import POINTWISE, has_map
from videoquant.regions.region import Region
from videoquant.runtime.plan import Plan
from videoquant.runtime.program import PostprocessNode
from videoquant.runtime.session import Session

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class RegionState:
    """What a stream knows of the frames before.

    gate: what the gate knows. held: the maps of the postprocess that are held, by name.
    region: of the last frame; None before the first.
    """

    gate: _native.GateState
    held: dict[str, Array] = field(default_factory=dict)
    region: Region | None = None

    @property
    def memory_bytes(self) -> int:
        """What it takes."""
        return self.gate.bytes + sum(y.nbytes for y in self.held.values())


class RegionInput:
    """The part of a stream that has regions. It keeps no state.

    regions: the gate's parameters.
    """

    def __init__(self, plan: Plan, regions: Regions) -> None:
        self.plan, self.regions = plan, regions
        self.gate = NativeGate(regions, (plan.input_shape[2], plan.input_shape[3]), plan.input_shape[1])

    def first(self) -> RegionState:
        """The state before the first frame."""
        return RegionState(self.gate.first())

    def picture(self, frame: Any) -> NDArray[np.uint8] | None:
        """The bytes that the input is made of, H×W×C.

        None for an input that is given, and for luma, which is not whole.
        """
        plan = self.plan
        if plan.preprocessing.color == "Y" or given_input(frame, plan.input_shape) is not None:
            return None
        return picture_of(frame, plan.preprocessing, plan.input_shape, plan.name)

    def look(
        self, state: RegionState, picture: NDArray[np.uint8] | None, pixels: Array | None, session: Session
    ) -> tuple[RegionState, Array]:
        """Ask the gate and tell the session.

        picture: the input's bytes; or pixels: the input itself, h×w×c.
        Returns the state after the frame, but for what the postprocess holds; and what the session runs on.
        """
        preprocessing = self.plan.preprocessing
        if picture is None:
            assert pixels is not None
            picture = preprocessing.levels(pixels.transpose(2, 0, 1)[None])[0]
        region, gate = self.gate.step(state.gate, picture)
        blocks = np.ascontiguousarray(region.blocks, np.uint8)
        session.look(blocks, region.block, self.regions.grow, region.whole, region.moving)
        if pixels is None:
            gain, offset = preprocessing.line()
            session.take_picture(picture, gain.tolist(), offset.tolist())
            pixels = session.slot(0)
        return RegionState(gate, {}, region), pixels

    def hold(
        self, state: RegionState, after: RegionState, node: PostprocessNode, inputs: Sequence[Array], y: Array
    ) -> Array:
        """A value of the postprocess as the frame has it: outside the region what it was.

        state, after: before the frame, and after it. Only maps that windows or vectors went into differ there
        from what is computed of held values.
        """
        same = all(x.shape[2:] == y.shape[2:] for x in inputs)
        if node.placeless or not has_map(y.shape) or (node.op in POINTWISE and same):
            return y
        if after.region is not None and not after.region.whole:
            mask = after.region.mask(y.shape[2], y.shape[3], self.regions.grow)
            y = np.where(mask, y, state.held[node.name])
        after.held[node.name] = y.copy()  # y may become an output, which is its user's
        return y
