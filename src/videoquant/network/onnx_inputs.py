"""The picture that an ONNX file reads: N×C×H×W or N×H×W×C, of a fixed size or one that is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from videoquant.errors import NetworkError
from videoquant.limits import check_size
from videoquant.network.onnx_operators import FLOATS

UINT8 = onnx.TensorProto.UINT8
CHANNELS = (1, 3, 4)  # of a picture
SMALLEST_SIDE = 8  # of an input that is taken for a picture by its sizes alone
POINTWISE = ("Add", "Cast", "Clip", "Div", "Identity", "Mul", "Sub")  # what may come before the first layer
# Operators whose second dimension is the channels, always.
CHANNELS_FIRST = (
    *("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "DepthToSpace", "SpaceToDepth", "GridSample"),
    *("MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool"),
    *("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN"),
)


@dataclass(frozen=True)
class ImageInput:
    """What a file reads.

    name: in the file.
    shape: N×C×H×W of it, however the file orders it.
    channels_last: the file has it as N×H×W×C.
    bytes: the file takes uint8, so pixels as they are.
    """

    name: str
    shape: tuple[int, ...]
    channels_last: bool
    bytes: bool


def image_input(
    path: Path,
    graph: onnx.GraphProto,
    name: str,
    size: tuple[int, int] | None,
    usual: tuple[int, int] | None,
) -> ImageInput:
    """The input of a graph that has this name.

    size: (height, width) that it is to have; usual: that of a dynamic one otherwise.
    A dynamic batch is one frame, a dynamic number of channels three. Raises `NetworkError`.
    """
    kind = next(value for value in graph.input if value.name == name).type.tensor_type
    shape = dimensions(kind)
    if len(shape) != 4 or kind.elem_type not in (*FLOATS, UINT8):
        of = f"{onnx.TensorProto.DataType.Name(kind.elem_type).lower()} of {len(shape)} dimensions"
        raise NetworkError(f"{path}: input {name!r} must be float or uint8, N×C×H×W or N×H×W×C; it is {of}")
    last = _channels_last(graph, name, shape)
    batch, channels, *sides = [shape[0], shape[3], *shape[1:3]] if last else shape
    if size is not None:
        sides = list(size)
    elif not all(sides):
        if usual is None:
            text = "×".join(str(side) if side else "any" for side in sides)
            raise NetworkError(
                f"{path}: input {name!r} has a dynamic size ({text}); give one, --size HxW (size= in Python)"
            )
        sides = list(usual)
    whole = (max(batch, 1), channels or 3, *sides)
    check_size(4 * math.prod(whole), f"{path}: input {name!r} of {'×'.join(map(str, whole))}", NetworkError)
    return ImageInput(name, whole, last, kind.elem_type == UINT8)


def dimensions(kind: onnx.TypeProto.Tensor) -> list[int]:
    """The sizes of an input; 0 for a dynamic one."""
    return [max(dim.dim_value, 0) for dim in kind.shape.dim]


def _channels_last(graph: onnx.GraphProto, name: str, shape: Sequence[int]) -> bool:
    """Whether the input is N×H×W×C: by the first thing that is done with it, or by its sizes."""
    if shape[3] not in CHANNELS:
        return False
    values = {name}
    for node in graph.node:
        if not values.isdisjoint(node.input):
            if node.op_type in CHANNELS_FIRST:
                return False
            order = next((list(a.ints) for a in node.attribute if a.name == "perm"), [])
            if node.op_type == "Transpose" and order == [0, 3, 1, 2]:
                return True
            if node.op_type in POINTWISE:
                values.update(node.output)
    sides = [side for side in shape[1:3] if side]
    return shape[1] not in CHANNELS and min(sides, default=SMALLEST_SIDE) >= SMALLEST_SIDE
