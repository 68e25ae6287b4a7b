"""Biases take back what quantization adds on average, where the outputs gain by it."""

import pytest
import torch
from torch import nn

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.calibration.bias import corrected_bias, mean_output
from videoquant.calibration.bias_choice import better_biased
from videoquant.calibration.calibrate import layer_weights
from videoquant.calibration.calibration_pass import CalibrationPass
from videoquant.calibration.range_fit import RangeFit
from videoquant.network.operators import OPERATORS
from videoquant.simulate.layer import compute_layer


def passed(network, text, frames):
    scheme = vq.Scheme.parse(text)
    walk = CalibrationPass(network, scheme, layer_weights(network, scheme), RangeFit())
    walk.run([[network.prepare(frame)] for frame in frames], None)
    return walk


def test_the_mean_of_every_output_channel_is_that_of_floating_point():
    random = torch.Generator().manual_seed(0)
    network = small_network()
    node = network.layers[1]
    tensors = network.node_tensors(node)
    codes = layer_weights(network, vq.Scheme.parse("w3a8 head=2"))[node.name].key
    shape = network.shapes[node.inputs[0]]
    samples = [(x, x.clamp(max=1).mul(2).round() / 2) for x in torch.rand(4, *shape, generator=random) * 2]
    bias = corrected_bias(node, samples, codes, tensors)

    def mean(which, codes, tensors):
        outputs = [compute_layer(node, pair[which], codes, tensors) for pair in samples]
        return torch.cat(outputs).mean((0, 2, 3))

    exact = mean(0, None, tensors)
    assert not torch.allclose(mean(1, codes, tensors), exact, atol=1e-2)
    assert torch.allclose(mean(1, codes, tensors | {"bias": bias}), exact, atol=1e-5)


CONVOLUTIONS = (
    nn.Conv2d(6, 8, 3, padding=1), nn.Conv2d(6, 8, 1, stride=2), nn.Conv2d(6, 6, 5, 2, 2, groups=6),
    nn.Conv2d(6, 9, (3, 2), (2, 3), (2, 1), (2, 1), 3), nn.Conv2d(6, 4, 3, padding="same"),
    nn.ConvTranspose2d(6, 4, 3, 2, 1, 1, groups=2),
)  # fmt: skip


@pytest.mark.parametrize(
    "module", [*CONVOLUTIONS, nn.Sequential(nn.Flatten(), nn.Linear(6 * 81, 5))], ids=str
)
def test_the_mean_of_a_layer_is_the_mean_of_what_it_gives(module):
    network = vq.capture(module.eval(), (torch.randn(1, 6, 9, 9),))
    (node,) = network.layers
    x = torch.randn(network.shapes[node.inputs[0]], generator=torch.Generator().manual_seed(0))
    weight = network.tensors[f"{node.name}.weight"]
    y = OPERATORS[node.op](x, weight=weight, **node.attributes).double()
    wanted = y.mean((0, 2, 3)) if y.dim() == 4 else y.mean(0)
    assert torch.allclose(mean_output(node, x, weight), wanted, atol=1e-6)


def test_a_layer_without_a_bias_gets_one_and_others_stay():
    module = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Conv2d(4, 2, 1))
    network = vq.capture(module.eval(), (torch.randn(1, 3, 8, 8),))
    first, second = network.layers
    biased = network.with_tensors({**network.tensors, f"{first.name}.bias": torch.ones(4)})
    x = torch.randn(1, 3, 8, 8)
    values, given = {}, {}
    biased.run(x, lambda node, inputs: values.setdefault(node.name, biased.apply(node, inputs)))
    network.run(x, lambda node, inputs: given.setdefault(node.name, network.apply(node, inputs)))
    assert torch.allclose(values[first.name], given[first.name] + 1, atol=1e-6)
    assert "bias" not in network.layers[0].tensors
    assert biased.tensors[f"{second.name}.bias"] is network.tensors[f"{second.name}.bias"]


def test_the_outputs_decide():
    network, frames = small_network(), moving_frames(6)
    walk = passed(network, "w3a4", frames)
    clips = [[network.prepare(frame)] for frame in frames]
    better = better_biased(walk, clips).network
    assert better is not network and torch.equal(better.tensors["up.bias"], walk.outputs.biases["up"])
    worse = {name: bias + 5 for name, bias in walk.outputs.biases.items()}
    walk.outputs.biases = worse
    assert better_biased(walk, clips).network is network


def test_small_channels_count_as_much_as_large_ones():
    """Scores beside the sides of boxes: what the first channel loses is far more in numbers."""
    layer = nn.Conv2d(3, 2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[100.0, 20.0, 70.0], [0.1, 0.02, 0.07]]).reshape(2, 3, 1, 1))
    random = torch.Generator().manual_seed(0)
    frames = [torch.rand(1, 3, 16, 16, generator=random) / 5 + 1 for _ in range(6)]
    network = vq.capture(layer.eval(), torch.zeros(1, 3, 16, 16))
    walk = passed(network, "w2a8 head=2 tail=2", frames)
    (name,) = walk.outputs.biases
    before, bias = network.tensors[f"{name}.bias"], walk.outputs.biases[name].clone()
    bias[0] = before[0] + 0.02 * (before[0] - bias[0])  # a little worse
    walk.outputs.biases[name] = bias
    better = better_biased(walk, [[network.prepare(frame)] for frame in frames]).network
    assert torch.equal(better.tensors[f"{name}.bias"], bias)


def test_a_word_leaves_them_as_they_are_and_files_keep_them(tmp_path):
    network, frames = small_network(), moving_frames(6)
    plain = vq.quantize(network, "w3a4 no-bias-correction", frames)
    assert plain.network is network
    moved = vq.quantize(network, "w3a4", frames)
    assert moved.network is not network
    vq.save(moved, tmp_path / "net.vq")
    again = vq.load_quantized(tmp_path / "net.vq")
    frame = frames[0]
    assert torch.equal(again.stream()(frame)["map"], moved.stream()(frame)["map"])
    with torch.no_grad():
        exact = network(frame)["map"]
        errors = [float((q.stream()(frame)["map"] - exact).square().sum()) for q in (moved, plain)]
    assert errors[0] < errors[1]


def test_a_residual_scheme_of_one_keyframe_after_another_is_a_frame_scheme():
    network, frames = small_network(), moving_frames(6)
    for_each, all_keys, residual = (
        vq.quantize(network, text, frames) for text in ("w3a4", "w3a4 T=1", "w3a4 T=2")
    )
    assert torch.equal(all_keys.network.tensors["up.bias"], for_each.network.tensors["up.bias"])
    assert residual.network is network
