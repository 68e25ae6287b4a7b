"""Elementwise nodes as steps of a program: what happens to each value, in place, after its operator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videoquant.network.graph import Node
from videoquant.runtime.program import Combine, Function, Step

SYMMETRIC = ("add", "mul", "minimum", "maximum", "equal")
# The others have a step of the name r… that has its operand first. keep_where: a where b is not 0, else 0.
BINARY = (*SYMMETRIC, "sub", "div", "pow", "fmod", "greater", "greater_equal", "keep_where", "keep_unless")
# Functions by a formula of the engine's own, for the exponential and its like: they may round otherwise.
FREE_FUNCTIONS = {
    *("sigmoid", "silu", "gelu", "elu", "tanh", "exp", "log", "sqrt", "softplus", "mish", "erf"),
    *("sin", "cos", "pow", "rpow"),
}

ROUNDING = 1.5 * 2.0**23


def is_elementwise(node: Node) -> bool:
    """Whether a node can be a step of a program."""
    return node.op in UNARY or node.op in BINARY or node.op == "fake_quantize"


def function(node: Node, tensors: dict[str, Tensor], channels: int) -> list[Step]:
    """The steps of a node that reads one value. tensors: the node's own. channels: of the value."""
    if node.op == "fake_quantize":
        return _on_grid(**node.attributes)
    return [Function(node.op, UNARY[node.op](node.attributes, tensors, channels))]


def _on_grid(scale: float, zero_point: int, low: int, high: int) -> list[Step]:
    """Between −2²² and 2²² a sum with `ROUNDING` has no bits below 1: it is rounded, half to even."""
    ends: Attributes = {"lo": float(low - zero_point), "hi": float(high - zero_point)}
    rounded: list[Step] = [Combine("add", None, ROUNDING), Combine("sub", None, ROUNDING)]
    return [Combine("div", None, scale), Function("clamp", ends), *rounded, Combine("mul", None, scale)]


def combine(node: Node, running: int, slot: int | None, value: float | None) -> Combine:
    """The step of a node that reads two values.

    running: which of them, 0 or 1, is the program's own.
    slot, value: the other, a tensor or a number.
    """
    turned = running == 1 and node.op not in SYMMETRIC
    return Combine(f"r{node.op}" if turned else node.op, slot, value)


Attributes = dict[str, Any]
Translation = Callable[[Attributes, dict[str, Tensor], int], Attributes]


def _as_it_is(attributes: Attributes, tensors: dict[str, Tensor], channels: int) -> Attributes:
    return attributes


def _clamp(attributes: Attributes, tensors: dict[str, Tensor], channels: int) -> Attributes:
    low, high = attributes.get("min"), attributes.get("max")
    return {
        "lo": -math.inf if low is None else float(low),
        "hi": math.inf if high is None else float(high),
    }


def _prelu(attributes: Attributes, tensors: dict[str, Tensor], channels: int) -> Attributes:
    return {"slope": _per_channel(tensors["weight"], channels)}


def _affine(attributes: Attributes, tensors: dict[str, Tensor], channels: int) -> Attributes:
    return {key: _per_channel(tensors[key], channels) for key in ("weight", "bias")}


def _with_defaults(**defaults: Any) -> Translation:
    def translate(attributes: Attributes, tensors: dict[str, Tensor], channels: int) -> Attributes:
        return {name: attributes.get(name, default) for name, default in defaults.items()}

    return translate


def _per_channel(tensor: Tensor, channels: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.detach().float().expand(channels).numpy())


# By the network's operator, which is also the step's name: its attributes and tensors as the step has them.
UNARY: dict[str, Translation] = {
    "clamp": _clamp,
    "leaky_relu": _as_it_is,
    "prelu": _prelu,
    "hardswish": _as_it_is,
    "hardsigmoid": _with_defaults(alpha=1 / 6, beta=0.5),
    "sigmoid": _as_it_is,
    "silu": _as_it_is,
    "gelu": _with_defaults(approximate="none"),
    "elu": _with_defaults(alpha=1.0),
    "tanh": _as_it_is,
    **dict.fromkeys(("exp", "log", "sqrt", "abs", "floor", "ceil", "round", "trunc", "sign"), _as_it_is),
    **dict.fromkeys(("sin", "cos", "softplus", "mish", "erf"), _as_it_is),
    "affine": _affine,
}
