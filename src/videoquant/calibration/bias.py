"""Local bias correction: what quantization adds to a layer's output on average is taken from its bias.

    b' = b + mean over samples and pixels of (W∗x + b) − (Ŵ∗x̂ + b),  by output channel

x is the layer's input as it is at run time, made by the quantized layers before it, before it is quantized;
so each layer is corrected for its own rounding and clipping alone, in network order, without labels, and at
no cost at run time (Nagel et al., "Data-free quantization through weight equalization and bias correction",
ICCV 2019, section 4.2, on samples). Correcting for the whole shift, that of the layers before included, was
measured to be worse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from videoquant.network.graph import Network, Node
from videoquant.quantizers.weights import WeightCodes
from videoquant.simulate.layer import compute_layer
from videoquant.simulate.quantized_tensor import Represented


def corrected_bias(
    node: Node,
    samples: Iterable[tuple[Tensor, Represented]],
    codes: WeightCodes | None,
    tensors: dict[str, Tensor],
) -> Tensor:
    """A layer's bias, C_out, as it best is with these codes.

    samples: of the layer's input, x and x̂.
    codes: of its weights.
    tensors: its own: "weight" and maybe "bias".
    """
    shift, count = torch.zeros((), dtype=torch.float64), 0
    for x, x_hat in samples:
        difference = compute_layer(node, x, None, tensors) - compute_layer(node, x_hat, codes, tensors)
        channel = difference.dim() - 1 if node.op == "linear" else 1
        by_channel = difference.movedim(channel, 0).flatten(1)
        shift = shift + by_channel.double().sum(1)
        count += by_channel.shape[1]
    bias = tensors.get("bias")
    mean = (shift / count).float()
    return mean if bias is None else bias + mean


def with_biases(network: Network, biases: Mapping[str, Tensor]) -> Network:
    """The network with other biases of these layers; one that had none has one now."""
    nodes = [
        replace(node, tensors=(*node.tensors, "bias"))
        if node.name in biases and "bias" not in node.tensors
        else node
        for node in network.nodes
    ]
    tensors = network.tensors | {f"{name}.bias": bias for name, bias in biases.items()}
    return Network(
        nodes,
        network.input,
        network.input_shape,
        network.outputs,
        tensors,
        network.preprocessing,
        network.name,
    )
