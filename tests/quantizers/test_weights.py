"""Weight codes against PyTorch's operators and the definitions of the method."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.network.graph import Node
from videoquant.quantizers.ranges import MSE, MinMax
from videoquant.quantizers.weights import quantize_weights

CONV, UP = Node("conv", "conv2d"), Node("up", "conv_transpose2d")


@given(
    st.integers(0, 1000), st.integers(2, 8), st.sampled_from([CONV, UP]), st.sampled_from([MinMax(), MSE()])
)
def test_per_channel_values_equal_torch(seed, bits, node, estimator):
    weight = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(seed))
    codes = quantize_weights(weight, node, bits, "per-channel", estimator)
    last = 2 ** (bits - 1) - 1
    axis = 1 if node is UP else 0
    assert codes.scale.shape == (weight.shape[axis],)
    zeros = torch.zeros(codes.scale.shape, dtype=torch.int32)
    expected = torch.fake_quantize_per_channel_affine(weight, codes.scale, zeros, axis, -last, last)
    assert torch.equal(codes.values, expected)
    assert torch.equal(codes.fake_quantize(weight), expected)


@pytest.mark.parametrize("granularity", ["per-tensor", "asymmetric"])
def test_per_tensor_values_equal_torch(granularity):
    weight = torch.randn(6, 5, 3, 3) + 0.3
    codes = quantize_weights(weight, CONV, 4, granularity, MinMax())
    low, high = (0, 15) if granularity == "asymmetric" else (-7, 7)
    expected = torch.fake_quantize_per_tensor_affine(weight, float(codes.scale), codes.zero_point, low, high)
    assert torch.equal(codes.values, expected)
    assert torch.equal(codes.fake_quantize(weight), expected)


def test_extremes_set_the_scale_without_a_search():
    weight = torch.tensor([[1.1, -2.0], [0.5, 0.3]])
    codes = quantize_weights(weight, Node("fc", "linear"), 4, "per-channel", MinMax())
    assert codes.scale.tolist() == pytest.approx([2 / 7, 0.5 / 7])
    assert codes.codes.tolist() == [[4, -7], [7, 4]]


def test_the_search_never_loses_to_the_extremes():
    weight = torch.distributions.Laplace(0.0, 1.0).sample((16, 64))
    node = Node("fc", "linear")
    errors = [
        (quantize_weights(weight, node, 4, "per-channel", e).values - weight).square().sum(1)
        for e in (MSE(), MinMax())
    ]
    assert bool((errors[0] <= errors[1] * (1 + 1e-6)).all())
    assert float(errors[0].sum()) < 0.95 * float(errors[1].sum())


def test_a_dead_channel_stays_zero():
    weight = torch.randn(3, 4)
    weight[1] = 0
    for granularity in ("per-channel", "per-tensor", "asymmetric"):
        values = quantize_weights(weight, Node("fc", "linear"), 8, granularity, MSE()).values
        assert torch.isfinite(values).all()
        assert float(values[1].abs().max()) == 0


def test_gradient_reaches_the_weights():
    weight = torch.randn(4, 3, requires_grad=True)
    codes = quantize_weights(weight, Node("fc", "linear"), 4, "per-channel", MinMax())
    codes.fake_quantize(weight).sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))
