"""How ONNX operators become nodes: activations and casts. One function per operator.

A function's parameters are the operator's inputs, then its attributes with their defaults, by ONNX's own
names; what may be either, depending on the opset, can be passed both ways. The other operators are in
`onnx_layers`, `onnx_math`, `onnx_pools`, `onnx_select` and `onnx_shapes`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from videoquant.network.builder import Argument, OperatorContext, OperatorRegistry, Value

ELEMENTWISE = OperatorRegistry()
_onnx = ELEMENTWISE.register

INTEGERS = (2, 3, 4, 5, 6, 7, 12, 13)  # TensorProto.UINT8, INT8, …, UINT64
BOOL = 9  # TensorProto.BOOL
FLOATS = (1, 10, 11, 16)  # TensorProto.FLOAT, FLOAT16, DOUBLE, BFLOAT16
ROUNDED = {10: "float16", 16: "bfloat16"}  # the types whose numbers are not those of float32
UNBOUNDED = 3e38  # older files write "no limit" as the largest float32


@_onnx("PRelu")
def prelu(site: OperatorContext, x: Value, slope: Argument) -> Value:
    weight = site.fixed(slope, "slopes")
    shape = (1,) * (len(x.shape) - weight.dim()) + tuple(weight.shape)
    if len(shape) > len(x.shape) or weight.numel() not in (1, *shape[1:2]):
        raise site.refuse(
            f"slopes of shape {tuple(weight.shape)} are not supported; give one, or one per channel"
        )
    return site.emit("prelu", x, tensors={"weight": weight.flatten()})


def limit(site: OperatorContext, argument: Argument | None) -> float | None:
    """One side of a Clip."""
    if argument is None:
        return None
    tensor = site.fixed(argument, "limits")
    if tensor.numel() != 1 or bool(tensor.isnan().any()):
        raise site.refuse(f"a limit must be one number; it is {tensor.tolist()}"[:200])
    return float(tensor)


@_onnx("Clip")
def clip(site: OperatorContext, x: Value, min: Argument | None = None, max: Argument | None = None) -> Value:
    low, high = limit(site, min), limit(site, max)
    limits: dict[str, Any] = {}
    if low is not None and low > -UNBOUNDED:
        limits["min"] = low
    if high is not None and high < UNBOUNDED:
        limits["max"] = high
    if any(math.isinf(number) for number in limits.values()):
        raise site.refuse(f"its limits {low} and {high} leave nothing finite")
    return site.emit("clamp", x, **limits) if limits else x


@_onnx("Relu")
def relu(site: OperatorContext, x: Value) -> Value:
    return site.emit("clamp", x, min=0.0)


@_onnx("LeakyRelu")
def leaky_relu(site: OperatorContext, x: Value, *, alpha: float = 0.01) -> Value:
    return site.emit("leaky_relu", x, slope=alpha)


@_onnx("HardSigmoid")
def hard_sigmoid(site: OperatorContext, x: Value, *, alpha: float = 0.2, beta: float = 0.5) -> Value:
    return site.emit("hardsigmoid", x, alpha=alpha, beta=beta)


@_onnx("Elu")
def elu(site: OperatorContext, x: Value, *, alpha: float = 1.0) -> Value:
    return site.emit("elu", x, alpha=alpha)


@_onnx("Gelu")
def gelu(site: OperatorContext, x: Value, *, approximate: str = "none") -> Value:
    return site.emit("gelu", x, approximate=approximate)


@_onnx("Softmax")
def softmax(site: OperatorContext, x: Value, *, axis: int | None = None) -> Value:
    rank = len(x.shape)
    dim = site.axis((-1 if site.opset >= 13 else 1) if axis is None else axis, rank)
    if site.opset < 13 and math.prod(x.shape[dim + 1 :]) > 1:
        raise site.refuse("a softmax over several dimensions at once is not supported; export with opset 13")
    return site.emit("softmax", x, dim=dim)


@_onnx("Identity")
def identity(site: OperatorContext, x: Value) -> Value:
    return x


@_onnx("Dropout")
def dropout(
    site: OperatorContext, x: Value, ratio: Any = 0.5, training_mode: Tensor | None = None, *, seed: int = 0
) -> Value:
    if training_mode is not None and bool(torch.any(site.fixed(training_mode, "training_mode"))):
        raise site.refuse("a dropout in training mode is not supported; export the network in eval mode")
    return x


@_onnx("Cast")
def cast(site: OperatorContext, x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Value:
    """Integers are floats without a fraction, truth values 0 and 1."""
    if to in INTEGERS:
        return x if x.whole else site.whole(site.emit("trunc", x))
    if to == BOOL:
        none = site.emit("equal", x, site.value(0.0), part="none")
        return site.emit("sub", site.value(1.0), none)
    if to not in FLOATS:
        raise site.refuse("a cast of activations to this type is not supported")
    if to in ROUNDED:
        return site.emit("round_to", x, dtype=ROUNDED[to])
    return replace(x, whole=False)
