"""Fake quantization in training: the values of the simulation, and gradients by their definition."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.quantizers.on_grid import fake_quantize
from videoquant.quantizers.straight_through import straight_through
from videoquant.ranges.grid import Grid

BITS = st.integers(2, 8)


@given(st.integers(0, 2**32 - 1), BITS, st.booleans(), st.floats(1e-4, 10))
def test_values_are_those_of_the_grid(seed, bits, symmetric, reach):
    x = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(seed)) * reach
    grid = Grid.symmetric(reach, bits) if symmetric else Grid.affine(-reach / 3, reach, bits)
    trained = straight_through(x, torch.tensor(grid.scale), grid.zero_point, grid.low, grid.high)
    assert torch.equal(trained, fake_quantize(x, grid))


def by_definition(x, scale, first, last):
    """LSQ as its paper writes it: rounding passes the gradient, a clipped code is a constant."""
    v = x / scale
    code = v.round()
    inside = (code >= first) & (code <= last)
    return torch.where(inside, v + (code - v).detach(), code.clamp(first, last).detach()) * scale


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("first", [-7, 0])
def test_gradients_are_those_of_the_definition(axis, first):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 6, 5, generator=generator).mul_(3).requires_grad_()
    scale = torch.rand(1 if axis is None else x.shape[axis], generator=generator).add_(0.2).requires_grad_()
    g = torch.randn(x.shape, generator=generator)
    shape = [1] * 3
    if axis is not None:
        shape[axis] = -1
    ours = torch.autograd.grad(straight_through(x, scale, 3, first + 3, 10, axis), (x, scale), g)
    theirs = torch.autograd.grad(by_definition(x, scale.view(shape), first, 7), (x, scale), g)
    torch.testing.assert_close(ours[0], theirs[0])
    assert (ours[0] == 0).any() and (ours[0] != 0).any()
    factor = math.sqrt(x.numel() / scale.numel() * 7)
    torch.testing.assert_close(ours[1] * factor, theirs[1], rtol=1e-4, atol=1e-4)


def test_a_scale_without_a_gradient_costs_none_and_types_stay():
    x = torch.randn(10, dtype=torch.bfloat16, requires_grad=True)
    y = straight_through(x, torch.tensor(0.5), 0, -7, 7)
    y.float().sum().backward()
    assert y.dtype == x.grad.dtype == torch.bfloat16 and torch.equal(x.grad, torch.ones_like(x))
