"""A quantized layer against its definition in integers, bit for bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from videoquant.network.graph import Node
from videoquant.network.operators import OPERATORS
from videoquant.quantizers.on_grid import steps
from videoquant.quantizers.weights import quantize_weights
from videoquant.ranges.estimators import MSE, MinMax
from videoquant.ranges.grid import Grid
from videoquant.simulate.layer import compute_layer
from videoquant.simulate.quantized_tensor import QuantizedTensor
from videoquant.simulate.sums import LARGEST, exact_sums, input_parts

PLACE = {"stride": [2, 1], "dilation": [1, 1], "padding": [1, 0, 1, 2]}


def layer(kind, groups, channels=8, outputs=8):
    """A node and the shape of its weights."""
    if kind == "linear":
        return Node("layer", "linear"), (outputs, channels)
    if kind == "conv":
        return Node("layer", "conv2d", (), {**PLACE, "groups": groups}), (outputs, channels // groups, 3, 2)
    attributes = {**PLACE, "groups": groups, "output_padding": [1, 0]}
    return Node("layer", "conv_transpose2d", (), attributes), (channels, outputs // groups, 3, 2)


def example(kind, groups, granularity, bits, symmetric, seed, channels=8):
    generator = torch.Generator().manual_seed(seed)
    node, shape = layer(kind, groups, channels)
    codes = quantize_weights(torch.randn(shape, generator=generator) + 0.1, node, bits, granularity, MinMax())
    x = torch.randn((2, channels) if kind == "linear" else (2, channels, 5, 6), generator=generator)
    grid = Grid.symmetric(2.0, bits) if symmetric else Grid.affine(-1.0, 2.0, bits)
    return node, codes, QuantizedTensor(steps(x, grid), grid), torch.randn(8, generator=generator)


def definition(node, x, codes, added):
    """y = float32(acc) · (s_x · s_w) + added, in NumPy, whose float32 operations round one by one."""
    weight = codes.codes.double() - codes.zero_point
    acc = OPERATORS[node.op](x.steps.double(), weight=weight, **node.attributes).numpy()
    scale = np.float32(x.grid.scale) * codes.scale.numpy()
    shape = (1, -1) + (1,) * (acc.ndim - 2)
    return acc.astype(np.float32) * scale.reshape(shape) + added


kinds = st.sampled_from(
    [("conv", 1), ("conv", 2), ("conv", 8), ("up", 1), ("up", 2), ("up", 8), ("linear", 1)]
)


@settings(deadline=None)
@given(
    kinds,
    st.sampled_from(["per-channel", "per-tensor", "asymmetric"]),
    st.integers(2, 8),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_a_layer_is_its_definition_bit_for_bit(kind, granularity, bits, symmetric, seed):
    node, codes, x, bias = example(*kind, granularity, bits, symmetric, seed)
    tensors = {"weight": codes.values, "bias": bias}
    shape = (1, -1) + (1,) * (x.steps.dim() - 2)
    y = compute_layer(node, x, codes, tensors)
    assert np.array_equal(y, definition(node, x, codes, bias.view(shape).numpy()))
    before = torch.randn(y.shape)
    residual = compute_layer(node, x, codes, tensors, before)
    assert np.array_equal(residual, definition(node, x, codes, before.numpy()))


@pytest.mark.parametrize(
    "kind", [("conv", 1), ("conv", 2), ("conv", 8), ("up", 1), ("up", 2), ("up", 8), ("linear", 1)]
)
def test_a_faint_output_channel_is_as_exact_as_a_loud_one(kind):
    """Every channel is told apart from its own noise, whatever the others' magnitude."""
    node, shape = layer(*kind)
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    x = torch.rand(
        (64, 8) if kind[0] == "linear" else (1, 8, 20, 20), generator=torch.Generator().manual_seed(1)
    )
    y = OPERATORS[node.op](x, weight=weight, **node.attributes)
    factor = torch.ones_like(weight)
    for channel in range(0, 8, 2):
        (mine,) = torch.autograd.grad(y[:, channel].sum(), weight, retain_graph=True)
        factor[mine != 0] = 1e-3
    weight = (weight * factor).detach()
    y = OPERATORS[node.op](x, weight=weight, **node.attributes)
    codes = quantize_weights(weight, node, 8, "per-channel", MSE())
    grid = Grid.affine(0, 1, 8)
    noise = compute_layer(node, QuantizedTensor(steps(x, grid), grid), codes, {"weight": weight}) - y
    others = [d for d in range(y.dim()) if d != 1]
    assert float((y.square().mean(others) / noise.square().mean(others)).min()) > 1000


@pytest.mark.parametrize("kind", ["conv", "up", "linear"])
def test_the_sparse_part_is_added_last(kind):
    node, codes, x, bias = example(kind, 1, "per-channel", 4, False, 0)
    sparse = torch.randn(x.steps.shape) * (torch.rand(x.steps.shape) < 0.1)
    tensors = {"weight": codes.values, "bias": bias}
    y = compute_layer(node, QuantizedTensor(x.steps, x.grid, sparse), codes, tensors)
    part = OPERATORS[node.op](sparse, weight=codes.values, **node.attributes)
    assert torch.equal(y, compute_layer(node, x, codes, tensors) + part)


@pytest.mark.parametrize("kind", ["conv", "up", "linear"])
def test_what_needs_a_gradient_computes_the_same_but_for_rounding(kind):
    node, codes, x, bias = example(kind, 1, "per-channel", 8, False, 0)
    weight = codes.values.clone().requires_grad_()
    y = compute_layer(node, x, codes, {"weight": weight, "bias": bias})
    assert torch.allclose(y, compute_layer(node, x, codes, {"weight": codes.values, "bias": bias}), atol=1e-5)
    y.sum().backward()
    assert float(weight.grad.abs().sum()) > 0


@pytest.mark.parametrize(("kind", "groups"), [("conv", 1), ("conv", 2), ("up", 1), ("up", 2), ("linear", 1)])
@pytest.mark.parametrize("granularity", ["per-channel", "asymmetric"])
def test_sums_too_large_for_float32_are_rounded_once(kind, groups, granularity):
    # Every code and every weight at its end: no layer has larger sums.
    channels = 4096 if kind == "linear" else 1024
    node, codes, x, _ = example(kind, groups, granularity, 8, False, 0, channels)
    codes.codes.fill_(127 if granularity == "per-channel" else 255)
    x.steps.copy_(torch.randint(250, 256, x.steps.shape))
    grid = Grid(1.0, 0, 0, 255)
    weight = codes.codes.double() - codes.zero_point
    acc = OPERATORS[node.op](x.steps.double(), weight=weight, **node.attributes)
    assert float(acc.max()) > LARGEST
    assert torch.equal(exact_sums(node, QuantizedTensor(x.steps, grid), codes), acc.float())


def test_a_layer_is_computed_in_the_fewest_parts():
    node, codes, _, _ = example("conv", 2, "per-tensor", 8, False, 0, 64)
    codes.codes.fill_(1)  # 32 channels of 6 taps
    assert codes.extent == 32 * 6
    assert len(input_parts(node, codes, 192)) == 1
    of_x, of_weight = input_parts(node, codes, 191)[1]
    assert of_weight.tolist() == list(range(16, 32))
    assert of_x.tolist() == [*range(16, 32), *range(48, 64)]
    assert len(input_parts(node, codes, 6)) == len(input_parts(node, codes, 1)) == 32
