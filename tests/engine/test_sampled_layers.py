"""A layer of every a-th row and b-th column gives what those are in the whole map."""

import pytest
import torch
import torch.nn.functional as F

from videoquant.engine.operators import Operator
from videoquant.engine.samples import sampled_layer, sampled_size


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
