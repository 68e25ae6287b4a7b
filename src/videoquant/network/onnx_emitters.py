"""How each operator of a captured network is written in ONNX. One function per operator, as in `operators`.

A function gets the `OnnxGraphBuilder`, the names of the values that the node reads, then the node's tensors
and attributes by their names in `operators`. The operators that only move values are in `onnx_layout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor

from videoquant.network.onnx_graph_builder import OnnxEmitters, OnnxGraphBuilder

OPSET = 20  # the first that has Gelu

LOWEST = float(np.finfo(np.float32).min)

FORMS = OnnxEmitters()
form = FORMS.register


@form
def conv2d(
    sheet: OnnxGraphBuilder,
    x: str,
    *,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> None:
    window = {"strides": stride, "pads": padding, "dilations": dilation, "kernel_shape": weight.shape[2:]}
    sheet.write("Conv", x, *_parameters(sheet, weight, bias), group=groups, **window)


@form
def conv_transpose2d(
    sheet: OnnxGraphBuilder,
    x: str,
    *,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int],
    padding: Sequence[int],
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> None:
    window = {"strides": stride, "pads": padding, "dilations": dilation, "kernel_shape": weight.shape[2:]}
    window["output_padding"] = output_padding
    sheet.write("ConvTranspose", x, *_parameters(sheet, weight, bias), group=groups, **window)


@form
def linear(sheet: OnnxGraphBuilder, x: str, *, weight: Tensor, bias: Tensor | None = None) -> None:
    if len(sheet.shape) == 2:
        sheet.write("Gemm", x, *_parameters(sheet, weight, bias), transB=1)
        return
    matrix = sheet.tensor(weight.T, "weight")
    if bias is None:
        sheet.write("MatMul", x, matrix)
    else:
        sheet.write("Add", sheet.step("MatMul", x, matrix, part="product"), sheet.tensor(bias, "bias"))


@form
def affine(sheet: OnnxGraphBuilder, x: str, *, weight: Tensor, bias: Tensor) -> None:
    shape = (-1,) + (1,) * (len(sheet.shape) - 2)
    scaled = sheet.step("Mul", x, sheet.tensor(weight.view(shape), "weight"), part="scaled")
    sheet.write("Add", scaled, sheet.tensor(bias.view(shape), "bias"))


@form
def instance_norm(sheet: OnnxGraphBuilder, x: str, *, eps: float) -> None:
    channels = sheet.shapes[0][1]
    ones, zeros = sheet.tensor(torch.ones(channels), "ones"), sheet.tensor(torch.zeros(channels), "zeros")
    sheet.write("InstanceNormalization", x, ones, zeros, epsilon=eps)


@form
def constant(sheet: OnnxGraphBuilder, *, value: Tensor) -> None:
    sheet.write("Identity", sheet.tensor(value, "value"))


@form
def clamp(sheet: OnnxGraphBuilder, x: str, *, min: float | None = None, max: float | None = None) -> None:
    if (min, max) == (0, None):
        sheet.write("Relu", x)
        return
    limits = [sheet.number(v, part) if v is not None else "" for part, v in (("min", min), ("max", max))]
    sheet.write("Clip", x, *limits)


@form
def leaky_relu(sheet: OnnxGraphBuilder, x: str, *, slope: float) -> None:
    sheet.write("LeakyRelu", x, alpha=slope)


@form
def prelu(sheet: OnnxGraphBuilder, x: str, *, weight: Tensor) -> None:
    slopes = weight.view((-1,) + (1,) * (len(sheet.shape) - 2))
    sheet.write("PRelu", x, sheet.tensor(slopes, "weight"))


@form
def hardsigmoid(sheet: OnnxGraphBuilder, x: str, *, alpha: float = 1 / 6, beta: float = 0.5) -> None:
    sheet.write("HardSigmoid", x, alpha=alpha, beta=beta)


@form
def silu(sheet: OnnxGraphBuilder, x: str) -> None:
    sheet.write("Mul", x, sheet.step("Sigmoid", x, part="gate"))


@form
def gelu(sheet: OnnxGraphBuilder, x: str, *, approximate: str = "none") -> None:
    sheet.write("Gelu", x, approximate=approximate)


@form
def elu(sheet: OnnxGraphBuilder, x: str, *, alpha: float = 1.0) -> None:
    sheet.write("Elu", x, alpha=alpha)


@form
def fake_quantize(
    sheet: OnnxGraphBuilder, x: str, *, scale: float, zero_point: int, low: int, high: int
) -> None:
    kind = np.int8 if low < 0 else np.uint8
    if (low, high) != (np.iinfo(kind).min, np.iinfo(kind).max):
        ends = (sheet.number((code - zero_point) * scale, "end") for code in (low, high))
        x = sheet.step("Clip", x, *ends, part="clipped")
    grid = [sheet.number(scale, "scale"), sheet.tensor(np.array(zero_point, kind), "zero")]
    sheet.write("DequantizeLinear", sheet.step("QuantizeLinear", x, *grid, part="codes"), *grid)


@form
def round_to(sheet: OnnxGraphBuilder, x: str, *, dtype: str) -> None:
    narrow = TensorProto.FLOAT16 if dtype == "float16" else TensorProto.BFLOAT16
    sheet.write("Cast", sheet.step("Cast", x, part="narrow", to=narrow), to=TensorProto.FLOAT)


@form
def softmax(sheet: OnnxGraphBuilder, x: str, *, dim: int) -> None:
    sheet.write("Softmax", x, axis=dim)


@form
def max_pool2d(
    sheet: OnnxGraphBuilder,
    x: str,
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil: bool,
) -> None:
    if any(pad >= size for pad, size in zip(padding, [*kernel] * 2, strict=True)):
        # ONNX Runtime takes no such pads, which dilated windows can have.
        sides = sheet.integers([0, 0, *padding[:2], 0, 0, *padding[2:]], "sides")
        x = sheet.step("Pad", x, sides, sheet.number(LOWEST, "lowest"), part="padded")
        padding = [0, 0, 0, 0]
    window: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "pads": padding}
    sheet.write("MaxPool", x, dilations=dilation, ceil_mode=int(ceil), **window)


@form
def avg_pool2d(
    sheet: OnnxGraphBuilder,
    x: str,
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil: bool,
    count_padding: bool,
) -> None:
    window: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "pads": [*padding, *padding]}
    sheet.write("AveragePool", x, ceil_mode=int(ceil), count_include_pad=int(count_padding), **window)


@form
def adaptive_avg_pool2d(sheet: OnnxGraphBuilder, x: str, *, size: Sequence[int]) -> None:
    if tuple(size) == (1, 1):
        sheet.write("GlobalAveragePool", x)
        return
    (height, width), (rows, columns) = sheet.shapes[0][2:], size
    if height % rows or width % columns:
        raise sheet.refuse(f"ONNX cannot pool {height}×{width} to {rows}×{columns}, windows of unequal size")
    window = [height // rows, width // columns]
    sheet.write("AveragePool", x, kernel_shape=window, strides=window)


@form
def mean(sheet: OnnxGraphBuilder, x: str, *, dims: Sequence[int], keepdim: bool) -> None:
    sheet.write("ReduceMean", x, sheet.integers(dims, "dims"), keepdims=int(keepdim))


@form
def amax(sheet: OnnxGraphBuilder, x: str, *, dims: Sequence[int], keepdim: bool) -> None:
    sheet.write("ReduceMax", x, sheet.integers(dims, "dims"), keepdims=int(keepdim))


@form
def amin(sheet: OnnxGraphBuilder, x: str, *, dims: Sequence[int], keepdim: bool) -> None:
    sheet.write("ReduceMin", x, sheet.integers(dims, "dims"), keepdims=int(keepdim))


@form
def sum(sheet: OnnxGraphBuilder, x: str, *, dims: Sequence[int], keepdim: bool) -> None:
    sheet.write("ReduceSum", x, sheet.integers(dims, "dims"), keepdims=int(keepdim))


@form
def group_norm(sheet: OnnxGraphBuilder, x: str, *, groups: int, eps: float) -> None:
    shape = sheet.shapes[0]
    parts = sheet.step("Reshape", x, sheet.integers([0, groups, -1], "groups"), part="parts")
    ones, zeros = sheet.tensor(torch.ones(groups), "ones"), sheet.tensor(torch.zeros(groups), "zeros")
    even = sheet.step("InstanceNormalization", parts, ones, zeros, part="normalized", epsilon=eps)
    sheet.write("Reshape", even, sheet.integers([0, *shape[1:]], "shape"))


@form
def layer_norm(sheet: OnnxGraphBuilder, x: str, *, dims: int, eps: float) -> None:
    ones = sheet.tensor(torch.ones(sheet.shape[-dims:]), "ones")
    sheet.write("LayerNormalization", x, ones, axis=-dims, epsilon=eps)


@form
def trunc(sheet: OnnxGraphBuilder, x: str) -> None:
    whole = sheet.step("Floor", sheet.step("Abs", x, part="abs"), part="whole")
    sheet.write("Mul", whole, sheet.step("Sign", x, part="sign"))


@form
def fmod(sheet: OnnxGraphBuilder, a: str, b: str) -> None:
    sheet.write("Mod", a, b, fmod=1)


def _comparison(op: str, onnx: str) -> None:
    """A truth value, as the number that it is here."""

    def write(sheet: OnnxGraphBuilder, a: str, b: str) -> None:
        sheet.write("Cast", sheet.step(onnx, a, b, part="truth"), to=TensorProto.FLOAT)

    FORMS[op] = write


_comparison("equal", "Equal")
_comparison("greater", "Greater")
_comparison("greater_equal", "GreaterOrEqual")


@form
def where(sheet: OnnxGraphBuilder, condition: str, a: str, b: str) -> None:
    truth = sheet.step("Cast", condition, part="truth", to=TensorProto.BOOL)
    sheet.write("Where", truth, a, b)


def _parameters(sheet: OnnxGraphBuilder, weight: Tensor, bias: Tensor | None) -> list[str]:
    names = [sheet.tensor(weight, "weight")]
    return names if bias is None else [*names, sheet.tensor(bias, "bias")]


def _same_name(op: str, onnx: str) -> None:
    """An operator without attributes that means the same in ONNX."""

    def write(sheet: OnnxGraphBuilder, *inputs: str) -> None:
        sheet.write(onnx, *inputs)

    FORMS[op] = write


for _op in (
    *("add", "sub", "mul", "div", "sigmoid", "tanh", "erf", "exp", "log", "sqrt", "abs", "sign", "floor"),
    *("ceil", "round", "sin", "cos", "softplus", "mish", "pow"),
):
    _same_name(_op, _op.capitalize())
for _op, _onnx in (("hardswish", "HardSwish"), ("minimum", "Min"), ("maximum", "Max"), ("matmul", "MatMul")):
    _same_name(_op, _onnx)
