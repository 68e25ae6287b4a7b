"""Channels before depthwise convolutions come closer to one range, so that one grid resolves them more alike.

    W ∗ x = (W · s_c) ∗ (x / s_c),  s_c = √(clip of channel c / largest clip)

A grid is as wide as the widest channel asks for. Behind batch norm and an activation channels differ by up to
a hundredfold, and most layers sum over them, so that the small ones matter little. A depthwise convolution
gives every channel an output of its own, and the small ones come out of it with a few codes left. With the
root, wide channels keep a part of what they had: giving all channels one range was measured to be worse.

As in cross-layer equalization (Nagel et al., "Data-free quantization through weight equalization and bias
correction", ICCV 2019, section 4.1) a factor by channel costs the weights nothing, since each output channel
has a scale of its own. The division costs nothing either where a convolution and ReLU or its like come
before. Behind any other activation it is an operator, "affine": one multiplication per value, in a pass that
is there anyway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from videoquant.network.float_stream import FloatStream
from videoquant.network.graph import Network, Node

FRAMES = 16  # about so many are looked at, spread over all clips
PIXELS = 4096  # of a channel are looked at, about
SHARES = [0.9**k for k in range(24)]  # of a channel's largest value, tried as its clip
HOMOGENEOUS = ("clamp", "leaky_relu", "prelu")  # f(s · x) = s · f(x) for s > 0; of clamps ReLU alone
LEAST = 1 / 256  # of the widest channel's range: what is smaller may be zero by chance in all frames


def equalized(network: Network, clips: Sequence[Sequence[Tensor]], bits: Mapping[str, int]) -> Network:
    """The same function, with other weights, and maybe "affine" nodes before depthwise convolutions.

    clips: network inputs.
    bits: of the activations that layers read, by layer; layers that are not there are left as they are.
    """
    layers = {node.name: node for node in network.layers if node.name in bits and is_depthwise(node, network)}
    frames = [frame for clip in clips for frame in clip]
    by_value = {node.inputs[0]: bits[name] for name, node in layers.items()}
    looked_at = clips if network.states else [[frame] for frame in frames[:: -(-len(frames) // FRAMES)]]
    sizes = _sizes(network, by_value, looked_at)
    readers: dict[str, list[str]] = {}
    for node in network.nodes:
        for value in node.inputs:
            readers.setdefault(value, []).append(node.name)
    for value in (*network.outputs.values(), *network.states.values()):
        readers.setdefault(value, []).append("")  # no layer: an output stays what it is, and so does a state

    tensors = dict(network.tensors)
    read_as: dict[str, tuple[str, ...]] = {}
    added: dict[str, Node] = {}
    for value, size in sizes.items():
        if float(size.max()) == 0:
            continue
        factors = torch.where(size > 0, (size / size.max()).clamp_min(LEAST).sqrt(), 1.0)
        equal = [name for name in readers[value] if name in layers]
        for name in equal:
            weight = tensors[f"{name}.weight"]
            by_output = factors.repeat_interleave(len(weight) // len(factors))
            tensors[f"{name}.weight"] = weight * by_output.view(-1, 1, 1, 1)
        source = _source(value, network, readers) if equal == readers[value] else None
        if source is not None:
            for short in source.tensors:
                tensor = tensors[f"{source.name}.{short}"]
                tensors[f"{source.name}.{short}"] = tensor / factors.view(-1, *[1] * (tensor.dim() - 1))
            continue
        added[value] = Node(_free(f"{value}/equalized", network), "affine", (value,), {}, ("weight", "bias"))
        read_as |= dict.fromkeys(equal, (added[value].name,))
        tensors[f"{added[value].name}.weight"] = 1 / factors
        tensors[f"{added[value].name}.bias"] = torch.zeros_like(factors)
    nodes = []
    for node in network.nodes:
        nodes.append(replace(node, inputs=read_as.get(node.name, node.inputs)))
        nodes += [added[node.name]] if node.name in added else []
    return network.rewritten(nodes, tensors)


def _source(value: str, network: Network, readers: Mapping[str, list[str]]) -> Node | None:
    """The convolution that can divide a value's channels itself: only ReLU or its like follows."""
    nodes = {node.name: node for node in network.nodes}
    node = nodes[value]
    if node.op in HOMOGENEOUS and (node.op != "clamp" or _is_relu(node)):
        node = nodes.get(node.inputs[0], node)
        if readers[node.name] != [value]:
            return None
    return node if node.op == "conv2d" else None


def _is_relu(node: Node) -> bool:
    return node.attributes.get("min") == 0 and node.attributes.get("max") is None


def is_depthwise(node: Node, network: Network) -> bool:
    """Whether each output channel reads one input channel of a value that the network computes."""
    return (
        node.op == "conv2d"
        and int(node.attributes["groups"]) > 1
        and network.tensors[f"{node.name}.weight"].shape[1] == 1
        and node.inputs[0] != network.input
    )


def _sizes(network: Network, bits: Mapping[str, int], clips: Sequence[Sequence[Tensor]]) -> dict[str, Tensor]:
    """The clip of each channel of values, the largest over frames: C. bits: of the grid, by value."""
    total: dict[str, Tensor] = {}

    def compute(node: Node, inputs: list[Tensor]) -> Tensor:
        y = network.apply(node, inputs)
        if node.name in bits:
            step = max(1, math.isqrt(y.shape[2] * y.shape[3] // PIXELS))
            clips = channel_clips(y[:, :, ::step, ::step], bits[node.name])
            total[node.name] = torch.maximum(total.get(node.name, clips), clips)
        return y

    with torch.no_grad():
        for clip in clips:
            stream = FloatStream(network)
            for frame in clip:
                stream.feed(frame, compute=compute)
    return total


def channel_clips(x: Tensor, bits: int) -> Tensor:
    """By channel of x, N×C×H×W, the c of least Σ(x − x̂)² with a grid over x clipped to ±c; 0 for zeros: C."""
    largest = x.abs().amax((0, 2, 3), keepdim=True)
    low = x.amin((0, 2, 3), keepdim=True).clamp_max(0)
    high = x.amax((0, 2, 3), keepdim=True).clamp_min(0)
    best, clips = torch.full_like(largest, torch.inf), largest
    for share in SHARES:
        c = largest * share
        bottom, top = torch.maximum(low, -c), torch.minimum(high, c)
        scale = ((top - bottom) / (2**bits - 1)).clamp_min(torch.finfo(x.dtype).tiny)
        x_hat = (torch.minimum(torch.maximum(x, bottom), top) / scale).round_().mul_(scale)
        errors = x_hat.sub_(x).square_().sum((0, 2, 3), keepdim=True)
        clips, best = torch.where(errors < best, c, clips), torch.minimum(errors, best)
    return clips.flatten()


def _free(name: str, network: Network) -> str:
    """A name that no node has."""
    while any(node.name == name for node in network.nodes):
        name += "_"
    return name
