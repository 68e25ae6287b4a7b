"""Elementwise nodes as steps of a fused program: what happens to each value, in place, after its operator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from videoquant.network.graph import Node

UNARY = (
    *("clamp", "leaky_relu", "prelu", "hardswish", "hardsigmoid", "sigmoid", "silu", "gelu", "elu"),
    *("tanh", "erf", "affine"),
)
BINARY = ("add", "sub", "mul", "div")


def is_elementwise(node: Node) -> bool:
    """Whether a node can be a step of a program."""
    return node.op in UNARY or node.op in BINARY


def unary_step(node: Node, tensors: dict[str, Tensor], channels: int) -> dict[str, Any]:
    """The step of a node that reads one value. tensors: the node's own. channels: of the value."""
    attributes: dict[str, Any] = node.attributes
    match node.op:
        case "clamp":
            low, high = attributes.get("min"), attributes.get("max")
            return {
                "do": "clamp",
                "lo": -math.inf if low is None else float(low),
                "hi": math.inf if high is None else float(high),
            }
        case "prelu":
            return {"do": "prelu", "slope": _per_channel(tensors["weight"], channels)}
        case "affine":
            return {"do": "affine"} | {
                key: _per_channel(tensors[key], channels) for key in ("weight", "bias")
            }
        case "hardsigmoid":
            return {
                "do": "hardsigmoid",
                "alpha": attributes.get("alpha", 1 / 6),
                "beta": attributes.get("beta", 0.5),
            }
        case "gelu":
            return {"do": "gelu", "approximate": attributes.get("approximate", "none")}
        case "elu":
            return {"do": "elu", "alpha": attributes.get("alpha", 1.0)}
    return {"do": node.op, **attributes}


def binary_step(node: Node, running: int, operand: dict[str, Any]) -> dict[str, Any]:
    """The step of a node that reads two values.

    running: which of them, 0 or 1, is the program's own. operand: the other, {"slot": …} or {"value": …}.
    """
    turned = running == 1 and node.op in ("sub", "div")
    return {"do": f"r{node.op}" if turned else node.op, **operand}


def _per_channel(tensor: Tensor, channels: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.ascontiguousarray(tensor.detach().float().expand(channels).numpy())
