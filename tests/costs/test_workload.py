"""Sizes of layers, and their bit-widths as everywhere else."""

import numpy as np
import pytest
import torch

import videoquant as vq
from tests.costs.chips import one_conv
from tests.networks import small_network
from videoquant.costs.workload import workload
from videoquant.errors import NetworkError
from videoquant.network import graph
from videoquant.quantizers.placement import layer_bits
from videoquant.schemes import Scheme

SCHEMES = (
    "fp32",
    "w8a8",
    "w4a2 head=fp tail=5",
    "w8a8->w4a4 T=3",
    "w8a4->w3a8 T=2 head=2 tail=2",
    "w32a32->w4a4",
    "w4a4->w2a2 keep-float=block,stem",
)


@pytest.mark.parametrize("text", SCHEMES)
def test_bits_are_those_of_placement(text):
    network, scheme = small_network(), Scheme.parse(text)
    work = workload(network)
    bits = layer_bits(network, scheme)
    for is_key in (True, False):
        weights, activations = work.bits(scheme, is_key)
        for index, name in enumerate(work.names):
            of_layer = bits[name].key if is_key else bits[name].residual or bits[name].key
            assert (weights[index], activations[index]) == (of_layer.weights, of_layer.activations)


def test_sizes_by_hand():
    work = workload(small_network())
    row = {name: index for index, name in enumerate(work.names)}
    sizes = np.stack(
        [work.macs, work.weights, work.inputs, work.outputs, work.in_channels, work.out_channels]
    ).T
    assert sizes[row["stem"]].tolist() == [8 * 8 * 8 * 27, 8 * 27, 3 * 16 * 16, 8 * 8 * 8, 3, 8]
    assert sizes[row["block.depthwise"]].tolist() == [8 * 8 * 8 * 9, 72, 512, 512, 1, 8]
    assert sizes[row["up"]].tolist() == [8 * 8 * 8 * 16, 8 * 4 * 4, 512, 4 * 16 * 16, 8, 4]
    assert sizes[row["classify"]].tolist() == [40, 40, 8, 5, 8, 5]


def test_layers_that_read_one_value_share_its_state():
    work = workload(small_network())
    row = {name: index for index, name in enumerate(work.names)}
    assert work.state_inputs[row["left"]] == work.inputs[row["left"]] > 0
    assert work.state_inputs[row["right"]] == 0


def test_groups_count_the_input_channels_of_one():
    work = workload(one_conv(16, 8, groups=4))
    assert (work.in_channels[0], work.out_channels[0]) == (4, 8)


def test_unknown_kinds_of_layers_are_refused(monkeypatch):
    network = small_network()
    node = next(node for node in network.nodes if node.op == "add")
    network.macs  # noqa: B018 - counted while the layers are those that are known
    monkeypatch.setattr(graph, "LAYERS", (*graph.LAYERS, "add"))
    network.macs[node.name] = 1
    network.tensors[f"{node.name}.weight"] = next(iter(network.tensors.values()))
    with pytest.raises(NetworkError, match=r"no cost is known for the kind 'add'"):
        workload(network)


@pytest.mark.parametrize(("groups", "channels"), [(1, (8, 4)), (2, (4, 4)), (4, (2, 4))])
def test_groups_of_a_transposed_convolution_count_the_input_channels_of_one(groups, channels):
    up = torch.nn.ConvTranspose2d(8, 4, 2, stride=2, groups=groups)
    work = workload(vq.capture(up, (torch.zeros(1, 8, 5, 5),)))
    assert (work.in_channels[0], work.out_channels[0]) == channels
