"""The grid against PyTorch's quantization operators, to the last bit, and its own definition."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.quantizers.grid import Grid

values = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=50).map(torch.tensor)
limits = st.floats(0, 1e4, width=32)
bit_widths = st.integers(2, 8)


@given(values, limits, limits, bit_widths)
def test_affine_equals_torch_bit_for_bit(x, a, b, bits):
    grid = Grid.affine(-a, b, bits)
    expected = torch.fake_quantize_per_tensor_affine(x, grid.scale, grid.zero_point, grid.low, grid.high)
    assert torch.equal(grid.fake_quantize(x), expected)


@given(values, limits, bit_widths)
def test_symmetric_equals_torch_bit_for_bit(x, limit, bits):
    grid = Grid.symmetric(limit, bits)
    expected = torch.fake_quantize_per_tensor_affine(x, grid.scale, 0, grid.low, grid.high)
    assert torch.equal(grid.fake_quantize(x), expected)


@given(values, limits, limits, bit_widths)
def test_codes_stand_for_the_fake_quantized_values(x, a, b, bits):
    grid = Grid.affine(-a, b, bits)
    codes = grid.codes(x)
    assert codes.dtype == torch.int32
    assert int(codes.min()) >= 0 and int(codes.max()) <= 2**bits - 1
    assert torch.equal(grid.dequantize(codes), grid.fake_quantize(x))


@given(values, limits, limits, bit_widths)
def test_quantizing_twice_changes_nothing(x, a, b, bits):
    grid = Grid.affine(-a, b, bits)
    once = grid.fake_quantize(x)
    assert torch.equal(grid.fake_quantize(once), once)


@given(st.floats(0.0625, 1024, width=32), st.floats(0.0625, 1024, width=32), bit_widths)
def test_error_inside_the_range_is_half_a_step(a, b, bits):
    grid = Grid.affine(-a, b, bits)
    low, high = grid.range
    x = torch.linspace(low, high, 501)
    assert float((grid.fake_quantize(x) - x).abs().max()) <= grid.scale * 0.5001


@given(limits, limits, bit_widths)
def test_zero_is_represented_exactly(a, b, bits):
    assert float(Grid.affine(-a, b, bits).fake_quantize(torch.zeros(1))) == 0


def test_the_grid_of_the_method():
    grid = Grid.affine(-1.0, 3.0, 4)
    assert math.isclose(grid.scale, 4 / 15, rel_tol=1e-7)
    assert (grid.zero_point, grid.low, grid.high) == (4, 0, 15)
    assert Grid.symmetric(7.0, 4) == Grid(1.0, 0, -7, 7)


def test_half_rounds_to_even():
    x = torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5])
    assert Grid.symmetric(7.0, 4).fake_quantize(x).tolist() == [0, 2, 2, 0, -2]


def test_an_empty_range_gives_next_to_nothing():
    for grid in (Grid.affine(0, 0, 8), Grid.symmetric(0, 4)):
        assert float(grid.fake_quantize(torch.tensor([0.0, 1e-3, -1e-3])).abs().max()) < 1e-25


def test_gradient_passes_inside_the_range_only():
    x = torch.tensor([-2.0, 0.3, 0.9, 5.0], requires_grad=True)
    Grid.affine(-1, 1, 4).fake_quantize(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("bits", range(2, 9))
def test_values_with_and_without_gradient_are_the_same(bits):
    x = torch.randn(1000)
    grid = Grid.affine(-1.5, 2.5, bits)
    assert torch.equal(grid.fake_quantize(x.clone().requires_grad_()).detach(), grid.fake_quantize(x))


@given(st.floats(2.0**-60, 2.0**60, width=32), st.floats(0, 1.5), bit_widths, st.booleans())
def test_neither_the_threshold_nor_the_least_value_is_past_the_dense_cells(threshold, share, bits, symmetric):
    low = -threshold if symmetric else float(np.float32(-threshold * share))
    grid = Grid.dense(low, threshold, bits, symmetric)
    ends = torch.tensor([threshold, max(low, -threshold)])
    bottom, top = grid.cells
    assert ((ends <= top) & (ends >= bottom)).all()
    # Nor is T much before the end of its cell.
    assert top <= threshold * (1 + 3e-7) or -low > 0
    assert Grid.dense(0.0, threshold, bits, symmetric).cells[1] <= threshold * (1 + 3e-7)


def test_values_far_below_the_threshold_do_not_move_the_zero_point():
    assert Grid.dense(-100.0, 1.0, 4, False) == Grid.dense(-1.0, 1.0, 4, False)
    assert Grid.dense(-1.0, 1.0, 4, False).zero_point == 8
