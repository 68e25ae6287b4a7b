"""Operators that move values or cut them: concat, slice, pad, pixel shuffle; and ONNX's forms of them."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.operators.onnx_dice import Dice, Drawn
from tests.operators.plan_draft import Draft, channel_counts
from tests.operators.tables import Zoo, drawn, in_zoo, meaning, onnx


@meaning("concat")
def concat(op, *inputs):
    return np.concatenate(inputs, 2)


@meaning("slice")
def cut(op, x):
    ends = {1: op.h, 2: op.w, 3: op.c}
    dim, start, step = op.attrs["dim"], op.attrs["start"], op.attrs["step"]
    return x.take(start + step * np.arange(ends[dim]), dim - 1)


@meaning("pixel_shuffle")
def pixel_shuffle(op, x):
    height, width, channels = x.shape
    factor = op.attrs["factor"]
    each = channels // factor**2
    if op.attrs["order"] == "CRD":
        x = x.reshape(height, width, each, factor, factor).transpose(0, 3, 1, 4, 2)
    else:
        x = x.reshape(height, width, factor, factor, each).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(x.reshape(height * factor, width * factor, each))


@meaning("pad")
def pad(op, x):
    attrs, names = op.attrs, {"constant": "constant", "reflect": "reflect", "replicate": "edge"}
    sides = [(attrs["t"], attrs["b"]), (attrs["l"], attrs["r"]), (attrs["front"], attrs["back"])]
    for axis, (before, after) in enumerate(sides):  # negative amounts cut
        x = x.take(range(max(0, -before), x.shape[axis] - max(0, -after)), axis)
    amounts = [(max(0, before), max(0, after)) for before, after in sides]
    fill = {"constant_values": attrs["value"]} if attrs["mode"] == "constant" else {}
    return np.pad(x, amounts, names[attrs["mode"]], **fill)


@drawn("concat")
def draw_concat(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    inputs = [draft.source]
    for _ in range(draw(st.integers(0, 3))):
        part = draw(st.integers(1, c))
        op = draft.op("slice", [draft.source], (h, w, part), {"dim": 3, "start": c - part, "step": 1})
        inputs.append(draft.stored(op))
    return draft.op(kind, inputs, (h, w, sum(draft.size(i)[2] for i in inputs)))


@drawn("slice")
def draw_slice(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    dim, step = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    size = list(draft.size(draft.source))
    start = draw(st.integers(0, size[dim - 1] - 1))
    size[dim - 1] = draw(st.integers(1, -((start - size[dim - 1]) // step)))
    attrs = {"dim": dim, "start": start, "step": step}
    return draft.op(kind, [draft.source], (size[0], size[1], size[2]), attrs)


@drawn("pixel_shuffle")
def draw_pixel_shuffle(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    factor = draw(st.sampled_from([f for f in (1, 2, 3) if draft.source == 0 or c % f**2 == 0]))
    each = draw(channel_counts) if draft.source == 0 else c // factor**2
    draft.slots[draft.source]["c"] = each * factor**2
    attrs = {"factor": factor, "order": draw(st.sampled_from(["CRD", "DCR"]))}
    return draft.op(kind, [draft.source], (h * factor, w * factor, each), attrs)


@drawn("pad")
def draw_pad(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    mode = draw(st.sampled_from(["constant", "reflect", "replicate"]))

    def side(length: int) -> int:
        return draw(st.integers(0, min(4, length - 1 if mode == "reflect" else 4)))

    top, bottom, left, right = side(h), side(h), side(w), side(w)
    front, back = (draw(st.integers(0, 5)), draw(st.integers(0, 5))) if mode == "constant" else (0, 0)
    attrs = {"t": top, "l": left, "b": bottom, "r": right, "front": front, "back": back}
    attrs |= {"mode": mode, "value": draw(st.sampled_from([0.0, -1.5]))}
    return draft.op(kind, [draft.source], (h + top + bottom, w + left + right, c + front + back), attrs)


@in_zoo
class Moves(Zoo):
    def middle(self, x):
        big = F.interpolate(x, scale_factor=1.5, mode="bilinear") + F.interpolate(x, scale_factor=1.5)
        small = F.interpolate(big, (12, 12), mode="bilinear", align_corners=True)
        padded = F.pad(small, (1, 2, 0, 3)) * F.pad(small, (1, 2, 0, 3), mode="reflect")
        cut = F.pad(padded, (1, 0, 2, 1), mode="replicate")[:, :, 1:13, ::2][..., :6]
        wide = F.interpolate(cut, (12, 12))
        both = torch.cat([wide[:, 2:5], small[:, ::2], torch.relu(x)[:, :1]], 1)
        return F.pixel_shuffle(torch.cat([both] * 4, 1), 2)[:, :, ::2, ::2] + F.pad(
            x[:, 3:], (0, 0, 0, 0, 1, 2)
        )


@in_zoo
class Windows(Zoo):
    """A shifted window's attention as Swin's, between channels that are picked, turned and shuffled."""

    def middle(self, x):
        picked = torch.stack([x[:, [7, 0, 2, 1]], x.flip(-1)[:, 4:]], 2).flatten(1, 2)
        n, c, h, w = picked.shape
        rolled = torch.roll(F.channel_shuffle(picked, 2), (-2, -1), (2, 3))
        windows = rolled.view(n, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 16, c)
        weights = torch.softmax(torch.einsum("bic,bjc->bij", windows, windows / 4), -1)
        mixed = (weights @ windows).view(n, h // 4, w // 4, 4, 4, c).permute(0, 5, 1, 3, 2, 4)
        back = torch.roll(mixed.reshape(n, c, h, w), (2, 1), (2, 3))
        return back + F.pad(x, (1, 0, 0, 1), mode="circular")[:, :, 1:, :-1]


@onnx("DepthToSpace")
def draw_depth_to_space(dice: Dice, op: str) -> Drawn:
    block, opset = dice.whole(1, 3), dice.opset()
    channels = block * block * dice.whole(1, 3) + (1 if dice.chance(0.03) else 0)
    attributes: dict[str, Any] = {"blocksize": block}
    if opset >= 11 and dice.chance(0.7):
        attributes["mode"] = dice.one(["DCR", "CRD"])
    x = (dice.whole(1, 2), channels, dice.whole(1, 5), dice.whole(1, 5))
    return Drawn(op, x, ["x"], attributes, opset=opset)


@onnx("Concat")
def draw_onnx_concat(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    axis = dice.axis(len(x), opset)
    other = [n if i != axis % len(x) else dice.whole(1, 4) for i, n in enumerate(x)]
    if dice.chance(0.03):
        other[0] += 1
    constant = dice.floats(*other)
    inputs = dice.one([["x"], ["x", "x"], ["x", constant], [constant, "x"], ["x", constant, "x"]])
    return Drawn(op, x, inputs, {"axis": axis}, opset=opset)


@onnx("Slice")
def draw_onnx_slice(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    axes = dice.axes(len(x), opset, negative_from=10)
    sizes = [x[a % len(x)] for a in axes]
    starts = [dice.one([0, dice.whole(0, n), dice.whole(-n - 2, n + 1)]) for n in sizes]
    far = [2**31 - 1, 2**63 - 1, -(2**63), -1]
    ends = [dice.one([n, dice.whole(-n - 2, n + 2), dice.one(far)]) for n in sizes]
    if opset < 10:
        attributes = {"starts": starts, "ends": ends} | ({"axes": axes} if dice.chance(0.8) else {})
        return Drawn(op, x, ["x"], attributes, opset=opset)
    inputs: list[Any] = ["x", np.array(starts, np.int64), np.array(ends, np.int64)]
    if dice.chance(0.8):
        inputs.append(np.array(axes, np.int64))
    elif dice.chance(0.5):
        inputs.append(None)
    if len(inputs) == 4 and dice.chance(0.5):
        inputs.append(np.array([dice.one([1, 1, 2, 3, -1, -2]) for _ in axes], np.int64))
    return Drawn(op, x, inputs, opset=opset)


@onnx("Split")
def draw_split(dice: Dice, op: str) -> Drawn:
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
        return Drawn(op, x, ["x"], attributes, outputs=parts, opset=opset)
    if opset < 13:
        return Drawn(op, x, ["x"], attributes | {"split": sizes}, outputs=parts, opset=opset)
    return Drawn(op, x, ["x", np.array(sizes, np.int64)], attributes, outputs=parts, opset=opset)


@onnx("Gather")
def draw_gather(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    axis = dice.axis(len(x), opset)
    size = x[axis % len(x)]
    index = dice.whole(-size if opset >= 11 else 0, size - 1 + (1 if dice.chance(0.05) else 0))
    low = -size if opset >= 11 else 0
    many = dice.numbers.integers(low, size, dice.one([(2,), (5, 9), (1, 3)])).tolist()
    spaced = list(range(0, size, dice.whole(1, 2)))
    indices = dice.integers(dice.one([many, spaced, index, many]))
    return Drawn(op, x, ["x", indices], {"axis": axis} if axis or dice.chance(0.5) else {}, opset=opset)


@onnx("Pad")
def draw_onnx_pad(dice: Dice, op: str) -> Drawn:
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
        return Drawn(op, x, ["x"], attributes, opset=opset)
    inputs: list[Any] = ["x", np.array(amounts, np.int64)]
    if axes is not None or dice.chance(0.6):
        fill = dice.one([float(dice.whole(-2, 2)), -np.inf]) if dice.chance(0.8) else None
        inputs.append(None if fill is None else np.array(fill, np.float32))
    if axes is not None:
        inputs.append(np.array(axes, np.int64))
    return Drawn(op, x, inputs, attributes, opset=opset)
