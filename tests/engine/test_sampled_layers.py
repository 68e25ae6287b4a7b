"""A layer of every a-th row and b-th column gives what those are in the whole map."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.operators import captured
from videoquant.engine.fusion import fuse
from videoquant.engine.operators import Operator
from videoquant.engine.quantizers import made_by
from videoquant.engine.samples import PRODUCTS, SKIPPED, early_samples, sampled_layer, sampled_size
from videoquant.engine.split import split


@pytest.mark.parametrize("steps", [(1, 1), (2, 3), (3, 1)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
def test_a_sampled_layer_gives_every_nth_row_and_column(steps, stride):
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(1, 4, 20, 31, generator=generator), torch.randn(5, 4, 3, 3, generator=generator)
    operator = Operator("conv", {"stride": list(stride), "padding": [1, 1, 1, 1]})
    whole = F.conv2d(x, weight, stride=stride, padding=1)
    sampled = F.conv2d(x, weight, stride=sampled_layer(operator, steps).attrs["stride"], padding=1)
    assert torch.allclose(sampled, whole[..., :: steps[0], :: steps[1]], atol=1e-5)
    assert sampled_size((*whole.shape[2:], 5), steps) == (*sampled.shape[2:], 5)
    assert operator.attrs["stride"] == list(stride)  # the layer itself stays as it is


class Two(nn.Module):
    """A layer of 27 products for one output, and one of 576."""

    def __init__(self):
        super().__init__()
        self.few, self.many = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 32, 3, padding=1)

    def forward(self, x):
        return F.relu(self.many(F.relu(self.few(x))))


@pytest.mark.parametrize("every", [4, 9, 16, 25, 36])
def test_a_layer_of_many_products_is_computed_twice_only_for_few_pixels(every):
    network = captured(Two, 48)
    body = split(network)
    groups = fuse(body, network.input)
    relus = [node.name for node in network.nodes if node.op == "clamp"]
    sizes = [body.sizes[value] for value in relus]
    watched = {
        value: height * width * channels // every
        for value, (height, width, channels) in zip(relus, sizes, strict=True)
    }
    found = early_samples(network, body, groups, made_by(groups), watched)
    least = dict(zip(relus, (SKIPPED, 576 / PRODUCTS), strict=True))
    for value, limit in least.items():
        assert (value in found) == (every >= limit), (value, every)
        if value in found:
            rows, columns = found[value]
            assert rows * columns == every
