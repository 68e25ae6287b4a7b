"""Tensors on a grid against PyTorch's quantization operators, to the last bit."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.quantizers.on_grid import codes, dequantize, fake_quantize
from videoquant.ranges.grid import Grid

values = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=50).map(torch.tensor)
limits = st.floats(0, 1e4, width=32)
bit_widths = st.integers(2, 8)


@given(values, limits, limits, bit_widths)
def test_affine_equals_torch_bit_for_bit(x, a, b, bits):
    grid = Grid.affine(-a, b, bits)
    expected = torch.fake_quantize_per_tensor_affine(x, grid.scale, grid.zero_point, grid.low, grid.high)
    assert torch.equal(fake_quantize(x, grid), expected)


@given(values, limits, bit_widths)
def test_symmetric_equals_torch_bit_for_bit(x, limit, bits):
    grid = Grid.symmetric(limit, bits)
    expected = torch.fake_quantize_per_tensor_affine(x, grid.scale, 0, grid.low, grid.high)
    assert torch.equal(fake_quantize(x, grid), expected)


@given(values, limits, limits, bit_widths)
def test_codes_stand_for_the_fake_quantized_values(x, a, b, bits):
    grid = Grid.affine(-a, b, bits)
    found = codes(x, grid)
    assert found.dtype == torch.int32
    assert int(found.min()) >= 0 and int(found.max()) <= 2**bits - 1
    assert torch.equal(dequantize(found, grid), fake_quantize(x, grid))


@given(values, limits, limits, bit_widths)
def test_quantizing_twice_changes_nothing(x, a, b, bits):
    grid = Grid.affine(-a, b, bits)
    once = fake_quantize(x, grid)
    assert torch.equal(fake_quantize(once, grid), once)


@given(st.floats(0.0625, 1024, width=32), st.floats(0.0625, 1024, width=32), bit_widths)
def test_error_inside_the_range_is_half_a_step(a, b, bits):
    grid = Grid.affine(-a, b, bits)
    low, high = grid.range
    x = torch.linspace(low, high, 501)
    assert float((fake_quantize(x, grid) - x).abs().max()) <= grid.scale * 0.5001


@given(limits, limits, bit_widths)
def test_zero_is_represented_exactly(a, b, bits):
    assert float(fake_quantize(torch.zeros(1), Grid.affine(-a, b, bits))) == 0


def test_half_rounds_to_even():
    x = torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5])
    assert fake_quantize(x, Grid.symmetric(7.0, 4)).tolist() == [0, 2, 2, 0, -2]


def test_an_empty_range_gives_next_to_nothing():
    for grid in (Grid.affine(0, 0, 8), Grid.symmetric(0, 4)):
        assert float(fake_quantize(torch.tensor([0.0, 1e-3, -1e-3]), grid).abs().max()) < 1e-25


def test_gradient_passes_inside_the_range_only():
    x = torch.tensor([-2.0, 0.3, 0.9, 5.0], requires_grad=True)
    fake_quantize(x, Grid.affine(-1, 1, 4)).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("bits", range(2, 9))
def test_values_with_and_without_gradient_are_the_same(bits):
    x = torch.randn(1000)
    grid = Grid.affine(-1.5, 2.5, bits)
    assert torch.equal(fake_quantize(x.clone().requires_grad_(), grid).detach(), fake_quantize(x, grid))
