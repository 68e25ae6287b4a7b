"""Activations at run time: Dense + Sparse against its definition, adaptive widths at their edges."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.quantizers.on_grid import fake_quantize
from videoquant.ranges.estimators import Threshold
from videoquant.ranges.grid import Grid
from videoquant.ranges.sources import DynamicGrid
from videoquant.simulate.activations import quantize_adaptive, quantize_dense_sparse


@given(st.integers(0, 10**6), st.integers(2, 8), st.booleans(), st.sampled_from([0.0, -0.3, -1.0]))
def test_dense_plus_sparse_is_the_definition(seed, bits, symmetric, low):
    x = torch.randn(1, 4, 6, 7, generator=torch.Generator().manual_seed(seed)).clamp_min(1.5 * low)
    grid = Grid.dense(-1.0 if symmetric else low, 1.0, bits, symmetric)
    x_hat, density = quantize_dense_sparse(x, grid)
    values = x_hat.values
    assert grid.cells[1] == pytest.approx(1.0) and grid.cells[0] <= low * 0.999999
    outside = (x > grid.cells[1]) | (x < max(grid.cells[0], -grid.cells[1]))
    dense = fake_quantize(x, grid)
    assert torch.equal(values, dense + torch.where(outside, x - dense, 0.0).half().float())
    assert density == pytest.approx(float(outside.float().mean()))
    # Nothing is lost to clipping: half a step inside, half-precision rounding outside.
    assert float((values - x).abs().max()) <= max(grid.scale * 0.5001, 2e-3)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("density", [0.01, 0.03, 0.2])
@pytest.mark.parametrize("kind", ["signed", "positive", "hard-swish", "residual"])
def test_the_density_on_the_input_itself_is_the_one_requested(kind, density, bits):
    x = torch.distributions.Laplace(0.0, 1.0).sample((1, 16, 32, 32))
    x = {"positive": x.relu(), "hard-swish": torch.nn.functional.hardswish(3 * x)}.get(kind, x)
    source = DynamicGrid(Threshold(density), bits, symmetric=kind == "residual")
    found = quantize_dense_sparse(x, source.grid(x.numpy, {}))[1]
    assert found == pytest.approx(density, rel=0.01)


@pytest.mark.parametrize("limit", [6.0, 5.9, 0.7, 1 / 3])
@pytest.mark.parametrize("symmetric", [False, True])
def test_where_many_values_saturate_the_limit_is_a_code(limit, symmetric):
    x = torch.rand(1, 8, 10, 10).mul(2 * limit).clamp_max(limit)
    source = DynamicGrid(Threshold(0.01), 4, symmetric)
    x_hat, density = quantize_dense_sparse(x, source.grid(x.numpy, {}))
    assert density == 0
    assert x_hat.values[x == limit].numpy() == pytest.approx(limit, rel=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
@given(st.floats(0.125, 10, width=32), st.integers(2, 8), st.booleans())
def test_values_equal_to_the_threshold_are_dense(sign, limit, bits, symmetric):
    """Only what is above T is sparse, however many values saturate at T itself."""
    below = torch.rand(960) * limit * 0.99
    x = torch.cat([below, torch.full((35,), limit), torch.full((5,), 2 * limit)]).view(1, 10, 10, 10)
    x = sign * x
    grid = DynamicGrid(Threshold(0.01), bits, symmetric).grid(x.numpy, {})
    x_hat, density = quantize_dense_sparse(x, grid)
    assert density == pytest.approx(0.005)
    assert torch.equal(x_hat.sparse != 0, x.abs() > limit)


def test_floating_point_has_no_sparse_part():
    x = torch.randn(1, 3, 4, 4)
    values, density = quantize_dense_sparse(x, None)
    assert values is x and density == 0


def test_values_beyond_half_precision_stay_finite():
    x_hat, _ = quantize_dense_sparse(torch.tensor([[1e6, -1e6, 0.1]]), Grid.symmetric(1.0, 4))
    assert torch.isfinite(x_hat.values).all()


def test_adaptive_widths_at_their_edges():
    # One location per column: largest codes 0, 1, 7, 8 and 127 on a grid of step 1.
    codes = torch.tensor([0.0, 1.0, -7.0, 8.0, 127.0]).view(1, 1, 1, 5)
    grid = Grid.symmetric(127.0, 8)
    x_hat, shares = quantize_adaptive(codes, grid, 8, tolerance=0)
    assert torch.equal(x_hat.values, codes)
    assert shares == pytest.approx({0: 0.2, 4: 0.4, 8: 0.4})
    x_hat, shares = quantize_adaptive(codes, grid, 8, tolerance=1)
    assert x_hat.values.flatten().tolist() == [0, 0, -7, 7, 127]  # clipped by at most one step
    assert shares == pytest.approx({0: 0.4, 4: 0.4, 8: 0.2})


def test_a_location_is_decided_by_its_largest_channel():
    residual = torch.zeros(1, 3, 1, 2)
    residual[0, 2, 0, 1] = 9
    _, shares = quantize_adaptive(residual, Grid.symmetric(127.0, 8), 8, 0)
    assert shares == pytest.approx({0: 0.5, 4: 0, 8: 0.5})


def test_a_location_of_a_linear_layer_is_a_row():
    residual = torch.zeros(1, 4, 3)
    residual[0, 1, 2] = 9
    residual[0, 2, 0] = 3
    x_hat, shares = quantize_adaptive(residual, Grid.symmetric(127.0, 8), 8, 0)
    assert shares == pytest.approx({0: 0.5, 4: 0.25, 8: 0.25})
    assert torch.equal(x_hat.values, residual)


@pytest.mark.parametrize(("bits", "expected"), [(4, {0: 0.25, 4: 0.75}), (6, {0: 0.25, 4: 0.5, 6: 0.25})])
def test_no_location_is_wider_than_the_residual(bits, expected):
    codes = torch.tensor([0.0, 3.0, -7.0, 31.0]).view(1, 1, 1, 4)
    last = 2 ** (bits - 1) - 1
    x_hat, shares = quantize_adaptive(codes, Grid.symmetric(last, bits), bits, tolerance=0)
    assert shares == pytest.approx(expected)
    assert float(x_hat.values.abs().max()) == last
