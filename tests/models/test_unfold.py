"""Folded weights, put back under batch norm."""

from dataclasses import replace

import pytest
import torch

from videoquant.errors import NetworkError
from videoquant.models import create
from videoquant.models.loading import capture_model
from videoquant.models.mobilenet_v2 import MOBILENET_V2, MobileNetV2
from videoquant.models.unfold import load_folded

CONFIG = replace(
    MOBILENET_V2,
    stages=((1, 8, 1, 1), (6, 12, 2, 2)),
    stem=8,
    last=16,
    num_classes=5,
    size=(32, 32),
    dropout=0.0,
)


def trained(seed: int, config=CONFIG) -> MobileNetV2:
    """A network whose batch norms have statistics and weights of their own."""
    torch.manual_seed(seed)
    model = MobileNetV2(config).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    return model


@torch.no_grad()
def test_it_computes_what_the_folded_network_does():
    source, model, x = trained(0), trained(1, replace(CONFIG, num_classes=3)), torch.randn(8, 3, 32, 32)
    load_folded(model, capture_model("folded", source), x)
    assert torch.allclose(model.features(x), source.features(x), atol=1e-4)
    # Training begins with what its batch norms normalise, not with something else.
    other = torch.randn(8, 3, 32, 32)
    assert torch.allclose(model.features(other), source.features(other), atol=1e-4)
    assert torch.allclose(model.train().features(x), source.features(x), atol=2e-2, rtol=2e-2)


def test_another_network_is_refused_before_anything_changes():
    model = trained(1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    x = torch.randn(2, 3, 32, 32)
    with pytest.raises(NetworkError, match=r"has 9 layers, MobileNetV2 11"):
        load_folded(model, capture_model("short", trained(0, replace(CONFIG, stages=CONFIG.stages[1:]))), x)
    with pytest.raises(
        NetworkError, match=r"does not fit features\.0\.0 of MobileNetV2 \(4×3×3×3 and 8×3×3×3\)"
    ):
        load_folded(model, capture_model("thin", trained(0, replace(CONFIG, stem=4))), x)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@torch.no_grad()
def test_the_pretrained_onnx_fits(shared_data):
    from videoquant.models.loading import load

    network = load(shared_data / "models/mobilenet_v2_224.onnx")
    model, x = create("mobilenet_v2"), torch.randn(4, 3, 224, 224)
    load_folded(model, network, x)
    model.classifier[1].weight.copy_(network.tensors[f"{network.nodes[-1].name}.weight"])
    model.classifier[1].bias.copy_(network.tensors[f"{network.nodes[-1].name}.bias"])
    (logits,) = network.run(x[:1]).values()
    assert torch.allclose(model(x[:1]), logits, atol=1e-2)
