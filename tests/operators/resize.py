"""Resizing to the nearest pixel and bilinear, in every way that ONNX places pixels."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.operators.onnx_dice import Dice, Drawn
from tests.operators.plan_draft import Draft
from tests.operators.tables import drawn, meaning, onnx


@meaning("resize")
def resize(op, x):
    attrs = op.attrs
    rows = source_places(op.h, x.shape[0], attrs["scale_h"], attrs)
    columns = source_places(op.w, x.shape[1], attrs["scale_w"], attrs)
    if attrs["mode"] == "nearest":
        return x[rows][:, columns]
    (top, bottom, down), (left, right, across) = rows, columns
    down, across = down[:, None, None], across[None, :, None]
    above = x[top][:, left] * (1 - across) + x[top][:, right] * across
    below = x[bottom][:, left] * (1 - across) + x[bottom][:, right] * across
    return above * (1 - down) + below * down


def source_places(count, size, scale, attrs):
    """Where the pixels of one axis come from: an index each, or two and the share of the second."""
    scale, i = np.float32(scale), np.arange(count, dtype=np.float32)
    if attrs["mode"] == "nearest":
        return np.minimum(np.floor(i * scale).astype(int), size - 1)
    half = np.float32(0.5)
    place = i * scale if attrs["align_corners"] else np.maximum(scale * (i + half) - half, np.float32(0))
    first = np.minimum(place.astype(int), size - 1)
    return first, np.minimum(first + 1, size - 1), (place - first.astype(np.float32)).clip(0, 1)


@drawn("resize")
def draw_resize(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    mode, corners = draw(st.sampled_from([("nearest", False), ("bilinear", False), ("bilinear", True)]))
    size = draw(st.integers(1, 20)), draw(st.integers(1, 20))

    def scale(source: int, out: int) -> float:
        if corners:
            return (source - 1) / (out - 1) if out > 1 else 0.0
        return source / out

    attrs = {
        "mode": mode,
        "align_corners": corners,
        "scale_h": scale(h, size[0]),
        "scale_w": scale(w, size[1]),
    }
    return draft.op(kind, [draft.source], (*size, c), attrs)


PLACES = ("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
SCALES = (0.5, 1.0, 2.0, 3.0, 1.5, 0.7, 2.3, 1.05, 0.25, 0.33, 4.0, 1.99)


def _scale(dice: Dice, size: int) -> float:
    """A factor as people write it, or as an exporter computes it from two sizes."""
    return float(dice.one(SCALES)) if dice.chance(0.5) else dice.whole(1, 40) / size


@onnx("Resize")
def draw_onnx_resize(dice: Dice, op: str) -> Drawn:
    opset = int(dice.one([10, 11, 13, 18, 19]))
    x = (dice.one([1, 1, 2]), dice.whole(1, 4), dice.whole(1, 24), dice.whole(1, dice.one([24, 24, 24, 100])))
    attributes: dict[str, Any] = {"mode": dice.one(["nearest", "linear"])}
    scales = np.array([1, 1, *(_scale(dice, size) for size in x[2:])], np.float32)
    if dice.chance(0.03):
        attributes["mode"] = "cubic"
    if opset == 10:
        return Drawn(op, x, ["x", scales], attributes, opset=opset)
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
        return Drawn(op, x, ["x", roi, chosen], attributes, opset=opset)
    sizes = np.array([*x[:2], dice.whole(1, 40), dice.whole(1, 40)], np.int64)
    if opset >= 18 and dice.chance(0.3):
        attributes["axes"], sizes = dice.one([([2, 3], sizes[2:]), ([-1, -2], sizes[:1:-1])])
    empty = np.array([], np.float32) if opset < 13 else None
    return Drawn(op, x, ["x", roi, empty, sizes], attributes, opset=opset)


@onnx("Upsample")
def draw_upsample(dice: Dice, op: str) -> Drawn:
    x, opset = dice.image(), int(dice.one([7, 8, 9]))
    scales = [1.0, 1.0, dice.one([1.0, 2.0, 3.0, 1.5, 2.3]), dice.one([1.0, 2.0, 3.0, 1.5])]
    attributes: dict[str, Any] = {"mode": dice.one(["nearest", "nearest", "linear"])}
    if opset < 9:
        return Drawn(op, x, ["x"], attributes | {"scales": scales}, opset=opset)
    return Drawn(op, x, ["x", np.array(scales, np.float32)], attributes, opset=opset)
