"""Nodes that read maps 1×C×H×W and are neither layers nor elementwise, as operators of a plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from videoquant.network.graph import Node
from videoquant.runtime.operators.spatial import source_step

Shape = Sequence[int]
# Kinds that add float32 values, each in an order of its own: engine and simulation may round otherwise.
# And those below that say so.
FREE_KINDS = {
    "fconv", "fconv_transpose", "global_pool", "global_sum",
    "softmax", "layer_norm", "instance_norm", "matmul", "grid_sample",
}  # fmt: skip


class CannotLower(Exception):
    """Why a node is no operator of a plan."""


@dataclass(frozen=True)
class Operator:
    """What a node becomes: the kind, attributes and tensors of its `Op`; where it stands is not said yet."""

    kind: str
    attrs: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, NDArray[Any]] = field(default_factory=dict)


Translation = Callable[[dict[str, Any], Sequence[Shape], Shape], Operator]
_TRANSLATIONS: dict[str, Translation] = {}


def operator(node: Node, inputs: Sequence[Shape], output: Shape) -> Operator:
    """The operator of a node. inputs, output: the shapes of what it reads and gives. Raises `CannotLower`."""
    translate = _TRANSLATIONS.get(node.op)
    if translate is None:
        raise CannotLower(f"{node.op} is no operator of the engine")
    return translate(node.attributes, inputs, output)


def _of(op: str, free: Sequence[str] = ()) -> Callable[[Translation], Translation]:
    """Enters a translation of an operator of networks. free: the kinds it gives that add float32 values."""

    def enter(translation: Translation) -> Translation:
        _TRANSLATIONS[op] = translation
        FREE_KINDS.update(free)
        return translation

    return enter


@_of("max_pool2d")
def _max_pool(attributes: dict[str, Any], inputs: Sequence[Shape], output: Shape) -> Operator:
    return Operator("max_pool", {key: attributes[key] for key in ("kernel", "stride", "padding", "dilation")})


@_of("avg_pool2d", free=["avg_pool"])
def _avg_pool(attributes: dict[str, Any], inputs: Sequence[Shape], output: Shape) -> Operator:
    attrs = {key: attributes[key] for key in ("kernel", "stride", "count_padding")}
    return Operator("avg_pool", attrs | {"padding": list(attributes["padding"]) * 2})


@_of("adaptive_avg_pool2d", free=["adaptive_avg_pool"])
def _adaptive_avg_pool(attributes: dict[str, Any], inputs: Sequence[Shape], output: Shape) -> Operator:
    if list(attributes["size"]) == [1, 1]:
        return Operator("global_pool")
    return Operator("adaptive_avg_pool", {"size": list(attributes["size"])})


@_of("resize")
def _resize(attributes: dict[str, Any], inputs: Sequence[Shape], output: Shape) -> Operator:
    if attributes["mode"] == "bicubic":
        raise CannotLower("cubic resizing is no operator of the engine")
    corners = bool(attributes.get("align_corners", False))
    scales = attributes.get("scale") or (None, None)
    steps = [
        source_step(before, after, scale, corners)
        for before, after, scale in zip(inputs[0][2:], output[2:], scales, strict=True)
    ]
    return Operator(
        "resize",
        {"mode": attributes["mode"], "align_corners": corners, "scale_h": steps[0], "scale_w": steps[1]},
    )


@_of("pixel_shuffle")
def _pixel_shuffle(attributes: dict[str, Any], inputs: Sequence[Shape], output: Shape) -> Operator:
    return Operator(
        "pixel_shuffle", {"factor": attributes["factor"], "order": attributes.get("order", "CRD")}
    )


@_of("pad")
def _pad(attributes: dict[str, Any], inputs: Sequence[Shape], output: Shape) -> Operator:
    amounts = attributes["padding"]  # from the last dimension to the first
    by_dim = {len(inputs[0]) - 1 - i: amounts[2 * i : 2 * i + 2] for i in range(len(amounts) // 2)}
    if any(by_dim.get(0, ())):
        raise CannotLower("a batch cannot be padded")
    (front, back), (top, bottom), (left, right) = (by_dim.get(dim, (0, 0)) for dim in (1, 2, 3))
    sides = {"t": top, "l": left, "b": bottom, "r": right, "front": front, "back": back}
    return Operator("pad", {**sides, "mode": attributes["mode"], "value": attributes.get("value", 0.0)})
