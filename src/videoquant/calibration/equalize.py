"""Channels before depthwise convolutions are brought to one range, so that one grid resolves them all alike.

    W ∗ x = (W · s_c) ∗ (x / s_c),  s_c = clip of channel c / largest clip

A grid is as wide as the widest channel asks for. Behind batch norm and an activation channels differ by up to
a hundredfold, and most layers sum over them, so that the small ones matter little. A depthwise convolution
gives every channel an output of its own, and the small ones come out of it with a few codes left. As in
cross-layer equalization (Nagel et al., "Data-free quantization through weight equalization and bias
correction", ICCV 2019, section 4.1) a factor by channel costs its weights nothing, since each output channel
has a scale of its own; but the division is an operator, and no factor of the layer before, so that any
activation may stand between. It is one multiplication per value, in a pass that is there anyway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from videoquant.network.graph import Network, Node

FRAMES = 8  # about so many are looked at, spread over all clips
PIXELS = 4096  # of a channel are looked at, about
SHARES = [0.9**k for k in range(24)]  # of a channel's largest value, tried as its clip
LEAST = 1 / 256  # of the widest channel's range: what is smaller may be zero by chance in all frames


def equalized(network: Network, clips: Sequence[Sequence[Tensor]], bits: Mapping[str, int]) -> Network:
    """The same function, with an "affine" node before depthwise convolutions.

    clips: network inputs.
    bits: of the activations that layers read, by layer; layers that are not there are left as they are.
    """
    layers = {
        node.name: node
        for node in network.layers
        if node.name in bits and _is_depthwise(node, network)
    }
    frames = [frame for clip in clips for frame in clip]
    by_value = {node.inputs[0]: bits[name] for name, node in layers.items()}
    sizes = _sizes(network, by_value, frames[:: -(-len(frames) // FRAMES)])
    nodes, tensors, names = [], dict(network.tensors), {node.name for node in network.nodes}
    scaled: dict[str, str] = {}
    for node in network.nodes:
        value = node.inputs[0] if node.name in layers else None
        size = None if value is None else sizes[value]
        if value is None or size is None or float(size.max()) == 0:
            nodes.append(node)
            continue
        factors = torch.where(size > 0, (size / size.max()).clamp_min(LEAST), 1.0)
        if value not in scaled:
            name = scaled[value] = _free(f"{value}/equalized", names)
            nodes.append(Node(name, "affine", (value,), tensors=("weight", "bias")))
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = 1 / factors, torch.zeros_like(factors)
        nodes.append(replace(node, inputs=(scaled[value],)))
        weight = tensors[f"{node.name}.weight"]
        by_output = factors.repeat_interleave(len(weight) // len(factors))
        tensors[f"{node.name}.weight"] = weight * by_output.view(-1, 1, 1, 1)
    return network.rewritten(nodes, tensors)


def _is_depthwise(node: Node, network: Network) -> bool:
    """Whether each output channel reads one input channel of a value that the network computes."""
    return (
        node.op == "conv2d"
        and int(node.attributes["groups"]) > 1
        and network.tensors[f"{node.name}.weight"].shape[1] == 1
        and node.inputs[0] != network.input
    )


def _sizes(network: Network, bits: Mapping[str, int], frames: Sequence[Tensor]) -> dict[str, Tensor]:
    """The clip of each channel of values, as a mean over frames: C. bits: of the grid, by value."""
    total: dict[str, Tensor] = {}

    def compute(node: Node, inputs: list[Tensor]) -> Tensor:
        y = network.apply(node, inputs)
        if node.name in bits:
            step = max(1, math.isqrt(y.shape[2] * y.shape[3] // PIXELS))
            clips = channel_clips(y[:, :, ::step, ::step], bits[node.name]) / len(frames)
            total[node.name] = total.get(node.name, torch.zeros_like(clips)) + clips
        return y

    with torch.no_grad():
        for frame in frames:
            network.run(frame, compute)
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


def _free(name: str, taken: set[str]) -> str:
    """A name that no node has."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name
