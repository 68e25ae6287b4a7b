"""Sums in floating point: bounded errors, however many values there are, and the same on every kernel."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.operators.plan_draft import Draft
from videoquant import _native

ULP = 2.0**-24  # half the distance of 1 to the next float32: what one rounding may cost


def run(kind: str, size: tuple[int, int, int], attrs: Any, x: NDArray[np.float32], **tensors: Any) -> Any:
    """What an operator gives, on every instruction set at hand and with one thread and three."""
    draft = Draft(np.random.default_rng(0))
    draft.slot(*x.shape)
    out = draft.stored(draft.op(kind, [0], size, attrs, tensors))
    plan, results = _native.Plan(draft.spec()), []
    for isa in _native.isas():
        for threads in (1, 3):
            session = _native.Session(plan, isa, threads)
            session.run("key", x)
            results.append(session.slot(out).copy())
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
    return results[0].astype(np.float64)


def values(*shape: int) -> NDArray[np.float32]:
    """Of one sign: a running sum in float32 loses digits of each."""
    return np.random.default_rng(1).uniform(9, 11, shape).astype(np.float32)


@pytest.mark.parametrize("side", [3, 60, 700])
def test_means_are_rounded_once_or_twice(side: int) -> None:
    x = values(side, side + 1, 5)
    mean = x.mean((0, 1), dtype=np.float64)
    whole = {"kernel": [side, side + 1], "stride": [1, 1], "padding": [0] * 4, "count_padding": False}
    for kind, attrs in [("global_pool", {}), ("avg_pool", whole), ("adaptive_avg_pool", {"size": [1, 1]})]:
        np.testing.assert_allclose(run(kind, (1, 1, 5), attrs, x)[0, 0], mean, rtol=ULP, atol=0)


@pytest.mark.parametrize("channels", [2, 19, 40000])
def test_softmax_of_many_channels(channels: int) -> None:
    x = np.random.default_rng(2).uniform(-1e-3, 1e-3, (1, 2, channels)).astype(np.float32)
    exponentials = np.exp(x.astype(np.float64) - x.max(2, keepdims=True))
    right = exponentials / exponentials.sum(2, keepdims=True)
    # The exponential itself is right to 2 units in the last place.
    np.testing.assert_allclose(run("softmax", x.shape, {}, x), right, rtol=6 * ULP)


@pytest.mark.parametrize("side", [1, 18])
def test_a_float_linear_layer_over_a_whole_map(side: int) -> None:
    x, c_out = values(side, side, 70), 3
    weight = values(c_out, 70, side, side)
    bias = np.zeros(c_out, np.float32)
    attrs = {"kernel": [side, side], "stride": [1, 1], "dilation": [1, 1], "padding": [0] * 4, "groups": 1}
    right = np.einsum("yxc,ocyx->o", x.astype(np.float64), weight.astype(np.float64))
    out = run("fconv", (1, 1, c_out), attrs, x, weight=weight, bias=bias)[0, 0]
    np.testing.assert_allclose(out, right, rtol=66 * ULP)
    # Rounding goes either way, so that far less than the bound is lost.
    np.testing.assert_allclose(out, right, rtol=4 * ULP)
