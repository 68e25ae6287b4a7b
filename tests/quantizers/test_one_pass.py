"""One pass of native code against PyTorch's operators, to the last bit: NaN, signs of 0, ties, layouts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videoquant import _native
from videoquant.quantizers.one_pass import is_plain, quantize_steps, scale_sums
from videoquant.ranges.grid import Grid

SPECIAL = torch.tensor([0.0, -0.0, torch.nan, torch.inf, -torch.inf, 3e38, -3e38, 1e-45, -1e-45, 0.5, -0.5])
LAYOUTS = {
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "contiguous": lambda x: x.contiguous(),
}
grids = st.one_of(
    st.builds(
        Grid.affine, st.floats(-8, 0, width=32), st.floats(0.125, 8, width=32), bits := st.integers(2, 8)
    ),
    st.builds(Grid.symmetric, st.floats(0.125, 8, width=32), bits),
)


def drawn(shape, grid, seed, layout="contiguous", special=True):
    """Values around a grid, many of them ties between two codes, some special."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator) * 4
    ties = torch.rand(shape, generator=generator) < 0.3
    x[ties] = ((x[ties] / grid.scale).round() + 0.5) * grid.scale
    if special:
        at = torch.randint(x.numel(), (x.numel() // 5,), generator=generator)
        x.view(-1)[at] = SPECIAL[torch.randint(len(SPECIAL), at.shape, generator=generator)]
    return LAYOUTS[layout](x)


def bits_of(x):
    """Its bits; NaN is NaN, whichever."""
    return torch.where(x.isnan(), torch.full_like(x, torch.nan), x).view(torch.int32)


def same(a, b):
    return a.shape == b.shape and a.stride() == b.stride() and torch.equal(bits_of(a), bits_of(b))


def steps_by_operators(x, grid):
    found = torch.mul(x, float(np.float32(1) / np.float32(grid.scale))).round_()
    return found.clamp_(grid.low - grid.zero_point, grid.high - grid.zero_point)


shapes = st.tuples(st.integers(1, 2), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9))


@settings(deadline=None)
@given(shapes, grids, st.sampled_from(list(LAYOUTS)), st.booleans(), st.booleans(), st.integers(0, 999))
def test_steps_are_those_of_three_operators(shape, grid, layout, residual, keep, seed):
    x = drawn(shape, grid, seed, layout)
    reference = drawn(shape, grid, seed + 1, layout, special=False) if residual else None
    steps, values, finite = quantize_steps(x, grid, reference, keep)
    expected = steps_by_operators(x - reference if residual else x, grid)
    assert same(steps, expected)
    if keep:
        expected = expected * grid.scale
        assert same(values, expected.add_(reference) if residual else expected)
    assert finite == bool(torch.isfinite(x).all()) and (values is not None) == keep


@settings(deadline=None)
@given(
    shapes,
    st.sampled_from(list(LAYOUTS)),
    st.sampled_from(["", "bias", "before"]),
    st.booleans(),
    st.integers(0, 999),
)
def test_scaled_sums_are_those_of_two_operators(shape, layout, added, per_channel, seed):
    generator = torch.Generator().manual_seed(seed)
    y = drawn(shape, Grid.symmetric(4, 8), seed, layout)
    channels = shape[1]
    scale = torch.rand(channels if per_channel else 1, generator=generator)
    bias = torch.randn(channels, generator=generator) if added == "bias" else None
    before = drawn(shape, Grid.symmetric(4, 8), seed + 1, layout) if added == "before" else None
    expected = y * scale.view(-1, 1, 1)
    if bias is not None:
        expected += bias.view(-1, 1, 1)
    if before is not None:
        expected += before
    scale_sums(y, scale, 1, bias, before)
    assert same(y, expected)


@pytest.mark.parametrize("shape", [(3, 17), (2, 5, 8)])
def test_the_last_dimension_can_be_the_channels(shape):
    y, scale, bias = torch.randn(shape), torch.rand(shape[-1]), torch.randn(shape[-1])
    expected = (y * scale).add_(bias)
    scale_sums(y, scale, -1, bias, None)
    assert same(y, expected)


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_neither_threads_nor_the_instruction_set_change_a_bit(isa, threads):
    grid = Grid.affine(-1, 2, 8)
    x, reference = (drawn((200_003,), grid, seed) for seed in (1, 2))
    limits = (1 / grid.scale, grid.low - grid.zero_point, grid.high - grid.zero_point, grid.scale)

    def found(*how):
        steps, values = torch.empty_like(x), torch.empty_like(x)
        addresses = (steps.data_ptr(), reference.data_ptr(), values.data_ptr())
        _native.quantize_steps(x.data_ptr(), x.numel(), *limits, *addresses, *how)
        return steps, values

    assert all(map(same, found(threads, isa), found(1, "reference")))


def test_one_value_that_is_not_finite_is_found_wherever_it_is():
    grid = Grid.affine(-1, 2, 8)
    for at in (0, 7, 40_000, 99_999):
        for bad in (torch.nan, torch.inf, -torch.inf):
            x = torch.rand(100_000)
            assert quantize_steps(x, grid)[2]
            x[at] = bad
            assert not quantize_steps(x, grid)[2]


def test_what_is_plain_lies_densely_and_alike_and_asks_for_no_gradient():
    x = torch.rand(1, 4, 6, 6)
    last = x.contiguous(memory_format=torch.channels_last)
    assert is_plain(x) and is_plain(last) and is_plain(x, torch.rand(1, 4, 6, 6))
    assert not is_plain(x, last) and not is_plain(x[..., ::2]) and not is_plain(x.expand(2, -1, -1, -1))
    assert not is_plain(x.double()) and not is_plain(x[:, :0]) and not is_plain(x.to("meta"))
    x.requires_grad_()
    assert not is_plain(x)
    with torch.no_grad():
        assert is_plain(x)


def test_scales_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="5 channels"):
        scale_sums(torch.zeros(2, 5), torch.ones(4), -1, None, None)
    with pytest.raises(ValueError, match="5 channels"):
        scale_sums(torch.zeros(2, 5), torch.ones(5), -1, torch.ones(4), None)
