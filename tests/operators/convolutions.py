"""Convolutions of codes and of floats, plain and transposed; linear layers, which are some in a plan."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import nn

from tests.operators.layout import nchw, nhwc
from tests.operators.onnx_dice import Dice, Drawn, as_line
from tests.operators.plan_draft import Draft, draw_codes, window
from tests.operators.tables import Zoo, drawn, in_zoo, meaning, onnx


@meaning("conv", "conv_transpose")
def of_codes(op, codes, *, grid, sparse=None):
    x = nchw(codes.astype(np.float64) - grid["zero"])
    weight = torch.from_numpy(op.tensors["weight"]).double() - op.attrs["weight_zero"]
    sums = nhwc(convolve(op, x, weight))  # whole numbers: float64 holds them exactly
    assert np.array_equal(sums, np.rint(sums)) and np.abs(sums).max() < 2**31
    scale = np.float32(grid["scale"]) * op.tensors["scale"]
    y = sums.astype(np.float32) * scale + op.tensors["bias"]
    if sparse is not None:
        weight = weight.float() * torch.from_numpy(op.tensors["scale"])[:, None, None, None]
        y = y + nhwc(convolve(op, nchw(sparse), weight))
    return y


@meaning("fconv", "fconv_transpose")
def of_floats(op, x):
    return nhwc(convolve(op, nchw(x), torch.from_numpy(op.tensors["weight"]))) + op.tensors["bias"]


@drawn("conv", "depthwise", "conv_transpose", "fconv", "fconv_transpose")
def draw_convolution(draw: DrawFn, draft: Draft, kind: str) -> dict[str, Any]:
    floating, transposed = kind.startswith("f"), kind.endswith("transpose")
    h, w, c = draft.size(draft.source)
    groups = (
        c
        if kind == "depthwise"
        else draw(st.sampled_from([g for g in range(1, min(c, 6) + 1) if c % g == 0]))
    )
    c_out = (
        c if kind == "depthwise" else groups * draw(st.integers(1, 40) if groups == 1 else st.integers(1, 20))
    )
    ky, sy, dy, top, bottom, out_h = window(draw, h, 4)
    kx, sx, dx, left, right, out_w = window(draw, w, 4)
    attrs = {
        "kernel": [ky, kx], "stride": [sy, sx], "dilation": [dy, dx], "padding": [top, left, bottom, right],
        "groups": groups,
    }  # fmt: skip
    if transposed:
        extra = [draw(st.integers(0, s - 1)) for s in (sy, sx)]
        attrs["output_padding"] = extra
        out_h = (h - 1) * sy + dy * (ky - 1) + 1 - top - bottom + extra[0]
        out_w = (w - 1) * sx + dx * (kx - 1) + 1 - left - right + extra[1]
        if min(out_h, out_w) < 1:
            attrs["padding"], out_h, out_w = [0, 0, 0, 0], out_h + top + bottom, out_w + left + right
    shape = (c_out, c // groups, ky, kx)
    tensors = {"bias": draft.floats(c_out)}
    if floating:
        tensors["weight"] = draft.floats(*shape)
        return draft.op(kind, [draft.source], (out_h, out_w, c_out), attrs, tensors)
    codes, grid = draw_codes(draw, draft, draft.source)
    tensors["weight"] = draft.rng.integers(-128, 128, shape).astype(np.int8)
    tensors["scale"] = draft.rng.uniform(1e-4, 1e-2, c_out).astype(np.float32)
    attrs["weight_zero"] = draw(st.sampled_from([0, 0, 0, -128, 5, 127]))
    kind = "conv" if kind == "depthwise" else kind
    return draft.op(kind, [codes], (out_h, out_w, c_out), attrs, tensors, grid)


def convolve(op, x, weight):
    """The sums of a convolution, without bias. weight: C_out × C_in/groups × k_h × k_w."""
    attrs = op.attrs
    assert list(weight.shape[2:]) == list(attrs["kernel"]) and weight.shape[0] == op.c
    groups, stride, dilation = attrs["groups"], attrs["stride"], attrs["dilation"]
    top, left, bottom, right = attrs["padding"]
    if not op.kind.endswith("transpose"):
        return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, None, stride, 0, dilation, groups)
    # PyTorch wants C_in × C_out/groups.
    each = weight.view(groups, -1, *weight.shape[1:]).transpose(1, 2)
    weight = each.reshape(-1, *each.shape[2:])
    y = F.conv_transpose2d(x, weight, None, stride, 0, attrs["output_padding"], groups, dilation)
    return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]


@in_zoo
class Layers(Zoo):
    """Convolutions of every kind, vectors, and a map that a linear layer reads."""

    def __init__(self):
        super().__init__()
        self.uneven = nn.Conv2d(8, 8, (3, 1), padding="same", bias=False)
        self.grouped = nn.Conv2d(8, 12, 3, stride=2, dilation=2, groups=4)
        self.up = nn.ConvTranspose2d(12, 8, 3, stride=2, padding=1, output_padding=1, groups=2)
        self.depthwise_up = nn.ConvTranspose2d(8, 8, 2, stride=2, groups=8, bias=False)
        self.flat, self.vector = nn.Linear(8 * 16, 8), nn.Linear(8, 8, bias=False)

    def middle(self, x):
        y = self.uneven(torch.relu(x))
        small = self.up(self.grouped(F.hardswish(y)))[:, :, :4, :4]
        vector = self.vector(torch.relu(self.flat(small.flatten(1))))
        return self.depthwise_up(small) + vector[:, :, None, None]


@in_zoo
class Wide(nn.Module):
    """3×3 layers of many channels: alone, under a skip connection, before a pool; odd sizes."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 32, 2)
        self.second = nn.Conv2d(32, 48, 3, padding=1)
        self.third = nn.Conv2d(48, 48, 3, padding=(0, 2))
        self.last = nn.Conv2d(48, 70, 3)

    def forward(self, x):
        x = torch.relu(self.second(torch.relu(self.first(x))))
        y = self.third(x)
        return {"last": self.last(F.max_pool2d(y, 2)), "skip": torch.relu(x[..., 1:-1, :] + y[..., 1:-1])}


@onnx("Conv")
def draw_onnx_conv(dice: Dice, op: str) -> Drawn:
    drawn = draw_conv(dice, op)
    return as_line(drawn) if dice.chance(0.15) else drawn


def draw_conv(dice: Dice, op: str) -> Drawn:
    x = dice.image()
    group = dice.one([1, 1, x[1], 2 if x[1] % 2 == 0 else 1])
    kernel, channels = dice.pair(1, 4), group * dice.whole(1, 3)
    inputs = ["x", dice.floats(channels, x[1] // group, *kernel)]
    if dice.chance(0.5):
        inputs.append(dice.floats(channels) if dice.chance(0.95) else dice.floats(channels + 1))
    attributes = {**dice.padding(3), "group": group}
    if dice.chance(0.8):
        attributes["strides"] = dice.pair(1, 3)
    if dice.chance(0.5):
        attributes["dilations"] = dice.pair(1, 3)
    if dice.chance(0.5):
        attributes["kernel_shape"] = kernel if dice.chance(0.97) else kernel[::-1]
    return Drawn(op, x, inputs, attributes, opset=dice.opset())


@onnx("ConvTranspose")
def draw_conv_transpose(dice: Dice, op: str) -> Drawn:
    conv = draw_conv(dice, op)
    x, attributes = conv.shape, conv.attributes
    group = attributes["group"]
    kernel, channels = conv.inputs[1].shape[2:], group * dice.whole(1, 3)
    inputs = ["x", dice.floats(x[1], channels // group, *kernel)]
    if dice.chance(0.5):
        inputs.append(dice.floats(channels))
    if dice.chance(0.4):
        attributes["output_padding"] = dice.pair(0, 2)
    if dice.chance(0.3):
        strides = attributes.get("strides", [1, 1])
        sizes = [n * s + dice.whole(-2, 3) for n, s in zip(x[2:], strides, strict=True)]
        attributes["output_shape"] = [max(1, size) for size in sizes]
    drawn = Drawn(op, x, inputs, attributes, opset=dice.opset())
    return as_line(drawn) if dice.chance(0.15) else drawn


@onnx("Gemm")
def draw_gemm(dice: Dice, op: str) -> Drawn:
    opset, rows, features, out = dice.opset(), dice.whole(1, 4), dice.whole(1, 6), dice.whole(1, 5)
    attributes: dict[str, Any] = {}
    for name in ("alpha", "beta"):
        if dice.chance(0.5):
            attributes[name] = dice.one([1.0, 0.5, 2.0, -1.5, 0.0])
    for name in ("transA", "transB"):
        if dice.chance(0.5):
            attributes[name] = int(dice.chance(0.2 if name == "transA" else 0.5))
    shape = (features, rows) if attributes.get("transA") else (rows, features)
    weight = dice.floats(out, features) if attributes.get("transB") else dice.floats(features, out)
    inputs: list[Any] = ["x", weight]
    if opset < 11 or dice.chance(0.7):
        c = dice.one([(out,), (1, out), (1,), (1, 1), (), (rows, 1), (rows, out)])
        inputs.append(np.asarray(dice.floats(*c), np.float32))
    elif dice.chance(0.3):
        inputs.append(None)
    return Drawn(op, shape, inputs, attributes, opset=opset)


@onnx("MatMul")
def draw_matmul(dice: Dice, op: str) -> Drawn:
    x = dice.shape()
    weight = dice.one([(x[-1], dice.whole(1, 5))] * 4 + [(x[-1],), (2, x[-1], 3)])
    inputs = ["x", dice.floats(*weight)]
    if dice.chance(0.2):
        inputs = [dice.floats(dice.whole(1, 4), x[-2] if len(x) > 1 else x[-1]), "x"]
    if dice.chance(0.1):
        x = (*x[:-1], x[-2] if len(x) > 1 else x[-1])
        inputs = ["x", "x"]
    return Drawn(op, x, inputs, opset=dice.opset())
