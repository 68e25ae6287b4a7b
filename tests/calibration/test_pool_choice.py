"""How samples are pooled at a quantizer, chosen by what its layers make of it."""

import numpy as np
import pytest
import torch
from torch import nn

import videoquant as vq
from videoquant.calibration.pool_choice import WAYS
from videoquant.quantizers.on_grid import fake_quantize

COMMON, RARE = 0, 1  # channels


def samples():
    """Fifteen with small values, one with large ones in the second channel."""
    draw = np.random.default_rng(0)
    found = [torch.from_numpy(draw.random((1, 2, 8, 8), np.float32)) for _ in range(16)]
    found[5][:, RARE] *= 20
    return found


def reading(common, rare):
    """A layer that reads both channels, the one so much and the other so much, before another one."""
    layers = nn.Sequential(nn.Conv2d(2, 1, 1, bias=False), nn.Conv2d(1, 1, 1))
    with torch.no_grad():
        layers[0].weight.copy_(torch.tensor([common, rare]).reshape(1, 2, 1, 1))
    return vq.capture(layers.eval(), samples()[0])


def grid(network, pool, inputs=None):
    quantized = vq.quantize(network, f"w8a8 pool={pool}", inputs or samples())
    return quantized.grids[quantized.points[network.layers[0].name]].key.fixed


@pytest.mark.parametrize(
    ("common", "rare", "wanted"), [(1.0, 1.0, "largest"), (1.0, 1e-4, "mean")], ids=["read", "not read"]
)
def test_what_is_rare_is_covered_where_layers_read_it(common, rare, wanted):
    network = reading(common, rare)
    assert grid(network, "by-layers") == grid(network, wanted)
    assert grid(network, "mean").scale < 0.5 * grid(network, "largest").scale


@pytest.mark.parametrize("rare", [1.0, 0.03, 0.01, 0.003, 1e-4])
def test_it_is_the_way_of_least_relative_error(rare):
    network = reading(1.0, rare)
    weight = network.tensors[f"{network.layers[0].name}.weight"]

    def error(found):
        return sum(
            float(
                (nn.functional.conv2d(fake_quantize(x, found) - x, weight)).square().sum()
                / nn.functional.conv2d(x, weight).square().sum()
            )
            for x in samples()
        )

    assert grid(network, "by-layers") == min((grid(network, way) for way in WAYS), key=error)


def test_samples_that_are_alike_leave_nothing_to_choose():
    x = samples()[0]
    network = reading(1.0, 1.0)
    grids = [
        next(iter(vq.quantize(network, f"w8a8 pool={way}", [x, x]).grids.values()))
        for way in (*WAYS, "by-layers")
    ]
    assert all(found == grids[0] for found in grids)


def test_the_last_layers_are_judged_by_what_their_scores_become():
    """Noise far below a sigmoid's step costs nothing, and the one high score is all that there is to lose."""
    layer = nn.Conv2d(2, 1, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([40.0, 1.0]).reshape(1, 2, 1, 1))
        layer.bias.fill_(-58.0)
    inputs = [x.clone() for x in samples()]
    for x in inputs:
        x[:, RARE] = 0
    inputs[5][0, :, 3, 3] = torch.tensor([1.0, 19.0])
    sums = vq.capture(layer.eval(), inputs[0])
    scores = vq.capture(nn.Sequential(layer, nn.Sigmoid()).eval(), inputs[0])
    assert grid(sums, "by-layers", inputs) == grid(sums, "mean", inputs)
    assert grid(scores, "by-layers", inputs) == grid(scores, "largest", inputs)
