"""Clamp in training: the values of inference, and the gradients of PyTorch's modules."""

import pytest
import torch
from torch import nn

from videoquant.network.operators import OPERATORS

BOUNDS = {
    "relu": ({"min": 0.0}, nn.ReLU()),
    "relu6": ({"min": 0.0, "max": 6.0}, nn.ReLU6()),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_training_has_the_values_of_inference_and_the_gradients_of_modules(name):
    bounds, module = BOUNDS[name]
    x = torch.tensor([-1.0, -0.0, 0.0, 0.5, 6.0, 7.0, float("inf")])
    ours, theirs = (x.clone().requires_grad_() for _ in range(2))
    y = OPERATORS["clamp"](ours, **bounds)
    y.sum().backward()
    module(theirs).sum().backward()
    assert torch.equal(y.detach(), OPERATORS["clamp"](x, **bounds))
    assert torch.equal(ours.grad, theirs.grad)
    assert ours.grad[2] == 0 and ours.grad[3] == 1


def test_other_bounds_clamp_as_in_inference():
    x = torch.tensor([-3.0, 0.5, 3.0], requires_grad=True)
    for bounds in ({"min": -1.0}, {"max": 1.0}, {"min": 0.0, "max": -1.0}):
        y = OPERATORS["clamp"](x, **bounds)
        assert torch.equal(y.detach(), OPERATORS["clamp"](x.detach(), **bounds)), bounds
