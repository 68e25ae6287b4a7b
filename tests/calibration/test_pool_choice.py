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
    """A layer that reads both channels, the one so much and the other so much."""
    layer = nn.Conv2d(2, 1, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([common, rare]).reshape(1, 2, 1, 1))
    return vq.capture(layer.eval(), samples()[0])


def grid(network, pool):
    (found,) = vq.quantize(network, f"w8a8 pool={pool}", samples()).grids.values()
    return found.key.fixed


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
