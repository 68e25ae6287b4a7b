"""Which values of a network lie where its input does, so that a region says which of their pixels are new.

A map lies in its place where pixel (y, x) of h×w looks at the input around row (y + ½) · H/h and column
(x + ½) · W/w, as `Region.mask` takes it. What moves pixels away from there by more than a block, and what
orders values in another way, is *placeless*, as is all that follows it: it is computed anew in full. Every
operator counts for itself: windows without padding move a map by a pixel or two each, for which margins make
up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

BLOCK = 16  # input pixels that an operator may move a map by, where that is more than a pixel of the map

# Operators that make each element of those at its place: of maps of one size that are held, they give what
# would be held of theirs.
POINTWISE = frozenset(
    (
        *("constant", "affine", "add", "sub", "mul", "div", "clamp", "leaky_relu", "prelu", "hardswish"),
        *("hardsigmoid", "sigmoid", "silu", "gelu", "elu", "tanh", "erf", "round_to", "exp", "log", "sqrt"),
        *("abs", "sign", "floor", "ceil", "round", "trunc", "sin", "cos", "softplus", "mish", "pow", "fmod"),
        *("minimum", "maximum", "equal", "greater", "greater_equal", "where", "fake_quantize"),
    )
)
# Operators whose output pixels lie where their input's do, whatever their attributes.
_STAYING = POINTWISE | {
    "adaptive_avg_pool2d",
    "resize",
    "pixel_shuffle",
    "instance_norm",
    "group_norm",
    "state",
}


class Operation(Protocol):
    """What is read of a network's node (`network.graph.Node`)."""

    @property
    def name(self) -> str: ...

    @property
    def op(self) -> str: ...

    @property
    def inputs(self) -> tuple[str, ...]: ...

    @property
    def attributes(self) -> dict[str, Any]: ...


def has_map(shape: Sequence[int]) -> bool:
    """Whether a value is a map N×C×H×W of more than one pixel."""
    return len(shape) == 4 and shape[2] * shape[3] > 1


def placeless(
    nodes: Iterable[Operation],
    shapes: Mapping[str, Sequence[int]],
    size: tuple[int, int],
    kernels: Mapping[str, tuple[int, int]],
) -> frozenset[str]:
    """The names of the nodes whose values are placeless.

    nodes: of the network, in the order they run. shapes: of every value, the input's among them.
    size: (H, W) of the network's input. kernels: (height, width) of each convolution's, by its name.
    A value without a map has no place to lose: what is computed of it alone lies where its own map does.
    """
    found: set[str] = set()
    for node in nodes:
        if _is_vector(shapes[node.name]):
            continue
        if any(value in found for value in node.inputs) or not _stays(node, shapes, size, kernels):
            found.add(node.name)
    return frozenset(found)


def _is_vector(shape: Sequence[int]) -> bool:
    """Whether a value is N×C or N×C×1×1, which is computed anew in any case."""
    return math.prod(shape[2:]) == 1


def _stays(
    node: Operation,
    shapes: Mapping[str, Sequence[int]],
    size: tuple[int, int],
    kernels: Mapping[str, tuple[int, int]],
) -> bool:
    """Whether a node gives a map that lies where the maps do that it reads."""
    given = shapes[node.name]
    read = [shapes[value] for value in node.inputs]
    if any(len(shape) != 4 and not _is_vector(shape) for shape in (given, *read)):
        return False
    if node.op in _STAYING:
        return True
    attributes = node.attributes
    if node.op in ("concat", "softmax"):
        return bool(attributes["dim"] == 1)
    if node.op in (
        "mean",
        "amax",
        "amin",
        "sum",
    ):  # over a row or a column, whose windows a mask of one pixel meets
        return bool(attributes["keepdim"])
    if node.op not in _LINES:
        return False
    for axis in (0, 1):
        before, after = read[0][2 + axis], given[2 + axis]
        step, first = _LINES[node.op](attributes, axis, kernels.get(node.name, (1, 1))[axis])
        for place in (0, after - 1):
            moved = first + step * place - ((place + 0.5) * before / after - 0.5)
            if abs(moved) > max(1, BLOCK * before / size[axis]):
                return False
    return True


# Of an axis (0 rows, 1 columns), (step, first): output pixel y looks at the input around first + step · y.


def _window(attributes: dict[str, Any], axis: int, kernel: int) -> tuple[float, float]:
    kernel = attributes.get("kernel", (kernel, kernel))[axis]
    dilation = attributes.get("dilation", (1, 1))[axis]
    return attributes["stride"][axis], (kernel - 1) * dilation / 2 - attributes["padding"][axis]


def _transposed(attributes: dict[str, Any], axis: int, kernel: int) -> tuple[float, float]:
    step, first = _window(attributes, axis, kernel)
    return 1 / step, -first / step


def _slice(attributes: dict[str, Any], axis: int, kernel: int) -> tuple[float, float]:
    if attributes["dim"] != 2 + axis:
        return 1, 0
    return attributes.get("step", 1), attributes["start"]


def _pad(attributes: dict[str, Any], axis: int, kernel: int) -> tuple[float, float]:
    amounts = attributes["padding"]  # from the last dimension to the first
    side = 2 * (1 - axis)
    return 1, -amounts[side] if side < len(amounts) else 0


_LINES = {
    "conv2d": _window,
    "max_pool2d": _window,
    "avg_pool2d": _window,
    "conv_transpose2d": _transposed,
    "slice": _slice,
    "pad": _pad,
}
