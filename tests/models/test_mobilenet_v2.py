"""Our MobileNetV2 and the ONNX file of the shared data are the same function of the same weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

import videoquant as vq


def with_weights_of(network: vq.Network) -> vq.models.Model:
    """Ours, with the layers of a network whose batch norms are folded: the same layers in the same order.

    Its batch norms pass on what they get, and add the bias that a folded convolution has.
    """
    model = vq.models.create("mobilenet_v2")
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(layers) == len(network.layers) == len(norms) + 1
    with torch.no_grad():
        for layer, node in zip(layers, network.layers, strict=True):
            layer.weight.copy_(network.tensors[f"{node.name}.weight"].view_as(layer.weight))
        for norm, node in zip(norms, network.layers, strict=False):
            norm.eps = 0.0  # the running variance is 1
            norm.bias.copy_(network.tensors[f"{node.name}.bias"])
        layers[-1].bias.copy_(network.tensors[f"{network.layers[-1].name}.bias"])
    return model


def test_ours_and_the_onnx_file_give_the_same_output(shared_data: Path) -> None:
    network = vq.load(shared_data / "models" / "mobilenet_v2_224.onnx")
    model = with_weights_of(network)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        x = torch.randn(1, 3, 224, 224, generator=generator)
        with torch.no_grad():
            ours, theirs = model(x), network(x)
        assert float(theirs.abs().max()) > 1  # logits that say something
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)
