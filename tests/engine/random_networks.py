"""Small networks drawn at random from the operators whose arithmetic is defined to the last bit."""

import torch
from hypothesis import strategies as st

from videoquant.network.graph import Network, Node

WIDTH = 8  # channels between links
PLAIN = {"stride": [1, 1], "padding": [0, 0, 0, 0], "dilation": [1, 1], "groups": 1}


class Builder:
    """Nodes one after another, with random weights. Each method takes and gives the name of a value."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)
        self.nodes, self.tensors = [], {}

    def node(self, op, *inputs, tensors=None, **attributes):
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(Node(name, op, inputs, attributes, tuple(tensors or ())))
        self.tensors |= {f"{name}.{short}": tensor for short, tensor in (tensors or {}).items()}
        return name

    def random(self, *shape):
        return torch.randn(shape, generator=self.generator)

    def conv(self, x, outputs=WIDTH, kernel=(1, 1), inputs=WIDTH, bias=True, **attributes):
        attributes = PLAIN | attributes
        each = inputs // attributes["groups"]
        tensors = {"weight": self.random(outputs, each, *kernel) / (each * kernel[0] * kernel[1]) ** 0.5}
        if bias:
            tensors["bias"] = self.random(outputs) / 4
        return self.node("conv2d", x, tensors=tensors, **attributes)

    def link(self, kind, x):
        """What one link of the chain does to a value of `WIDTH` channels."""
        match kind:
            case "conv":
                return self.conv(x, kernel=(3, 3), padding=[1, 1, 1, 1], bias=False)
            case "uneven":
                return self.conv(x, kernel=(3, 2), stride=[2, 1], padding=[1, 0, 1, 2])
            case "pointwise":
                return self.conv(x)
            case "grouped":
                return self.conv(x, kernel=(3, 3), padding=[2, 2, 2, 2], dilation=[2, 2], groups=2)
            case "depthwise":
                return self.conv(x, kernel=(3, 3), padding=[1, 1, 1, 1], groups=WIDTH)
            case "transposed":
                attributes = {**PLAIN, "stride": [2, 2], "padding": [1, 1, 1, 1], "groups": 2}
                tensors = {"weight": self.random(WIDTH, WIDTH // 2, 3, 3) / 3, "bias": self.random(WIDTH)}
                return self.node("conv_transpose2d", x, tensors=tensors, output_padding=[1, 0], **attributes)
            case "relu":
                return self.node("clamp", x, min=0)
            case "clamp":
                return self.node("clamp", x, min=-0.4, max=0.7)
            case "leaky":
                return self.node("leaky_relu", x, slope=0.2)
            case "prelu":
                return self.node("prelu", x, tensors={"weight": self.random(WIDTH)})
            case "affine":
                tensors = {"weight": self.random(WIDTH), "bias": self.random(WIDTH)}
                return self.node("affine", x, tensors=tensors)
            case "hardswish":
                return self.node("hardswish", x)
            case "max_pool":
                window = {"kernel": [3, 3], "stride": [2, 2], "padding": [1, 1, 1, 1], "dilation": [1, 1]}
                return self.node("max_pool2d", x, **window, ceil=False)
            case "nearest":
                return self.node("resize", x, mode="nearest", scale=[2.0, 2.0])
            case "shuffle":
                return self.node("pixel_shuffle", self.conv(x, 4 * WIDTH), factor=2)
            case "skip":  # the sum is quantized anew, as is x itself
                y = self.conv(x, kernel=(3, 3), padding=[1, 1, 1, 1])
                return self.node("add", x, self.node("clamp", y, min=0, max=6))
            case "branches":  # two layers share the codes of x
                left, right = self.conv(x, 3), self.conv(x, 5, (3, 1), padding=[1, 0, 1, 0])
                return self.node("concat", left, self.node("clamp", right, min=0), dim=1)
            case "gate":
                largest = self.node("amax", x, dims=[2, 3], keepdim=True)
                return self.node("mul", x, self.node("hardsigmoid", self.conv(largest)))
        raise AssertionError(kind)


LINKS = (
    *("conv", "uneven", "pointwise", "grouped", "depthwise", "transposed"),
    *("relu", "clamp", "leaky", "prelu", "affine", "hardswish"),
    *("max_pool", "nearest", "shuffle", "skip", "branches", "gate"),
)


@st.composite
def networks(draw, size=(7, 9)):
    """3×H×W through 1 to 6 links to a map of 4 channels and 5 numbers."""
    build = Builder(draw(st.integers(0, 10**6)))
    kinds = draw(st.lists(st.sampled_from(LINKS), min_size=1, max_size=6))
    y = build.conv("input", kernel=(3, 3), inputs=3, padding=[1, 1, 1, 1])
    for kind in kinds:
        y = build.link(kind, y)
    largest = build.node("amax", y, dims=[2, 3], keepdim=False)
    tensors = {"weight": build.random(5, WIDTH), "bias": build.random(5)}
    outputs = {"map": build.conv(y, 4), "scores": build.node("linear", largest, tensors=tensors)}
    return Network(build.nodes, "input", (1, 3, *size), outputs, build.tensors, name="-".join(kinds))
