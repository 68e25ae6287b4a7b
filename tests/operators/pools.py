"""Pools over windows and over whole maps, and ONNX's reductions."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.operators.layout import nchw, nhwc
from tests.operators.onnx_dice import Dice, Drawn, as_line
from tests.operators.plan_draft import Draft, window
from tests.operators.tables import Zoo, drawn, in_zoo, meaning, onnx


@meaning("global_pool")
def global_pool(op, x):
    return x.mean((0, 1), keepdims=True, dtype=np.float64).astype(np.float32)


@meaning("global_sum")
def global_sum(op, x):
    return x.sum((0, 1), keepdims=True, dtype=np.float64).astype(np.float32)


@meaning("global_max")
def global_max(op, x):
    return x.max((0, 1), keepdims=True)


@meaning("adaptive_avg_pool")
def adaptive_avg_pool(op, x):
    return nhwc(F.adaptive_avg_pool2d(nchw(x), tuple(op.attrs["size"])))


@drawn("global_pool", "global_sum", "global_max")
def draw_global(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    return draft.op(kind, [draft.source], (1, 1, draft.size(draft.source)[2]))


@drawn("adaptive_avg_pool")
def draw_adaptive(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    size = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    return draft.op(kind, [draft.source], (*size, draft.size(draft.source)[2]), {"size": list(size)})


@meaning("max_pool", "avg_pool")
def pool(op, x):
    """The maximum or the average of a window, tap by tap."""
    attrs, average = op.attrs, op.kind == "avg_pool"
    height, width, _ = x.shape
    top, left, bottom, right = attrs["padding"]
    dilation = attrs.get("dilation", [1, 1])
    total = np.full((op.h, op.w, op.c), 0 if average else -np.inf, np.float64)
    count = np.zeros((op.h, op.w, 1))
    for i in range(attrs["kernel"][0]):
        for j in range(attrs["kernel"][1]):
            rows = np.arange(op.h) * attrs["stride"][0] - top + i * dilation[0]
            columns = np.arange(op.w) * attrs["stride"][1] - left + j * dilation[1]
            inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
            tap = x[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
            if average:
                total += np.where(inside[..., None], tap, 0)
                padded = (rows < height + bottom)[:, None] & (columns < width + right)
                count += (padded if attrs["count_padding"] else inside)[..., None]
            else:
                total = np.where(inside[..., None], np.maximum(total, tap), total)
    return (total / count if average else total).astype(np.float32)


@drawn("max_pool", "avg_pool")
def draw_pool(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    h, w, c = draft.size(draft.source)
    ceil = draw(st.booleans())
    ky, sy, dy, top, bottom, out_h = window(draw, h, 5, ceil)
    kx, sx, dx, left, right, out_w = window(draw, w, 5, ceil)
    attrs = {"kernel": [ky, kx], "stride": [sy, sx], "padding": [top, left, bottom, right]}
    if kind == "max_pool":
        return draft.op(kind, [draft.source], (out_h, out_w, c), {**attrs, "dilation": [dy, dx]})
    # Averages have no dilation; sizes that it made smaller are sizes that a cut window makes, too.
    return draft.op(kind, [draft.source], (out_h, out_w, c), {**attrs, "count_padding": draw(st.booleans())})


@in_zoo
class Pools(Zoo):
    def middle(self, x):
        a = F.max_pool2d(x, 3, 2, 1) + F.avg_pool2d(x, 3, 2, 1)
        b = F.avg_pool2d(x, 2, 2, count_include_pad=False) + F.max_pool2d(x, 2, ceil_mode=True)
        c = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False) + F.adaptive_avg_pool2d(x, (6, 6))
        d = F.avg_pool2d(x, 5, 5, ceil_mode=True) + F.max_pool2d(x, 3, 5, dilation=2, ceil_mode=True).mean(
            (2, 3), True
        )
        return torch.relu(a) + b * c + F.interpolate(d, (6, 6)) + F.adaptive_avg_pool2d(x, 1)


@onnx("MaxPool", "AveragePool")
def draw_windows(dice: Dice, op: str) -> Drawn:
    x, opset = dice.image(), dice.opset()
    kernel = dice.pair(1, 4)
    attributes = {**dice.padding(3 if dice.chance(0.2) else 1), "kernel_shape": kernel}
    if dice.chance(0.8):
        attributes["strides"] = dice.pair(1, 3)
    if opset >= 10 and dice.chance(0.5):
        attributes["ceil_mode"] = dice.whole(0, 1)
    if op == "AveragePool" and dice.chance(0.6):
        attributes["count_include_pad"] = dice.whole(0, 1)
    if opset >= (19 if op == "AveragePool" else 10) and dice.chance(0.3):
        attributes["dilations"] = dice.pair(1, 3)
    if op == "MaxPool" and opset >= 8 and dice.chance(0.2):
        attributes["storage_order"] = dice.whole(0, 1)
    drawn = Drawn(op, x, ["x"], attributes, opset=opset)
    return as_line(drawn) if dice.chance(0.15) else drawn


@onnx("GlobalAveragePool", "GlobalMaxPool")
def draw_onnx_global(dice: Dice, op: str) -> Drawn:
    return Drawn(op, dice.shape(2), ["x"], opset=dice.opset())


@onnx("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare")
@onnx("ReduceLogSum")
def draw_reduction(dice: Dice, op: str) -> Drawn:
    x, opset = dice.shape(), dice.opset()
    as_input = opset >= (13 if op == "ReduceSum" else 18)
    attributes: dict[str, Any] = {"keepdims": dice.whole(0, 1)} if dice.chance(0.7) else {}
    inputs: list[Any] = ["x"]
    if as_input and dice.chance(0.4):
        attributes["noop_with_empty_axes"] = dice.whole(0, 1)
    if dice.chance(0.85):
        axes = dice.axes(len(x), opset)
        if as_input:
            inputs.append(np.array([] if dice.chance(0.1) else axes, np.int64))
        else:
            attributes["axes"] = axes
    return Drawn(op, x, inputs, attributes, opset=opset)
