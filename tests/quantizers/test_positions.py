"""Where predictors look: names become values, and each quantizer has the last position before it."""

import pytest
import torch
from torch import nn

import videoquant as vq
from tests.networks import small_network
from videoquant.errors import CalibrationWarning
from videoquant.quantizers.placement import layer_bits, points
from videoquant.quantizers.positions import is_activation, resolve, responsible


@pytest.fixture(scope="module")
def network():
    return small_network()


def quantizers(network, text="w8a4"):
    return points(network, layer_bits(network, vq.Scheme.parse(text)))


def find(network, op):
    return next(node.name for node in network.nodes if node.op == op)


def test_names_become_values(network):
    at = quantizers(network)
    relu = find(network, "clamp")
    depthwise = next(node for node in network.layers if node.name == "block.depthwise")
    assert resolve(network, ("first-relu",), at) == (relu,)
    assert resolve(network, ("input",), at) == (network.input,)
    assert resolve(network, ("block.depthwise",), at) == depthwise.inputs
    assert resolve(network, ("block",), at) == depthwise.inputs  # a module: its first layer
    assert resolve(network, ("block.gate", "input", "block"), at)[0] == network.input  # in running order


def test_each_quantizer_has_the_last_position_before_it(network):
    at = quantizers(network)
    positions = resolve(network, ("first-relu", "up"), at)
    found = responsible(network, positions, at)
    assert at["stem"] not in found  # it stands before the first activation: static
    assert found[at["block.depthwise"]] == found[at["classify"]] == positions[0] or positions[1]
    assert found[at["block.project"]] == positions[0]
    assert found[at["up"]] == positions[1]
    assert set(responsible(network, (network.input,), at)) == set(at.values())


def test_an_unknown_layer_is_named_with_its_neighbours(network):
    with pytest.raises(vq.SchemeError, match=r"small has no such layer; did you mean block\.gate"):
        resolve(network, ("block.gat",), quantizers(network))


def test_a_position_after_all_quantized_layers_is_refused(network):
    at = quantizers(network)
    first_only = {"stem": at["stem"]}
    with pytest.raises(vq.SchemeError, match=r"at=up: no layer of small is quantized after it"):
        resolve(network, ("up",), first_only)


def test_without_an_activation_the_input_stands_in():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1))
    network = vq.capture(module, (torch.rand(1, 3, 8, 8),), name="linear")
    with pytest.warns(CalibrationWarning, match="it has no ReLU"):
        assert resolve(network, ("first-relu",), quantizers(network)) == (network.input,)


def test_an_activation_after_all_layers_does_not_serve():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    network = vq.capture(module, (torch.rand(1, 3, 8, 8),), name="late")
    with pytest.warns(CalibrationWarning, match="no layer is quantized after its first activation"):
        assert resolve(network, ("first-relu",), quantizers(network)) == (network.input,)


@pytest.mark.parametrize(
    ("module", "expected"),
    [(nn.ReLU6(), True), (nn.LeakyReLU(), True), (nn.Hardswish(), True), (nn.Sigmoid(), False)],
)
def test_what_counts_as_an_activation(module, expected):
    network = vq.capture(nn.Sequential(nn.Conv2d(3, 4, 1), module), (torch.rand(1, 3, 4, 4),))
    assert is_activation(network.nodes[-1]) is expected


@pytest.mark.parametrize("module", [nn.Hardtanh(), nn.Hardtanh(0.5, 1.0)])
def test_a_clamp_of_other_limits_is_no_first_activation(module):
    layers = nn.Sequential(nn.Conv2d(3, 4, 1), module, nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1))
    network = vq.capture(layers, (torch.rand(1, 3, 4, 4),))
    clamp, relu = (node.name for node in network.nodes if node.op == "clamp")
    assert resolve(network, ("first-relu",), quantizers(network)) == (relu,)
    assert not is_activation(next(node for node in network.nodes if node.name == clamp))
