"""What runs behind the programs is what PyTorch's operators are, bit for bit or rounded from float64."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import videoquant as vq
from tests.networks import moving_frames
from tests.operators import captured
from tests.operators.softmax import Ends
from videoquant.engine import lower
from videoquant.network import operators
from videoquant.runtime import postprocess
from videoquant.runtime.operators import OPERATORS
from videoquant.runtime.program import PostprocessNode

SHAPES = st.tuples(*[st.integers(1, 9)] * 4)
SEEDS = st.integers(0, 2**32)
# What PyTorch computes in another precision or order, and the same in float64.
ROUNDED = {
    "sigmoid": lambda x: torch.sigmoid(x),
    "silu": lambda x: x * torch.sigmoid(x),
    "tanh": torch.tanh,
    "erf": torch.erf,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "elu": lambda x: F.elu(x, 0.7),
    "softmax": lambda x: torch.softmax(x, 1),
    "mean": lambda x: x.mean((1, 3)),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, (2, 3)),
}
ATTRIBUTES = {
    "gelu tanh": {"approximate": "tanh"},
    "elu": {"alpha": 0.7},
    "softmax": {"dim": 1},
    "mean": {"dims": [1, 3], "keepdim": False},
    "adaptive_avg_pool2d": {"size": [2, 3]},
}


def drawn(shape, seed):
    """Values of both signs with ties, zeros and some that are large."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape).astype(np.float32) * rng.choice([0, 1, 1, 4, 40], shape)
    return values.astype(np.float32) + np.float32(0)  # no −0.0, whose largest with 0.0 is either


def both(op, values, **attributes):
    """What NumPy and what PyTorch give for a node."""
    tensors = {key: value for key, value in attributes.items() if isinstance(value, np.ndarray)}
    plain = {key: value for key, value in attributes.items() if key not in tensors}
    named = {str(i): value for i, value in enumerate(values)}
    node = PostprocessNode("y", op, tuple(named), plain, tensors)
    postprocess.run([node], named)
    torch_tensors = {key: torch.from_numpy(value) for key, value in tensors.items()}
    y = operators.OPERATORS[op](*map(torch.from_numpy, values), **torch_tensors, **plain)
    return named["y"], y.numpy()


def same(op, values, **attributes):
    got, wanted = both(op, values, **attributes)
    assert got.dtype == np.float32 and got.shape == wanted.shape
    assert np.ascontiguousarray(got).tobytes() == np.ascontiguousarray(wanted).tobytes()


def test_its_operators_are_the_networks_and_no_layers():
    assert set(OPERATORS) <= set(operators.OPERATORS) - set(operators.LAYERS)


def test_what_it_does_not_know_is_refused_where_the_plan_is_made(monkeypatch):
    quantized = vq.quantize(captured(Ends), "w8a8", moving_frames(3, 12))
    monkeypatch.delitem(OPERATORS, "resize")
    with pytest.raises(vq.NetworkError, match=r"node '\w+' \(resize\) cannot be lowered"):
        lower(quantized)


@settings(deadline=None, max_examples=40)
@given(SHAPES, SEEDS)
def test_one_operation_at_a_time_gives_the_same_bits(shape, seed):
    x, y = drawn(shape, seed), drawn(shape, seed + 1)
    channels = {"weight": drawn(shape[1], seed), "bias": drawn(shape[1], seed + 2)}
    for op in ("add", "sub", "mul"):
        same(op, [x, y])
        same(op, [x, y[:, :1, :, :1]])
    same("div", [x, np.abs(y) + np.float32(0.5)])
    for attributes in ({"min": 0}, {"max": 1.5}, {"min": -0.25, "max": 6}):
        same("clamp", [x], **attributes)
    same("leaky_relu", [x], slope=0.1)
    same("hardswish", [x])
    same("hardsigmoid", [x])
    same("hardsigmoid", [x], alpha=0.2, beta=0.3)
    same("affine", [x], **channels)
    same("prelu", [x], weight=channels["weight"])
    same("prelu", [x], weight=channels["weight"][:1])
    for dtype in ("float16", "bfloat16"):
        same("round_to", [x * np.float32(1e4)], dtype=dtype)
        same("round_to", [np.clip(x.astype(float) * 1e38, -3.4e38, 3.4e38).astype(np.float32)], dtype=dtype)
    same("constant", [], value=x)


@settings(deadline=None, max_examples=40)
@given(SHAPES, SEEDS, st.data())
def test_what_moves_or_compares_values_gives_the_same_bits(shape, seed, data):
    x = drawn(shape, seed)
    draw = data.draw
    dims = draw(st.permutations(range(4)))
    same("permute", [x], dims=dims)
    same("reshape", [x.transpose(dims)], shape=[-1, shape[dims[3]]])
    same("reshape", [x], shape=[0, -1])
    dim, other = draw(st.integers(0, 3)), drawn(shape, seed + 1)
    same("concat", [x, other, x], dim=dim)
    start, step = draw(st.integers(0, shape[dim] - 1)), draw(st.integers(1, 3))
    same("slice", [x], dim=dim, start=start, end=draw(st.integers(start + 1, shape[dim])), step=step)
    same(
        "amax",
        [x],
        dims=draw(st.sets(st.integers(0, 3), min_size=1).map(sorted)),
        keepdim=draw(st.booleans()),
    )
    sides = draw(st.lists(st.integers(-(min(shape) - 1) // 2, 3), min_size=8, max_size=8))
    same("pad", [x], padding=sides, mode="constant", value=1.5)
    same("pad", [x], padding=[abs(side) for side in sides[:4]], mode="replicate")
    inner = [min(abs(side), shape[3 - i // 2] - 1) for i, side in enumerate(sides[:4])]
    same("pad", [x], padding=inner, mode="reflect")
    same("resize", [x], mode="nearest", size=[draw(st.integers(1, 20)), draw(st.integers(1, 20))])
    same("resize", [x], mode="nearest", scale=[draw(st.sampled_from([1, 1.5, 2, 3.3])), 2.0])
    factor = draw(st.integers(1, 3))
    blocks = drawn((shape[0], shape[1] * factor**2, *shape[2:]), seed)
    for order in ("CRD", "DCR"):
        same("pixel_shuffle", [blocks], factor=factor, order=order)


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.integers(1, 3)] * 2, *[st.integers(5, 12)] * 2), SEEDS, st.data())
def test_pools_see_the_same_windows(shape, seed, data):
    x, draw = drawn(shape, seed), data.draw
    kernel = [draw(st.integers(1, 4)) for _ in range(2)]
    stride, ceil = [draw(st.integers(1, 3)) for _ in range(2)], draw(st.booleans())
    near = [draw(st.integers(0, k // 2)) for k in kernel]
    dilation = [draw(st.integers(1, 2)) if k <= 2 else 1 for k in kernel]
    far = near if draw(st.booleans()) else [draw(st.integers(0, k // 2)) for k in kernel]
    window = {"kernel": kernel, "stride": stride, "ceil": ceil}
    same("max_pool2d", [x], **window, padding=[*near, *far], dilation=dilation)
    got, wanted = both("avg_pool2d", [x], **window, padding=near, count_padding=draw(st.booleans()))
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5 * np.abs(x).max())


@settings(deadline=None, max_examples=25)
@given(SHAPES, SEEDS, st.sampled_from(sorted(ROUNDED)))
def test_the_others_are_rounded_from_float64(shape, seed, name):
    x = drawn(shape, seed)
    got, of_pytorch = both(name.split()[0], [x], **ATTRIBUTES.get(name, {}))
    wide = ROUNDED[name](torch.from_numpy(x).double()).numpy()
    assert got.dtype == np.float32 and got.shape == wide.shape
    # Half a step of float32, and what float64 itself leaves open, of the largest term that is added.
    bound = np.spacing(np.abs(wide).astype(np.float32)) / 2 + 1e-13 * np.abs(x).max()
    assert (np.abs(got - wide) <= bound).all()
    np.testing.assert_allclose(got, of_pytorch, rtol=3e-6, atol=3e-6 * np.abs(x).max())


@settings(deadline=None, max_examples=25)
@given(SHAPES, SEEDS, st.integers(1, 20), st.integers(1, 20), st.booleans())
def test_bilinear_resizing_is_within_rounding(shape, seed, height, width, corners):
    x = drawn(shape, seed)
    got, wanted = both("resize", [x], mode="bilinear", size=[height, width], align_corners=corners)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6 * max(np.abs(x).max(), 1e-30))


def test_values_that_are_no_numbers_go_their_way():
    x = np.array([[np.nan, np.inf, -np.inf, 0, 1]], np.float32)
    for op in ("sigmoid", "tanh", "silu", "hardswish", "erf"):
        got, wanted = both(op, [x])
        assert np.array_equal(np.isnan(got), np.isnan(wanted))
    for op, attributes in (("clamp", {"min": 0}), ("round_to", {"dtype": "bfloat16"})):
        got, wanted = both(op, [x], **attributes)
        assert np.array_equal(got, wanted, equal_nan=True)


def test_numbers_without_dimensions_stay_arrays():
    got, _ = both("add", [np.array(1, np.float32), np.array(2, np.float32)])
    assert isinstance(got, np.ndarray) and got.shape == ()


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "elements"),
    [
        ("add", [(1, 1, 7), (1, 5, 1)], {}, 35),
        ("concat", [(1, 2, 3), (1, 4, 3)], {"dim": 1}, 18),
        ("pad", [(1, 2, 3)], {"padding": [1, 2, 3, 4], "mode": "constant"}, 6 * 9),
        ("resize", [(1, 2, 3, 4)], {"mode": "nearest", "scale": [2.0, 3.0]}, 2 * 6 * 12),
        ("resize", [(1, 2, 3, 4)], {"mode": "bilinear", "size": [5, 6]}, 60),
        ("adaptive_avg_pool2d", [(1, 2, 3, 4)], {"size": [9, 9]}, 162),
    ],
)
def test_a_size_is_asked_for_before_it_is_taken(op, inputs, attributes, elements):
    values = {str(i): np.zeros(shape, np.float32) for i, shape in enumerate(inputs)}
    node = PostprocessNode("y", op, tuple(values), attributes)
    asked = []
    postprocess.run([node], values, lambda name, size: asked.append((name, size)))
    assert asked == [("y", elements)] and values["y"].size == elements

    def refuse(name, size):
        raise vq.NetworkError(f"{name}: too large")

    del values["y"]
    with pytest.raises(vq.NetworkError, match="y: too large"):
        postprocess.run([node], values, refuse)
    assert "y" not in values


def test_a_plan_gives_what_its_nodes_do():
    frames = moving_frames(4, 12)
    plan = lower(vq.quantize(captured(Ends), "w8a8", frames[:3]))
    stream = plan.stream(threads=1)
    arrays = stream.arrays(frames[3])
    assert {name: type(y) for name, y in arrays.items()} == dict.fromkeys(arrays, np.ndarray)
    assert sorted(arrays) == sorted(plan.outputs)
    # It keeps what the softmax before it has: of three numbers, rows that add up to one.
    rows = arrays["rows"]
    assert rows.shape == (1, 288, 3) and np.allclose(rows.sum(2), 1)
    soft = arrays["soft"].transpose(0, 2, 3, 1)
    assert np.array_equal(arrays["shifted"], soft + np.arange(6, dtype=np.float32) * 2)
    powers = np.exp(soft.reshape(1, -1, 3).astype(np.float64))
    assert np.allclose(rows, powers / powers.sum(2, keepdims=True), rtol=1e-7)
    assert math.prod(rows.shape) == soft.size


@settings(deadline=None, max_examples=8)
@given(SHAPES, SEEDS, st.data())
def test_comparisons_and_selections_give_the_same_bits(shape, seed, data):
    x, y = drawn(shape, seed), drawn(shape, seed + 1)
    for op in ("minimum", "maximum", "equal", "greater", "greater_equal"):
        same(op, [x, y[:, :1]])
    same("where", [np.float32(x > 0), x, y])
    same("fmod", [x, np.abs(y) + np.float32(0.5)])
    for op in ("abs", "sign", "floor", "ceil", "round", "trunc"):
        same(op, [x])
    dim = data.draw(st.integers(0, 3))
    same("amin", [x], dims=[dim], keepdim=True)
    same("argmax", [x], dim=dim, keepdim=False)
    for largest in (True, False):
        for op in ("topk_values", "topk_indices"):
            same(op, [x], k=data.draw(st.integers(1, shape[dim])), dim=dim, largest=largest)
    whole = np.random.default_rng(seed).integers(-shape[dim], shape[dim], (2, 3)).astype(np.float32)
    same("gather", [x, whole], dim=dim)
    same("gather_elements", [x, whole[:1, :1, None, None]], dim=dim)
    lead = np.stack(
        [np.random.default_rng(seed + i).integers(0, n, (3, 2)) for i, n in enumerate(shape[:2])], -1
    )
    same("gather_nd", [x, lead.astype(np.float32)], batch_dims=0)
    same("expand", [x[:, :1]], shape=[2, *shape])
    same("tile", [x], repeats=[1, 2, 1, 2])


@settings(deadline=None, max_examples=8)
@given(SHAPES, SEEDS)
def test_functions_norms_and_products_are_rounded_from_float64(shape, seed):
    x = drawn(shape, seed) * np.float32(0.1)
    cases = [(op, [x], {}) for op in ("exp", "sin", "cos", "softplus", "mish")]
    cases += [("sqrt", [np.abs(x)], {})]
    cases += [
        ("log", [np.abs(x) + np.float32(0.1)], {}),
        ("pow", [np.abs(x), np.abs(x) + np.float32(0.5)], {}),
    ]
    cases += [("sum", [x], {"dims": [1, 3], "keepdim": True}), ("matmul", [x, x.transpose(0, 1, 3, 2)], {})]
    cases += [("layer_norm", [x], {"dims": 2, "eps": 0.1}), ("instance_norm", [x], {"eps": 0.1})]
    cases += [("group_norm", [x], {"groups": shape[1], "eps": 0.1})]
    cases += [("resize", [x], {"mode": "bicubic", "size": [5, 7], "align_corners": shape[0] > 4})]
    for op, values, attributes in cases:
        got, wanted = both(op, values, **attributes)
        # Sums are rounded in float32 there, and so are the weights of cubic resizing, by what they add up.
        scale = max(1.0, float(np.abs(values[0]).max()))
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=1e-5 * scale, err_msg=op)
