"""How files say that values are quantized: QuantizeLinear and DequantizeLinear, and operators on codes.

A network has no codes: what flows is what they stand for, and `Value.grid` says of which grid.
QuantizeLinear becomes `fake_quantize`, DequantizeLinear of what it gave nothing. An operator on codes
(QLinearConv) is read as what it is short for: DequantizeLinear, Conv, QuantizeLinear.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from videoquant.network.builder import OperatorContext, Value
from videoquant.network.onnx_constants import Constant
from videoquant.ranges.grid import Grid, check_scale

QUANTIZING = ("QuantizeLinear", "DequantizeLinear")
# The first and the last code of each type of codes.
SPANS = {"uint8": (0, 255), "int8": (-128, 127), "uint4": (0, 15), "int4": (-8, 7)}
# Operators that give some of the codes that they read, in other places.
MOVING = frozenset(
    (
        *("Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool"),
        *("Reshape", "Resize", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
    )
)
# Operators through which constants keep their scales.
RESHAPING = ("Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
MICROSOFT = "com.microsoft"


@dataclass(frozen=True)
class StoredScale:
    """What a file says of weights: w = (code − zero point) · scale.

    scale: float32, one, or one per index of an axis; of blocks it has several dimensions.
    zero_point: of codes counted from 0 on; None where it is not one for all.
    """

    scale: NDArray[np.float32]
    zero_point: int | None

    @classmethod
    def of(cls, codes: Any, scale: Any, zero: Any = None) -> StoredScale:
        """Of what DequantizeLinear reads, constants."""
        zeros = np.unique(np.zeros(1, np.int64) if zero is None else zero.astype(np.int64))
        first = SPANS.get(codes.dtype.name, (0, 0))[0]
        return cls(scale.astype(np.float32), int(zeros[0]) - first if len(zeros) == 1 else None)


def quantization(
    site: OperatorContext, op: str, inputs: Sequence[Value | Constant | None], attributes: dict[str, Any]
) -> Value:
    """QuantizeLinear or DequantizeLinear of a value that is computed at run time.

    With a scale for each channel the value is divided by these and its grid has scale 1; what its codes stand
    for is multiplied again.
    """
    x, scale, zero = (*inputs, None)[:3]
    assert isinstance(x, Value)
    if not isinstance(scale, np.ndarray) or not (zero is None or isinstance(zero, np.ndarray)):
        raise site.refuse("its scale is computed at run time; those are read that the file holds")
    scales: NDArray[np.float32] = np.asarray(scale, np.float32)
    by_channel = len(np.unique(scales)) > 1
    if by_channel and (
        scales.shape != x.shape[1:2] or attributes.get("axis", 1) not in (1, 1 - len(x.shape))
    ):
        raise site.refuse(
            f"it has {scales.size} scales; one, or one for each channel, is read of activations"
        )
    one = np.ones((), np.float32) if by_channel else scales
    if op == "DequantizeLinear":
        grid = _grid(site, one, zero, SPANS["uint8"] if x.grid is None else (x.grid.low, x.grid.high))
        if x.grid is None and zero is None:  # nothing says what numbers there are
            y = site.emit("mul", x, site.value(grid.scale))
        else:
            y = dequantized(site, x, grid)
        return _scaled(site, y, scales) if by_channel else y
    kind = attributes.get("output_dtype")
    span = SPANS.get(helper.tensor_dtype_to_np_dtype(kind).name if kind else "uint8", (0, 0))
    x, grid = as_numbers(site, x), _grid(site, one, zero, span)
    return quantized(site, _scaled(site, x, np.reciprocal(scales)) if by_channel else x, grid)


def _scaled(site: OperatorContext, x: Value, scale: NDArray[np.float32]) -> Value:
    """Each channel times a number."""
    tensors = {"weight": torch.from_numpy(scale), "bias": torch.zeros(len(scale))}
    return site.emit("affine", x, tensors=tensors, part="by_channel")


def _grid(site: OperatorContext, scale: Constant, zero: Constant | None, span: tuple[int, int]) -> Grid:
    """The grid of an activation. span: its codes, where no zero point says of which type they are."""
    low, high = span if zero is None else SPANS.get(zero.dtype.name, (0, 0))
    if low == high:
        kind = "of another type" if zero is None else zero.dtype.name
        raise site.refuse(f"its codes are {kind}; those of 8 or 4 bits are read")
    zeros = np.zeros(1, np.int64) if zero is None else zero.astype(np.int64)
    if len(np.unique(zeros)) != 1:
        raise site.refuse(f"it has {zeros.size} zero points; one for all channels is read of activations")
    grid = Grid(float(scale.flat[0]), int(zeros.flat[0]), low, high)
    check_scale(grid.scale, site.place)
    return grid


def quantized(site: OperatorContext, x: Value, grid: Grid) -> Value:
    """The codes of x. A value that is on the grid stays, and two quantizers that are alike are one."""
    nodes, own = site.builder.nodes, asdict(grid)
    alike = (n for n in nodes.values() if n.op == "fake_quantize" and n.attributes == own)
    for node in alike:
        if x.name in (node.name, *node.inputs):
            return replace(site.builder.known[node.name], grid=grid)
    return replace(site.emit("fake_quantize", x, **own), grid=grid)


def dequantized(site: OperatorContext, x: Value, grid: Grid) -> Value:
    """(x − zero point) · scale of codes, or of whole numbers such as pixels."""
    if x.grid == grid:
        return replace(x, grid=None)
    x = as_numbers(site, x)
    if grid.zero_point:
        x = site.emit("sub", x, site.value(float(grid.zero_point)), part="steps")
    y = site.emit("mul", x, site.value(grid.scale), part="values")
    return replace(quantized(site, y, grid), grid=None)


def as_numbers(site: OperatorContext, x: Value) -> Value:
    """Codes as what they are, for operators that compute with them."""
    if x.grid is None:
        return x
    # Of steps · scale, which is rounded, the quotient may miss the step in the last digit.
    y = site.emit("div", replace(x, grid=None), site.value(x.grid.scale), part="steps")
    if x.grid.zero_point:
        y = site.emit("add", y, site.value(float(x.grid.zero_point)), part="codes")
    return site.whole(y)


def without_codes(
    site: OperatorContext, op: str, inputs: Sequence[Value | Constant | None]
) -> tuple[list[Value | Constant | None], Grid | None]:
    """What an operator reads, without codes, and the grid of those that it gives where it only moves them."""
    values = [value for value in inputs if isinstance(value, Value)]
    grids = {value.grid for value in values}
    if grids == {None}:
        return list(inputs), None
    moves = op in MOVING and len(grids) == 1 and (op != "Concat" or len(values) == len(inputs))
    if not moves:
        return [as_numbers(site, value) if isinstance(value, Value) else value for value in inputs], None
    plain = [replace(value, grid=None) if isinstance(value, Value) else value for value in inputs]
    return plain, values[0].grid


def moved(site: OperatorContext, op: str, x: Value, grid: Grid) -> Value:
    """What an operator gave that moves codes; resizing weighs them, so that it has to round."""
    return quantized(site, x, grid) if op == "Resize" else replace(x, grid=grid)


def in_plain_words(node: NodeProto) -> NodeProto:
    """A node of ONNX Runtime's own QuantizeLinear, which files of old opsets have, as ONNX's."""
    if node.domain != MICROSOFT or node.op_type not in QUANTIZING:
        return node
    plain = NodeProto()
    plain.CopyFrom(node)
    plain.ClearField("domain")
    return plain


# Operators on codes, as what they are short for


@dataclass(frozen=True)
class _Product:
    """An operator of two quantized values: each is three inputs, the value, its scale and its zero point.

    op: that of the values themselves. axis: of the second one's scales. bias, output: the places of the bias
    and of the result's scale among the inputs.
    """

    op: str
    axis: int = 1
    bias: int | None = None
    output: int = 6


_PRODUCTS = {
    "QLinearConv": _Product("Conv", 0, bias=8),
    "QLinearMatMul": _Product("MatMul"),
    "QLinearAdd": _Product("Add"),
    "QLinearMul": _Product("Mul"),
    "QGemm": _Product("Gemm", bias=6, output=7),
}
_FUNCTIONS = ("AveragePool", "GlobalAveragePool", "LeakyRelu", "ReduceMean", "Sigmoid", "Softmax")


def expanded(op: str, node: NodeProto, x: Value | Constant | None) -> list[NodeProto]:
    """The nodes that an operator on codes is short for; none for every other.

    op: with its domain. x: what the node reads first.
    """
    op = op.removeprefix(f"{MICROSOFT}.")
    if op in _PRODUCTS:
        return list(_product(node, _PRODUCTS[op]))
    if op.removeprefix("QLinear") in _FUNCTIONS and op.startswith("QLinear"):
        return list(_function(node, op.removeprefix("QLinear")))
    if op == "QLinearConcat":
        return list(_concat(node))
    if op in ("ConvInteger", "MatMulInteger") and isinstance(x, Value) and x.grid is not None:
        return list(_integer(node, op.removesuffix("Integer"), x.grid))
    return []


def _product(node: NodeProto, of: _Product) -> Iterator[NodeProto]:
    given, attributes = list(node.input), _attributes(node)
    axis = 0 if attributes.get("transB") else of.axis
    reads = [_name(node, "a"), _name(node, "b")]
    yield helper.make_node("DequantizeLinear", given[:3], reads[:1])
    yield helper.make_node("DequantizeLinear", given[3:6], reads[1:], axis=axis)
    if of.bias is not None and given[of.bias : of.bias + 1] not in ([], [""]):
        scale, bias = _name(node, "bias.scale"), _name(node, "bias")
        yield helper.make_node("Mul", [given[1], given[4]], [scale])
        yield helper.make_node("DequantizeLinear", [given[of.bias], scale], [bias], axis=0)
        reads.append(bias)
    yield from _results(node, of.op, reads, given[of.output : of.output + 2], attributes)


def _function(node: NodeProto, op: str) -> Iterator[NodeProto]:
    given, attributes = list(node.input), _attributes(node)
    attributes.pop("opset", None)
    if not attributes.get("channels_last", 1):
        del attributes["channels_last"]
    yield helper.make_node("DequantizeLinear", given[:3], [_name(node, "a")])
    yield from _results(node, op, [_name(node, "a")], given[3:5], attributes)


def _concat(node: NodeProto) -> Iterator[NodeProto]:
    given, reads = list(node.input), []
    for place in range(2, len(given), 3):
        reads.append(_name(node, f"part{place}"))
        yield helper.make_node("DequantizeLinear", given[place : place + 3], reads[-1:])
    yield from _results(node, "Concat", reads, given[:2], _attributes(node))


def _results(
    node: NodeProto, op: str, reads: Sequence[str], grid: Sequence[str], attributes: dict[str, Any]
) -> Iterator[NodeProto]:
    """The operator itself and what quantizes its result; no grid: nothing does."""
    y = _name(node, "y") if grid else node.output[0]
    yield helper.make_node(op, reads, [y], name=node.name, **attributes)
    if grid:
        name = f"{node.name or node.output[0]}.quantized"
        yield helper.make_node("QuantizeLinear", [y, *grid], node.output[:1], name=name)


def _integer(node: NodeProto, op: str, grid: Grid) -> Iterator[NodeProto]:
    """Sums of products of codes: those of x̂ with weights of 1 / scale."""
    x, weight, zero, weight_zero = (*node.input, "", "")[:4]
    reads = [_name(node, "a"), _name(node, "b")]
    scales = (grid.scale, 1 / grid.scale)
    for value, of, number, y in zip((x, weight), (zero, weight_zero), scales, reads, strict=True):
        scale = numpy_helper.from_array(np.array(number, np.float32))
        yield helper.make_node("Constant", [], [f"{y}.scale"], value=scale)
        inputs = [value, f"{y}.scale", *([of] if of else [])]
        yield helper.make_node("DequantizeLinear", inputs, [y])
    yield helper.make_node(op, reads, node.output[:1], name=node.name, **_attributes(node))


def _name(node: NodeProto, part: str) -> str:
    """What a value inside an operator is called."""
    return f"{node.output[0]}.{part}"


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
