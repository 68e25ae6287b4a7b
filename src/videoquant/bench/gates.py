"""Ways to leave out what stands still: gates in front of a network, as they are deployed, and regions.

All run the same quantized network. State belongs to a stream: one of them is for one clip.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from videoquant.api import quantize
from videoquant.axes import Regions
from videoquant.bench.motion import BlockMotion, Box, BoxMotion, cover
from videoquant.data.video import Clip
from videoquant.engine import IntegerNetwork, lower
from videoquant.errors import VideoQuantError, refused_as
from videoquant.network.graph import Network
from videoquant.runtime.stream import Stream
from videoquant.schemes import Scheme
from videoquant.simulate.quantized import QuantizedNetwork

EVERY, FRAME_GATE, BOX_GATE, REGIONS = "every frame", "frame gate", "box gate", "regions"
RATIOS = (0.01, 0.05, 0.2)  # of the frame gate, and what the others are tried at
DIFFERENCES = (15, 30, 45)
FLOORS = (8, 16, 24, 32)
EDGE = 16  # pixels at a crop's edge that are not put back: they have seen too little
GRAIN = 32  # a crop's sides are multiples of it

Picture = NDArray[np.uint8]
Outputs = dict[str, NDArray[np.float32]]


class Way(ABC):
    """One way to run a network on a stream, with a state of its own.

    method: its name. setting: what its threshold is set to; "" where it has none.
    is_default: whether that is the default.
    """

    method: str
    setting = ""
    is_default = True

    @abstractmethod
    def run(self, picture: Picture) -> tuple[Outputs, float]:
        """The outputs for the next frame, and the share of its pixels that was computed."""


class EveryFrame(Way):
    """All of every frame."""

    method = EVERY

    def __init__(self, dense: Stream) -> None:
        self._dense = dense

    def run(self, picture: Picture) -> tuple[Outputs, float]:
        return self._dense.arrays(picture), 1.0


class FrameGate(Way):
    """The whole frame where anything moves (`BlockMotion`); else the last outputs once more."""

    method = FRAME_GATE

    def __init__(self, dense: Stream, ratio: float) -> None:
        self._dense, self._motion = dense, BlockMotion(ratio)
        self.setting, self.is_default = f"{ratio:g}", ratio == BlockMotion().ratio
        self._held: Outputs = {}

    def run(self, picture: Picture) -> tuple[Outputs, float]:
        if not self._motion.moves(picture):
            return self._held, 0.0
        self._held = self._dense.arrays(picture)
        return self._held, 1.0


class BoxGate(Way):
    """Crops around the boxes that moved (`BoxMotion`, `cover`); the whole frame where it is less work.

    The boxes of the frame before are among them, so that what left them is not held there for ever.
    A crop runs through the same network at the crop's size. What it gives is put back in its place into the
    last outputs, but for `EDGE` pixels where the crop ends inside the picture.
    """

    method = BOX_GATE

    def __init__(self, dense: Stream, crops: Crops, difference: int) -> None:
        self._dense, self._crops, self._motion = dense, crops, BoxMotion(difference)
        self.setting, self.is_default = f"{difference}", difference == BoxMotion().difference
        self._held: Outputs = {}
        self._before: list[Box] = []

    def run(self, picture: Picture) -> tuple[Outputs, float]:
        boxes, size = self._motion.boxes(picture), (picture.shape[0], picture.shape[1])
        before, self._before = self._before, boxes or []
        chosen = None
        if boxes is not None:
            chosen = cover([*boxes, *before], size, self._crops.size, self._crops.align, EDGE)
        if chosen is None:
            self._held = self._dense.arrays(picture)
            return self._held, 1.0
        if chosen:
            self._held = {name: y.copy() for name, y in self._held.items()}
        for top, left, bottom, right in chosen:
            part = self._crops.stream.arrays(picture[top:bottom, left:right])
            for name, y in part.items():
                put_back(self._held[name], y, (top, left), size, self._crops.size)
        return self._held, len(chosen) * math.prod(self._crops.size) / math.prod(size)


def put_back(
    held: NDArray[np.float32],
    y: NDArray[np.float32],
    corner: tuple[int, int],
    size: tuple[int, int],
    crop: tuple[int, int],
) -> None:
    """Write a crop's map 1×C×h×w into the picture's, without the edges inside the picture.

    corner: of the crop, in pixels. size, crop: of the picture and the crop.
    """
    into, out = [], []
    for axis in (0, 1):
        cell = crop[axis] // y.shape[2 + axis]
        edge = -(-EDGE // cell)
        first = 0 if corner[axis] == 0 else edge
        last = y.shape[2 + axis] - (0 if corner[axis] + crop[axis] == size[axis] else edge)
        out.append(slice(first, last))
        into.append(slice(corner[axis] // cell + first, corner[axis] // cell + last))
    held[:, :, into[0], into[1]] = y[:, :, out[0], out[1]]


class WithRegions(Way):
    """The blocks that the gate of regions names, at a floor of so many levels."""

    method = REGIONS

    def __init__(self, plan: IntegerNetwork, floor: int, threads: int) -> None:
        self._stream = plan.stream(threads=threads, regions=Regions(floor=floor))
        self.setting, self.is_default = f"{floor}", floor == Regions().floor

    def run(self, picture: Picture) -> tuple[Outputs, float]:
        outputs = self._stream.arrays(picture)
        assert self._stream.region is not None
        return outputs, self._stream.region.share


@dataclass(frozen=True)
class Crops:
    """What runs a crop. size: its (height, width). align: what its corners are multiples of, in pixels."""

    stream: Stream
    size: tuple[int, int]
    align: int


def crops_of(quantized: QuantizedNetwork, threads: int) -> Crops:
    """The network at half its input's height and width, rounded up to `GRAIN`, with the ranges it has.

    Raises `VideoQuantError` for one that has outputs without a place in the picture, or one size only.
    """
    network = quantized.network
    height, width = (-(-side // (2 * GRAIN)) * GRAIN for side in network.size)
    if height >= network.size[0] or width >= network.size[1]:
        raise VideoQuantError(f"its input, {'×'.join(map(str, network.size))}, is too small to be cropped")
    shape = (*network.input_shape[:2], height, width)
    small = Network(
        network.nodes, network.input, shape, network.outputs, network.tensors, network.preprocessing,
        network.name,
    )  # fmt: skip
    with refused_as(VideoQuantError, f"the network does not take crops of {height}×{width}"):
        crop_shapes = small.shapes
    strides = {1}
    for name, value in network.outputs.items():
        maps = network.shapes[value], crop_shapes[value]
        if any(len(found) != 4 for found in maps):
            raise VideoQuantError(f"output {name!r} has no place in the picture to be put back to")
        for axis in (0, 1):
            ratios = {
                of.size[axis] / found[2 + axis] for of, found in zip((network, small), maps, strict=True)
            }
            if len(ratios) > 1 or not min(ratios).is_integer():
                raise VideoQuantError(f"output {name!r} of a crop does not fit into that of the picture")
            strides.add(int(min(ratios)))
    align = math.lcm(EDGE, *strides)
    if any((whole - side) % align for whole, side in zip(network.size, (height, width), strict=True)):
        raise VideoQuantError(f"crops of {height}×{width} do not reach the picture's end by steps of {align}")
    plan = fitted_plan(QuantizedNetwork(small, quantized.scheme, quantized.weights, quantized.grids))
    return Crops(plan.stream("frame", threads), (height, width), align)


def fitted_plan(quantized: QuantizedNetwork) -> IntegerNetwork:
    """The plan, for pictures that have the input's size already."""
    plan = lower(quantized)
    return replace(plan, preprocessing=replace(plan.preprocessing, fit="stretch"))


def ways_of(
    network: Network, scheme: Scheme, clip: Clip, threads: int, say: Callable[[str], None]
) -> list[Way]:
    """All of them for one clip, of which 16 frames calibrate the network that they share."""
    quantized = quantize(network, scheme, clip)
    plan = fitted_plan(quantized)
    dense = plan.stream("frame", threads)
    ways: list[Way] = [EveryFrame(dense), *(FrameGate(dense, ratio) for ratio in RATIOS)]
    try:
        crops = crops_of(quantized, threads)
        ways += (BoxGate(dense, crops, difference) for difference in DIFFERENCES)
    except VideoQuantError as error:
        say(f"{clip.name}: no box gate: {error}")
    return [*ways, *(WithRegions(plan, floor, threads) for floor in FLOORS)]
