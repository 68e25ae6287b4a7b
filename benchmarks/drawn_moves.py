"""Random single ONNX operators that move, cut, join or resample values; others are in `drawn_operators`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.drawn_operators import GENERATORS, Dice, Drawn, _drawn

PLACES = ("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
SCALES = (0.5, 1.0, 2.0, 3.0, 1.5, 0.7, 2.3, 1.05, 0.25, 0.33, 4.0, 1.99)


def _scale(dice: Dice, size: int) -> float:
    """A factor as people write it, or as an exporter computes it from two sizes."""
    return float(dice.one(SCALES)) if dice.chance(0.5) else dice.whole(1, 40) / size


@_drawn
def draw_Resize(dice: Dice) -> Drawn:
    opset = int(dice.one([10, 11, 13, 18, 19]))
    x = (dice.one([1, 1, 2]), dice.whole(1, 4), dice.whole(1, 24), dice.whole(1, dice.one([24, 24, 24, 100])))
    attributes: dict[str, Any] = {"mode": dice.one(["nearest", "linear"])}
    scales = np.array([1, 1, *(_scale(dice, size) for size in x[2:])], np.float32)
    if dice.chance(0.03):
        attributes["mode"] = "cubic"
    if opset == 10:
        return Drawn("Resize", x, ["x", scales], attributes, opset=opset)
    places = [*PLACES, "tf_half_pixel_for_nn"] if opset < 13 else [*PLACES]
    places += ["half_pixel_symmetric"] if opset >= 19 else []
    if dice.chance(0.9):
        attributes["coordinate_transformation_mode"] = dice.one(places)
    if dice.chance(0.7):
        attributes["nearest_mode"] = dice.one(ROUNDINGS)
    if opset >= 18 and dice.chance(0.1):
        attributes["antialias"] = dice.whole(0, 1)
    if opset >= 18 and dice.chance(0.1):
        attributes["keep_aspect_ratio_policy"] = dice.one(["stretch", "not_larger", "not_smaller"])
    roi = np.array([], np.float32) if dice.chance(0.3) or opset < 13 else None
    if dice.chance(0.5):
        chosen = scales
        if opset >= 18 and dice.chance(0.3):
            attributes["axes"], chosen = dice.one([([2, 3], scales[2:]), ([-1, -2], scales[:1:-1])])
        return Drawn("Resize", x, ["x", roi, chosen], attributes, opset=opset)
    sizes = np.array([*x[:2], dice.whole(1, 40), dice.whole(1, 40)], np.int64)
    if opset >= 18 and dice.chance(0.3):
        attributes["axes"], sizes = dice.one([([2, 3], sizes[2:]), ([-1, -2], sizes[:1:-1])])
    empty = np.array([], np.float32) if opset < 13 else None
    return Drawn("Resize", x, ["x", roi, empty, sizes], attributes, opset=opset)


@_drawn
def draw_Upsample(dice: Dice) -> Drawn:
    x, opset = dice.image(), int(dice.one([7, 8, 9]))
    scales = [1.0, 1.0, dice.one([1.0, 2.0, 3.0, 1.5, 2.3]), dice.one([1.0, 2.0, 3.0, 1.5])]
    attributes: dict[str, Any] = {"mode": dice.one(["nearest", "nearest", "linear"])}
    if opset < 9:
        return Drawn("Upsample", x, ["x"], attributes | {"scales": scales}, opset=opset)
    return Drawn("Upsample", x, ["x", np.array(scales, np.float32)], attributes, opset=opset)


@_drawn
def draw_DepthToSpace(dice: Dice) -> Drawn:
    block, opset = dice.whole(1, 3), dice.opset()
    channels = block * block * dice.whole(1, 3) + (1 if dice.chance(0.03) else 0)
    attributes: dict[str, Any] = {"blocksize": block}
    if opset >= 11 and dice.chance(0.7):
        attributes["mode"] = dice.one(["DCR", "CRD"])
    x = (dice.whole(1, 2), channels, dice.whole(1, 5), dice.whole(1, 5))
    return Drawn("DepthToSpace", x, ["x"], attributes, opset=opset)


@_drawn
def draw_Reshape(dice: Dice) -> Drawn:
    opset = dice.opset()
    x = tuple(dice.one([1, 2, 3, 4, 6]) for _ in range(dice.whole(1, 5)))
    sizes = list(x)
    for _ in range(dice.whole(0, 3)):  # neighbours joined, a size split, ones put in
        at = dice.whole(0, len(sizes) - 1)
        match dice.whole(0, 2):
            case 0 if at + 1 < len(sizes):
                sizes[at : at + 2] = [sizes[at] * sizes[at + 1]]
            case 1 if sizes[at] % 2 == 0:
                sizes[at : at + 1] = [2, sizes[at] // 2]
            case _:
                sizes.insert(at, 1)
    if dice.chance(0.5):
        sizes[dice.whole(0, len(sizes) - 1)] = -1
    if dice.chance(0.4):
        sizes = [0 if i < len(x) and n == x[i] and dice.chance(0.5) else n for i, n in enumerate(sizes)]
    if dice.chance(0.05):
        sizes[dice.whole(0, len(sizes) - 1)] += 1
    if dice.chance(0.03) and math.prod(x) == 1:
        sizes = []
    attributes = {"allowzero": dice.whole(0, 1)} if opset >= 14 and dice.chance(0.2) else {}
    return Drawn("Reshape", x, ["x", np.array(sizes, np.int64)], attributes, opset=opset)


@_drawn
def draw_Flatten(dice: Dice) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    low = -len(x) if opset >= 11 else 0
    high = len(x) + int(dice.chance(0.03))
    attributes = {"axis": dice.whole(low, high)} if dice.chance(0.8) else {}
    return Drawn("Flatten", x, ["x"], attributes, opset=opset)


def _with_axes(dice: Dice, op: str, x: tuple[int, ...], axes: list[int] | None, opset: int) -> Drawn:
    """Squeeze and Unsqueeze: axes are an attribute up to opset 12, an input from 13 on."""
    if axes is None:
        return Drawn(op, x, ["x"], opset=opset)
    if opset < 13:
        return Drawn(op, x, ["x"], {"axes": axes}, opset=opset)
    return Drawn(op, x, ["x", np.array(axes, np.int64)], opset=opset)


@_drawn
def draw_Squeeze(dice: Dice) -> Drawn:
    opset = dice.opset()
    x = tuple(dice.one([1, 1, 2, 3]) for _ in range(dice.whole(1, 5)))
    ones = [i for i, n in enumerate(x) if n == 1]
    if not ones or dice.chance(0.2):
        return _with_axes(dice, "Squeeze", x, None, opset)
    axes = dice.numbers.permutation(ones)[: dice.whole(1, len(ones))].tolist()
    if dice.chance(0.05):
        axes = [dice.axis(len(x), opset)]
    if opset >= 11:
        axes = [a - len(x) if a >= 0 and dice.chance(0.4) else a for a in axes]
    return _with_axes(dice, "Squeeze", x, axes, opset)


@_drawn
def draw_Unsqueeze(dice: Dice) -> Drawn:
    x, opset, more = dice.shape(1, 3), dice.opset(), dice.whole(1, 3)
    axes = dice.numbers.permutation(len(x) + more)[:more].tolist()
    if dice.chance(0.03):
        axes[0] = len(x) + more
    if opset >= 11:
        axes = [a - len(x) - more if dice.chance(0.4) else a for a in axes]
    return _with_axes(dice, "Unsqueeze", x, axes, opset)


@_drawn
def draw_Transpose(dice: Dice) -> Drawn:
    x = dice.shape()
    attributes = {"perm": dice.numbers.permutation(len(x)).tolist()} if dice.chance(0.8) else {}
    if attributes and dice.chance(0.03):
        attributes["perm"][0] = attributes["perm"][-1]
    return Drawn("Transpose", x, ["x"], attributes, opset=dice.opset())


@_drawn
def draw_Concat(dice: Dice) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    axis = dice.axis(len(x), opset)
    other = [n if i != axis % len(x) else dice.whole(1, 4) for i, n in enumerate(x)]
    if dice.chance(0.03):
        other[0] += 1
    constant = dice.floats(*other)
    inputs = dice.one([["x"], ["x", "x"], ["x", constant], [constant, "x"], ["x", constant, "x"]])
    return Drawn("Concat", x, inputs, {"axis": axis}, opset=opset)


@_drawn
def draw_Slice(dice: Dice) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    axes = dice.axes(len(x), opset, negative_from=10)
    sizes = [x[a % len(x)] for a in axes]
    starts = [dice.one([0, dice.whole(0, n), dice.whole(-n - 2, n + 1)]) for n in sizes]
    far = [2**31 - 1, 2**63 - 1, -(2**63), -1]
    ends = [dice.one([n, dice.whole(-n - 2, n + 2), dice.one(far)]) for n in sizes]
    if opset < 10:
        attributes = {"starts": starts, "ends": ends} | ({"axes": axes} if dice.chance(0.8) else {})
        return Drawn("Slice", x, ["x"], attributes, opset=opset)
    inputs: list[Any] = ["x", np.array(starts, np.int64), np.array(ends, np.int64)]
    if dice.chance(0.8):
        inputs.append(np.array(axes, np.int64))
    elif dice.chance(0.5):
        inputs.append(None)
    if len(inputs) == 4 and dice.chance(0.5):
        inputs.append(np.array([dice.one([1, 1, 2, 3, -1, -2]) for _ in axes], np.int64))
    return Drawn("Slice", x, inputs, opset=opset)


@_drawn
def draw_Split(dice: Dice) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    axis = dice.axis(len(x), opset)
    size = x[axis % len(x)]
    parts = dice.whole(1, size)
    cuts = sorted(dice.numbers.permutation(np.arange(1, size))[: parts - 1].tolist())
    sizes = [b - a for a, b in zip([0, *cuts], [*cuts, size], strict=True)]
    if dice.chance(0.03):
        sizes[0] += 1
    attributes: dict[str, Any] = {"axis": axis} if axis or dice.chance(0.5) else {}
    if dice.chance(0.5):
        if opset >= 18:
            attributes["num_outputs"] = parts
        return Drawn("Split", x, ["x"], attributes, outputs=parts, opset=opset)
    if opset < 13:
        return Drawn("Split", x, ["x"], attributes | {"split": sizes}, outputs=parts, opset=opset)
    return Drawn("Split", x, ["x", np.array(sizes, np.int64)], attributes, outputs=parts, opset=opset)


@_drawn
def draw_Gather(dice: Dice) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    axis = dice.axis(len(x), opset)
    size = x[axis % len(x)]
    index = dice.whole(-size if opset >= 11 else 0, size - 1 + (1 if dice.chance(0.05) else 0))
    indices = dice.integers(index if dice.chance(0.8) else [index, 0])
    return Drawn("Gather", x, ["x", indices], {"axis": axis} if axis or dice.chance(0.5) else {}, opset=opset)


@_drawn
def draw_Pad(dice: Dice) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    attributes: dict[str, Any] = {}
    if dice.chance(0.8):
        attributes["mode"] = dice.one(["constant", "reflect", "edge", *(["wrap"] if opset >= 19 else [])])
    constant = attributes.get("mode", "constant") == "constant"
    axes = dice.axes(len(x), opset, negative_from=18) if opset >= 18 and dice.chance(0.4) else None
    rank = len(x) if axes is None else len(axes)
    amounts = [dice.whole(-1 if constant else 0, 3) for _ in range(2 * rank)]
    if axes is None and dice.chance(0.6):
        amounts = [0 if i % rank < rank - 2 else n for i, n in enumerate(amounts)]
    if opset < 11:
        attributes |= {"pads": amounts} | ({"value": float(dice.whole(-2, 2))} if dice.chance(0.5) else {})
        return Drawn("Pad", x, ["x"], attributes, opset=opset)
    inputs: list[Any] = ["x", np.array(amounts, np.int64)]
    if axes is not None or dice.chance(0.6):
        fill = dice.one([float(dice.whole(-2, 2)), -np.inf]) if dice.chance(0.8) else None
        inputs.append(None if fill is None else np.array(fill, np.float32))
    if axes is not None:
        inputs.append(np.array(axes, np.int64))
    return Drawn("Pad", x, inputs, attributes, opset=opset)


__all__ = ["GENERATORS", "Dice", "Drawn"]
