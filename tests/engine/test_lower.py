"""Lowering: every operator of a plan computes what the simulation does, for every kind of scheme."""

import pytest

import videoquant as vq
from tests.engine.agreement import Forced
from tests.networks import moving_frames, small_network

SCHEMES = ["w8a8", "w4a4"]


@pytest.fixture(scope="module")
def network():
    return small_network()


@pytest.fixture(scope="module")
def frames():
    return moving_frames(24)


@pytest.mark.parametrize("text", SCHEMES)
def test_every_operator_computes_what_the_simulation_does(network, frames, text):
    forced = Forced(vq.quantize(network, text, frames[:18]))
    for frame in frames[18:]:
        forced.run(frame)
    assert forced.found.largest <= 1 and forced.found.share < 1e-3
    assert forced.found.error < 1e-5
