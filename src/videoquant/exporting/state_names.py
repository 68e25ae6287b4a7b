"""What state is called in exported files: a network's own, and that of a residual scheme in its two files.

A network's state is an input of its own name; an output with "next/" before that feeds it. Of a residual
scheme the keyframes' file gives it as outputs, the residual frames' takes inputs of the same names. Where
residual frames move it on, their file gives it under these names with "next/" before them.
"""

from __future__ import annotations

from videoquant.network.onnx_writer import NEXT
from videoquant.quantizers.placement import QuantizationPoint

STATE = "state/"


def reference_name(point: QuantizationPoint) -> str:
    """What a residual is the difference from: the input of a keyframe's layers."""
    return f"{STATE}reference/{point}"


def output_name(layer: str) -> str:
    """What a layer gave for it, to which the product of a residual is added."""
    return f"{STATE}output/{layer}"


def watched_name(value: str) -> str:
    """What predictors of residuals' ranges compare with."""
    return f"{STATE}watched/{value}"


def following(name: str) -> str:
    """The name under which residual frames give a part of the state to the next."""
    return f"{NEXT}{name}"


def is_state(name: str) -> bool:
    """Whether an output of a file is state, and no output of the network."""
    return name.startswith((NEXT, STATE))
