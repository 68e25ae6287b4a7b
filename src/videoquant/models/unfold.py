"""Weights of a network whose batch norm was folded, put back into a module that has batch norm.

A pretrained network often comes as ONNX, where each batch norm is part of the convolution before it. To train
it further, batch norm gets the statistics μ, σ² that its input has on some pictures, and weight σ and bias
b + μ, with b the folded bias: then it adds b, as the folded network does, and training sees values of the
usual size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videoquant.errors import NetworkError
from videoquant.models.base import Model
from videoquant.network.graph import Network


@torch.no_grad()
def load_folded(model: Model, network: Network, inputs: Tensor) -> None:
    """Load the body of a network into a model of the same architecture, all but the last layer.

    model: its convolutions without bias are each followed by a batch norm, in the order of its modules.
    network: has the same layers in the same order, the bias of batch norm in them.
    inputs: N×C×H×W, which give batch norm its statistics.

    Afterwards the model, in eval mode, computes the network's features.
    Raises `NetworkError`, before anything is changed, where a layer is missing or of another shape.
    """
    kinds = (nn.Conv2d, nn.Linear, nn.BatchNorm2d)
    modules = [(name, module) for name, module in model.named_modules() if isinstance(module, kinds)]
    layers = [(name, module) for name, module in modules if not isinstance(module, nn.BatchNorm2d)]
    norms = [module for _, module in modules if isinstance(module, nn.BatchNorm2d)]
    nodes = [node for node in network.nodes if node.is_layer]
    if len(nodes) != len(layers):
        raise NetworkError(f"{network.name}: has {len(nodes)} layers, {type(model).__name__} {len(layers)}")
    tensors = [network.node_tensors(node) for node in nodes]
    for node, given, (name, module) in zip(nodes[:-1], tensors, layers, strict=False):
        if given["weight"].shape != module.weight.shape or "bias" not in given:
            shapes = " and ".join("×".join(map(str, w.shape)) for w in (given["weight"], module.weight))
            raise NetworkError(
                f"{network.name}: {node.name} does not fit {name} of {type(model).__name__} ({shapes}), or "
                "has no bias of a folded batch norm"
            )
    for given, (_, module), norm in zip(tensors[:-1], layers, norms, strict=False):
        module.weight.copy_(given["weight"])
        norm.bias.copy_(given["bias"])
        norm.weight.fill_(1.0)
        # So that it only adds its bias.
        norm.running_mean = torch.zeros_like(norm.bias)
        norm.running_var = torch.full_like(norm.bias, 1.0 - norm.eps)
    _take_statistics(model, norms, inputs)


def _take_statistics(model: Model, norms: list[nn.BatchNorm2d], inputs: Tensor) -> None:
    """Give each batch norm the mean and variance of its input, and the scale and shift that undo them."""

    def take(norm: nn.Module, args: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        variance, mean = torch.var_mean(args[0], (0, 2, 3))
        norm.running_mean, norm.running_var = mean, variance
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)

    handles = [norm.register_forward_pre_hook(take) for norm in norms]
    try:
        model.eval()(inputs)
    finally:
        for handle in handles:
            handle.remove()
