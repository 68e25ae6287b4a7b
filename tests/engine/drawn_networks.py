"""Networks and videos drawn from a seed, of the kinds in which a stream that follows changes could go wrong.

`random_networks.py` draws from what is defined to the last bit; here every operator of the engine may come,
and convolutions with pools behind them come often: the engine runs the two together.
"""

import random

import numpy as np
import torch

from tests.engine.random_networks import LINKS, WIDTH, Builder
from videoquant.data.video import Frame
from videoquant.network.graph import Network
from videoquant.network.operators import OPERATORS

# Schemes whose frames stand alone, which modes exact and frame both run; and those of mode frame alone.
FRAME_SCHEMES = {
    "static": ("w8a8", "w4a4", "w8a8 asymmetric", "w8a8 per-tensor minmax", "w4a8 head=2 tail=2", "w32a8"),
    "dynamic": ("w8a8 dynamic", "w8a4 dynamic minmax", "w4a8 dynamic asymmetric head=2"),
    "qpp": (
        "w8a8 qpp",
        "w8a4 qpp",
        "w8a8 qpp=4",
        "w8a8 qpp at=input",
        "w4a8 qpp minmax",
        "w8a8 qpp at=auto:2",
    ),
}
ALONE_SCHEMES = (
    *(
        "w8a8->w4a4 T=3",
        "w8a8->w8a8 T=3 recurrent",
        "w8a4->w4a8 T=2 float-reference",
        "w8a8->w8a8 T=3 adaptive",
    ),
    *("w4a8->w4a4 T=3 dynamic", "w8a8->w4a4 T=3 qpp", "w8a8 ds=1%", "w8a8->w4a4 T=3 ds=1%", "w8a8 ds=1% qpp"),
)

ACTIVATIONS = ("none", "relu", "relu", "relu6", "leaky", "prelu", "hardswish", "silu", "affine")
# Convolution, activation, pool, and what may stand around the three.
POOLED = (
    "plain",
    "plain",
    "plain",
    "two readers",
    "skip",
    "gate",
    "sum before",
    "sum behind",
    "pool twice",
    "both pools",
)
CHANGES = (
    "still",
    "still",
    "patch",
    "patch",
    "patch",
    "pixel",
    "flash",
    "flash",
    "noise",
    "brighter",
    "back",
    "seek",
)
MORE_LINKS = (*LINKS, "pooled", "pooled", "pooled", "wide", "avg_pool", "mean", "bilinear", "softmax", "pad")


class Drawer(Builder):
    """A `Builder` that draws what it builds, and knows every value's shape."""

    def __init__(self, seed, size):
        super().__init__(seed)
        self.draw = random.Random(seed)
        self.values = {"input": torch.zeros(1, 3, *size)}

    def node(self, op, *inputs, tensors=None, **attributes):
        name = super().node(op, *inputs, tensors=tensors, **attributes)
        values = [self.values[value] for value in inputs]
        self.values[name] = OPERATORS[op](*values, **(tensors or {}), **attributes)
        return name

    def channels(self, x):
        return self.values[x].shape[1]

    def activation(self, x):
        match self.draw.choice(ACTIVATIONS):
            case "none":
                return x
            case "relu":
                return self.node("clamp", x, min=0)
            case "relu6":
                return self.node("clamp", x, min=0, max=6)
            case "leaky":
                return self.node("leaky_relu", x, slope=0.1)
            case "prelu":
                return self.node("prelu", x, tensors={"weight": self.random(self.channels(x))})
            case "affine":
                channels = self.channels(x)
                tensors = {"weight": self.random(channels), "bias": self.random(channels)}
                return self.node("affine", x, tensors=tensors)
            case op:
                return self.node(op, x)

    def window(self, x):
        """Kernel, stride and padding that fit a value."""
        kernel = [self.draw.randint(1, min(4, side)) for side in self.values[x].shape[2:]]
        stride = [self.draw.choice([1, 2, 2, 3]) for _ in kernel]
        return {"kernel": kernel, "stride": stride, "padding": [self.draw.randint(0, k // 2) for k in kernel]}

    def pool(self, x):
        kind, window = self.draw.choice(["max", "max", "max", "average", "global"]), self.window(x)
        ceil = self.draw.random() < 0.3
        if kind == "max":
            padding = window["padding"] * 2
            return self.node("max_pool2d", x, **{**window, "padding": padding}, dilation=[1, 1], ceil=ceil)
        if kind == "average":
            counted = self.draw.random() < 0.5
            return self.node("avg_pool2d", x, **window, ceil=ceil, count_padding=counted)
        return self.node(self.draw.choice(["amax", "mean"]), x, dims=[2, 3], keepdim=True)

    def any_conv(self, x, outputs, kernel=None, stride=None):
        """A convolution of any geometry; one that keeps the size where the stride is 1 and the kernel odd."""
        k = kernel or self.draw.choice([1, 2, 3, 3, 5, 7])
        stride = stride or self.draw.choice([1, 1, 2, 4])
        inputs, padding = self.channels(x), [k // 2] * 4
        groups = self.draw.choice([1, 1, 1, inputs]) if inputs == outputs else 1
        bias = self.draw.random() < 0.7
        window = {"stride": [stride, stride], "padding": padding, "groups": groups}
        return self.conv(x, outputs, (k, k), inputs, bias, **window)

    def max_window(self, x):
        window = self.window(x)
        return {**window, "padding": window["padding"] * 2, "dilation": [1, 1], "ceil": False}

    def same_pool(self, x, other):
        """One pool, of two values of one size."""
        window = self.max_window(x)
        return [self.node("max_pool2d", value, **window) for value in (x, other)]

    def pooled(self, x, outputs):
        """Convolution, activation, pool. Other nodes come before or behind: the three stand together."""
        kind = self.draw.choice(POOLED)
        if kind in ("sum before", "skip", "sum behind"):
            x = self.any_conv(x, outputs)
        match kind:
            case "plain":
                return self.pool(self.activation(self.any_conv(x, outputs)))
            case "two readers":  # of what the pool reads, or of what its activation reads
                first = self.any_conv(x, outputs)
                y = self.activation(first)
                pooled, other = self.same_pool(
                    y, self.conv(self.draw.choice([first, y]), outputs, inputs=outputs)
                )
                return self.node("concat", pooled, other, dim=1)
            case "sum before":
                first = self.any_conv(x, outputs, kernel=3, stride=1)
                return self.pool(self.activation(self.node("add", first, x)))
            case "skip" | "sum behind":
                window = self.max_window(x)
                before = self.node("max_pool2d", x, **window)
                y = self.activation(self.any_conv(x, outputs, kernel=3, stride=1))
                y = self.node("max_pool2d", y, **window)
                if kind == "skip":
                    return self.node("concat", before, y, dim=1)
                return self.node(self.draw.choice(["add", "mul", "sub"]), y, before)
            case "gate":
                largest = self.node("amax", x, dims=[2, 3], keepdim=True)
                gate = self.node("hardsigmoid", self.conv(largest, outputs, inputs=self.channels(x)))
                return self.node("mul", self.pool(self.activation(self.any_conv(x, outputs))), gate)
            case "pool twice":
                return self.pool(self.pool(self.activation(self.any_conv(x, outputs))))
            case "both pools":
                y = self.activation(self.any_conv(x, outputs))
                left, right = (self.node("mean", z, dims=[2, 3], keepdim=True) for z in (y, self.pool(y)))
                return self.node("add", left, right)
        raise AssertionError(kind)

    def link(self, kind, x):
        match kind:
            case "pooled":
                y = self.pooled(x, self.draw.choice([WIDTH, 16]))
                return self.conv(y, inputs=self.channels(y))
            case "wide":  # Winograd's algorithm
                y = self.activation(self.conv(x, 32, (3, 3), padding=[1, 1, 1, 1]))
                y = self.conv(y, 32, (3, 3), 32, padding=[1, 1, 1, 1])
                return self.conv(self.activation(y), inputs=32)
            case "avg_pool":
                return self.node(
                    "avg_pool2d",
                    x,
                    kernel=[2, 2],
                    stride=[1, 2],
                    padding=[1, 1],
                    ceil=False,
                    count_padding=False,
                )
            case "mean":
                return self.node("add", x, self.node("mean", x, dims=[2, 3], keepdim=True))
            case "bilinear":
                return self.node("resize", x, mode="bilinear", align_corners=False, scale=[2.0, 1.5])
            case "softmax":
                return self.node("softmax", x, dim=1)
            case "pad":
                return self.node("pad", x, padding=[1, 2, 0, 1], mode="constant", value=0.5)
        return super().link(kind, x)


def draw_network(seed, pooled):
    """A network 3×H×W with a map, numbers and sometimes a value from its midst as outputs.

    pooled: begins with convolution, activation, pool.
    """
    chance = random.Random(seed)
    size = chance.randint(8, 48), chance.randint(9, 48)  # never one block of regions
    build = Drawer(seed, size)
    if pooled:
        y = build.pooled("input", chance.choice([8, 16, 24, 32]))
        y = build.conv(y, inputs=build.channels(y))
    else:
        y = build.conv("input", kernel=(3, 3), inputs=3, padding=[1, 1, 1, 1])
    kinds = [chance.choice(MORE_LINKS) for _ in range(chance.randint(0 if pooled else 1, 5))]
    between = []
    for kind in kinds:
        if build.values[y].numel() > 60_000 and kind in ("nearest", "shuffle", "bilinear", "transposed"):
            continue
        y = build.link(kind, y)
        between.append(y)
    tensors = {"weight": build.random(5, WIDTH), "bias": build.random(5)}
    flat = build.node(chance.choice(["amax", "mean"]), y, dims=[2, 3], keepdim=False)
    outputs = {"map": build.conv(y, 4), "scores": build.node("linear", flat, tensors=tensors)}
    if between and chance.random() < 0.3:
        outputs["between"] = chance.choice(between)
    name = "-".join(["pooled stem"] * pooled + kinds) or "conv"
    return Network(build.nodes, "input", (1, 3, *size), outputs, build.tensors, name=name)


def draw_video(seed, count, size):
    """Frames of a picture that stands still, moves in places or everywhere, or changes its brightness.

    Sometimes a frame's index does not follow the last one's, as after a seek. Returns the frames and, by
    frame, what changed.
    """
    generator, chance = np.random.default_rng(seed), random.Random(seed)
    coarse = generator.integers(0, 200, (-(-size[0] // 4), -(-size[1] // 4), 3))
    still = np.kron(coarse, np.ones((4, 4, 1)))[: size[0], : size[1]]
    frames, changes, index, now = [], [], 0, still
    for _ in range(count):
        change = chance.choice(CHANGES)
        height, width = chance.randint(1, size[0]), chance.randint(1, size[1])
        top, left = chance.randint(0, size[0] - height), chance.randint(0, size[1] - width)
        now = now.copy()
        match change:
            case "patch":
                now[top : top + height, left : left + width] = generator.integers(0, 255, (height, width, 3))
            case "pixel":
                now[top, left] = generator.integers(0, 255, 3)
            case "flash":  # few pixels, but of a size that every range is measured by
                now = still.copy()
                now[top : top + 3, left : left + 3] = 255
            case "noise":
                now = np.clip(now + generator.integers(-20, 20, now.shape), 0, 255)
            case "brighter":
                now = np.clip(now * chance.uniform(0.7, 1.3), 0, 255)
            case "back":
                now = still
            case "seek":
                index += 10
        frames.append(Frame(now.astype(np.uint8), index))
        changes.append(change)
        index += 1
    return frames, changes
