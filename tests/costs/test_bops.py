"""BOPs by hand."""

import pytest
import torch

import videoquant as vq
from tests.networks import small_network
from videoquant.costs.bops import amortised_bops, frame_bops
from videoquant.quantizers.placement import layer_bits, points


@pytest.fixture(scope="module")
def network():
    return small_network()


def bops(network, text, is_key=True):
    return frame_bops(network, vq.Scheme.parse(text), is_key)


def test_macs_by_hand(network):
    assert network.macs == {
        "stem": 8 * 8 * 8 * 3 * 9,
        "block.depthwise": 8 * 8 * 8 * 9,
        "block.gate": 8 * 8,
        "block.project": 8 * 8 * 8 * 8,
        "left": 8 * 8 * 8 * 4,
        "right": 8 * 8 * 8 * 4,
        "up": 8 * 8 * 8 * 4 * 4,
        "classify": 8 * 5,
    }


@pytest.mark.parametrize("attribute", ["groups", "dilation"])
def test_macs_of_grouped_and_dilated_convolutions(attribute):
    conv = torch.nn.Conv2d(4, 8, 3, padding=2, **{attribute: 2})
    network = vq.capture(conv, (torch.zeros(1, 4, 10, 10),))
    (macs,) = network.macs.values()
    _, channels, height, width = network.shapes[network.layers[0].name]
    assert macs == channels * height * width * 9 * (2 if attribute == "groups" else 4)


def test_macs_times_both_bit_widths(network):
    macs = sum(network.macs.values())
    assert bops(network, "w8a8") == macs * 64
    assert bops(network, "w4a8 head=2 tail=2") == macs * 32
    assert bops(network, "fp32") == macs * 1024
    assert (
        bops(network, "w4a4 head=fp tail=2")
        == (macs - network.macs["stem"]) * 16 + network.macs["stem"] * 1024
    )


def test_amortised_over_a_cycle(network):
    macs = sum(network.macs.values())
    text = "w8a8->w4a4 T=3 head=2 tail=2"
    key, residual = bops(network, text, True), bops(network, text, False)
    assert amortised_bops(key, residual, 3) == pytest.approx(macs * (64 + 2 * 16) / 3)


def test_dense_sparse_adds_its_floating_point_part(network):
    scheme = vq.Scheme.parse("w8a4 ds=3% head=fp tail=2")
    macs, stem = sum(network.macs.values()), network.macs["stem"]
    nominal = (macs - stem) * (32 + 0.03 * 256) + stem * 1024  # a floating-point layer has no sparse part
    assert frame_bops(network, scheme, True) == pytest.approx(nominal)
    at = points(network, layer_bits(network, scheme))
    measured = frame_bops(network, scheme, True, densities={str(at["up"]): 0.05})
    assert measured - nominal == pytest.approx(network.macs["up"] * 0.02 * 256)


def test_adaptive_counts_the_mean_width(network):
    scheme = vq.Scheme.parse("w8a8->w4a8 T=3 adaptive head=2 tail=2")
    at = points(network, layer_bits(network, scheme))
    shares = {str(at["stem"]): {0: 0.5, 4: 0.25, 8: 0.25}}
    expected = sum(network.macs.values()) * 32 - network.macs["stem"] * 4 * (8 - 3)
    assert frame_bops(network, scheme, False, shares) == pytest.approx(expected)
    assert (
        frame_bops(network, scheme, False, {str(point): {0: 1.0, 4: 0.0, 8: 0.0} for point in at.values()})
        == 0
    )


def test_a_region_counts_what_it_computes_of_each_layer(network):
    scheme = vq.Scheme.parse("w8a4 head=8 tail=4 regions")
    macs = network.macs
    computed = dict.fromkeys(macs, 0.25) | {"stem": 0.5}
    expected = macs["stem"] * 0.5 * 64 + (sum(macs.values()) - macs["stem"]) * 0.25 * 32
    assert frame_bops(network, scheme, True, computed=computed) == pytest.approx(expected)
