"""Dense + Sparse in the engine: what S holds, and that convolutions add it as the simulation does."""

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import videoquant as vq
from tests.engine.agreement import Agreement, check_outputs
from tests.networks import moving_frames, small_network
from tests.operators import captured
from videoquant import _native
from videoquant.engine.lower import lower
from videoquant.runtime.session import open_session

SCHEMES = """
w8a8 ds=1% | w4a4 ds=3% | w8a4 ds=50% | w8a4 asymmetric ds=5% | w8a8->w4a4 T=3 ds=2% | w8a4 head=fp ds=1%
w8a8->w4a4 T=3 recurrent ds=5% | w8a8->w4a4 T=3 float-reference ds=5% | w8a8->w32a4 T=3 ds=5%
w32a8->w32a4 T=3 recurrent ds=5% | w8a4 dynamic ds=3% | w8a8->w4a4 T=3 dynamic ds=3%
w8a4 qpp at=input ds=3% | w8a8->w4a4 T=3 qpp recurrent ds=3%
"""
SCHEMES = [text.strip() for line in SCHEMES.strip().splitlines() for text in line.split("|")]
OTHERS = [isa for isa in _native.isas() if isa != "reference"]


class Layers(nn.Module):
    """Every kind of convolution, on activations of both signs."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 24, 3, padding=1)
        self.strided = nn.Conv2d(24, 70, 3, stride=2, padding=2, dilation=2)
        self.grouped = nn.Conv2d(70, 30, (1, 3), padding=(0, 1), groups=5)
        self.depthwise = nn.Conv2d(30, 30, 5, padding=2, groups=30)
        self.up = nn.ConvTranspose2d(30, 18, 3, stride=2, padding=1, groups=3)
        self.classify = nn.Linear(18, 5)

    def forward(self, x):
        x = self.depthwise(self.grouped(self.strided(torch.relu(self.first(x)))))
        return self.classify(self.up(x).mean((2, 3)))


@cache
def quantized(text):
    return vq.quantize(small_network(), text, moving_frames(24))


@pytest.mark.parametrize("text", SCHEMES)
def test_every_scheme_is_what_the_simulation_makes_of_it(text):
    network = quantized(text)
    forced = Agreement(network, forced=True)
    frames = moving_frames(31)[24:]
    for frame in frames:
        forced.run(frame)
    # W∗S is a floating-point sum, in another order: what it is added to may differ in the last place, and
    # then a code by a step, or a value of S in the last of its 16 bits.
    forced.check(error=1e-5)
    check_outputs(network, forced.plan, frames, 1e-3, exact=not forced.differences)


@pytest.mark.parametrize("text", ["w8a4 ds=5%", "w8a8->w4a4 T=3 recurrent ds=20%", "w4a4 asymmetric ds=50%"])
@pytest.mark.parametrize("module", [Layers, None])
def test_every_instruction_set_gives_the_same_bits(module, text):
    size = 24 if module else 16
    frames = moving_frames(14, size)
    plan = lower(vq.quantize(captured(module, size) if module else small_network(), text, frames[:9]))
    reference = plan.stream(isa="reference", threads=1)
    others = {isa: plan.stream(isa=isa, threads=3) for isa in OTHERS}
    for frame in frames[9:]:
        expected = reference.run(frame)
        for isa, stream in others.items():
            got = stream.run(frame)
            assert all(torch.equal(got[name], expected[name]) for name in expected), isa


@pytest.mark.parametrize(
    "text",
    [
        *("w8a8 ds=1%", "w8a4 dynamic ds=5%", "w8a8->w4a4 T=2 ds=5%", "w32a8 ds=5%", "w8a8->w32a8 T=2 ds=5%"),
        *("w32a8->w8a8 T=2 ds=5%", "w8a8->w8a32 T=2 ds=5%", "w8a32->w8a8 T=2 ds=5%"),
    ],
)
def test_densities_are_those_of_the_simulation(text):
    network = quantized(text)
    plan, simulation = lower(network), network.stream()
    streams = {isa: plan.stream(isa=isa) for isa in _native.isas()}
    for frame in moving_frames(30)[24:]:
        simulation.run(frame)
        for isa, stream in streams.items():
            stream.run(frame)
            points = network.points.values()
            left = [p for p in points if (p.key if stream.is_key else p.residual) == 32]
            expected = {str(p): density for p, density in simulation.densities.items() if p not in left}
            # The same elements are outside; the simulation takes their share in 32 bits.
            assert stream.densities == pytest.approx(expected, abs=1e-6), isa


def one_point(values, grid, isa):
    """What one map leaves in a sparse slot. values: h×w×c. Returns (begin, channels, values)."""
    h, w, c = values.shape
    size = {"h": h, "w": w, "c": c}
    slots = [{**size, "type": type, "keep": False, "name": type} for type in ("f32", "u8", "sparse")]
    store = {"do": "store_codes", "slot": 1, "grid": 0, "sparse": 2}
    empty = {"name": "", "attrs": {}, "tensors": {}, **size}
    ops = [
        {**empty, "kind": "map", "inputs": [0], "steps": [store]},
        {**empty, "kind": "sparse", "inputs": [2], "steps": []},
    ]
    programs = {"key": {"ops": ops, "updates": []}}
    spec = {"version": 3, "slots": slots, "grids": [grid], "programs": programs, "outputs": {}}
    session = _native.Session(_native.Plan(spec), isa, 2)
    session.run("key", values)
    return session.sparse(2)


GRID = {"scale": 0.5, "zero": 4, "low": 0, "high": 15, "name": "grid"}  # cells from −2.25 to 5.75


@pytest.mark.parametrize("isa", _native.isas())
def test_what_lies_on_the_border_is_dense(isa):
    values = np.array([-2.25, -2.2500002, 5.75, 5.7500005, 0, 1e30, -1e30], np.float32).reshape(1, 7, 1)
    begin, channel, value = one_point(values, GRID, isa)
    assert begin.tolist() == [0, 0, 1, 1, 2, 2, 3, 4] and channel.tolist() == [0] * 4
    assert value.tolist() == [-0.25, 0.25, 65504, -65504]


@pytest.mark.parametrize("isa", _native.isas())
@pytest.mark.parametrize("share", [0, 0.01, 1])
@pytest.mark.parametrize("channels", [1, 16, 65, 200])
def test_values_of_16_bits_are_rounded_to_the_nearest_even(isa, share, channels):
    rng = np.random.default_rng(channels)
    shape = (7, 9, channels)
    scale = 2.0 ** rng.integers(-26, 3, shape)  # down to where halves have few bits or none
    values = np.where(
        rng.random(shape) < share, rng.choice([-1, 1], shape) * (1 + scale * rng.random(shape)), 0
    )
    grid = {"scale": 0.125, "zero": 8, "low": 0, "high": 15, "name": "grid"}  # cells from −1.0625 to 0.9375
    values = values.astype(np.float32)
    begin, channel, value = one_point(values, grid, isa)
    dense = (np.clip(np.rint(values * 8) + 8, 0, 15) - 8).astype(np.float32) * np.float32(0.125)
    outside = (values > 0.9375) | (values < -0.9375)
    expected = (values - dense).astype(np.float16).astype(np.float32)
    assert begin.tolist() == [0, *outside.sum(2).cumsum().tolist()]
    assert channel.tolist() == np.nonzero(outside)[2].tolist()
    assert value.tolist() == expected[outside].tolist()


def test_the_mode_that_follows_codes_refuses():
    with pytest.raises(vq.SchemeError, match=r"is Dense \+ Sparse, which runs in modes frame and"):
        lower(quantized("w8a8 ds=1%")).stream("exact")


def test_operators_out_of_order_stay_within_their_memory():
    """The memory between a program and its gathering is other tensors' too."""
    plan = lower(vq.quantize(captured(Layers, 24), "w8a4 ds=50%", moving_frames(3, 24)))
    session = open_session(plan)
    operators = plan.programs["key"].ops
    frame = np.ascontiguousarray(moving_frames(1, 24)[0][0].permute(1, 2, 0).numpy())

    def measure(update, value):
        return 0.1, 4, 0, 15

    session.run("key", frame, measure)
    for index in range(len(operators)):
        session.run("key", frame, measure, index, index + 1)
    for index in reversed(range(len(operators))):
        session.run("key", frame, measure, index, index + 1)
