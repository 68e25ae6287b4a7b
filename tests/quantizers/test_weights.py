"""Weight codes against PyTorch's operators and the definitions of the method."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.network.graph import Node
from videoquant.network.operators import OPERATORS
from videoquant.quantizers.weights import quantize_weights
from videoquant.ranges.estimators import MSE, MinMax

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


PLACE = {"stride": [1, 1], "dilation": [1, 1], "padding": [0, 0, 0, 0]}


@pytest.mark.parametrize("estimator", [MinMax(), MSE()])
@pytest.mark.parametrize(
    ("op", "groups"),
    [
        ("linear", 1),
        *(("conv2d", groups) for groups in (1, 2, 4)),
        *(("conv_transpose2d", groups) for groups in (1, 2, 4)),
    ],
)
def test_every_output_channel_has_a_scale_of_its_own(op, groups, estimator):
    attributes = {} if op == "linear" else {**PLACE, "groups": groups}
    attributes |= {"output_padding": [0, 0]} if op == "conv_transpose2d" else {}
    shape = {"linear": (8, 4), "conv2d": (8, 4 // groups, 3, 3), "conv_transpose2d": (4, 8 // groups, 3, 3)}[
        op
    ]
    node = Node("layer", op, (), attributes)
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    x = torch.ones(1, 4) if op == "linear" else torch.ones(1, 4, 5, 5)
    before = quantize_weights(weight, node, 4, "per-channel", estimator)
    assert before.scale.shape == (8,)
    for channel in range(8):
        # Whatever reaches this channel of the output becomes much larger: nothing else does.
        y = OPERATORS[op](x, weight=weight, **attributes)
        (mine,) = torch.autograd.grad(y[:, channel].sum(), weight)
        louder = quantize_weights(
            torch.where(mine != 0, 1024 * weight, weight), node, 4, "per-channel", estimator
        )
        expected = before.scale.clone()
        expected[channel] *= 1024
        assert torch.equal(louder.scale, expected)
        assert torch.equal(louder.codes, before.codes)
        assert torch.equal(louder.values, torch.where(mine != 0, 1024 * before.values, before.values))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_training_a_transposed_convolution_sees_the_same_scales(groups):
    node = Node("up", "conv_transpose2d", (), {"groups": groups})
    weight = torch.randn(8, 3, 2, 2, requires_grad=True)
    codes = quantize_weights(weight, node, 4, "per-channel", MSE())
    scale = codes.scale.clone().requires_grad_()
    x_hat = codes.with_scale(scale).fake_quantize(weight)
    assert torch.equal(x_hat, codes.values)
    assert torch.equal(codes.requantized(weight).codes, codes.codes)
    x_hat.square().sum().backward()
    # By hand, channel by channel (Esser et al., eq. 3): Σ g · (x̂ − x·[not clipped]) / s / √(elements · last).
    blocks = weight.detach().reshape(groups, 8 // groups, 3, -1).transpose(1, 2).reshape(groups * 3, -1)
    for row, s, found in zip(blocks, codes.scale, scale.grad, strict=True):
        steps = (row * (1 / s)).round()
        kept = steps.abs() <= 7
        value = steps.clamp(-7, 7) * s
        by_hand = (2 * value * (value - row * kept)).sum() / s / (row.numel() * 7) ** 0.5
        assert float(found) == pytest.approx(float(by_hand), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("count", [64, 288, 1152])
def test_the_search_is_near_the_best_of_many_clips(count, bits):
    """How near, by bits: an 8-bit row has its minima between the candidates; see `_best_clips`."""
    torch.manual_seed(bits)
    rows = torch.distributions.Laplace(0.0, 1.0).sample((32, count))
    last = 2 ** (bits - 1) - 1
    extreme = rows.abs().amax(1, keepdim=True)

    def errors(scale):
        return ((rows / scale).round().clamp(-last, last) * scale - rows).square().sum(1)

    best = torch.stack([errors(extreme * i / 800 / last) for i in range(1, 801)]).amin(0)
    codes = quantize_weights(rows, Node("fc", "linear"), bits, "per-channel", MSE())
    ratios = errors(codes.scale.unsqueeze(1)) / best
    assert float(ratios.mean()) < (1.005 if bits <= 5 else 1.06)
    assert float(ratios.max()) < (1.05 if bits <= 5 else 1.4)


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
