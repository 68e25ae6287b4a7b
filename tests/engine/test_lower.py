"""Lowering: every operator of a plan computes what the simulation does, for every kind of scheme."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import videoquant as vq
from tests.engine.agreement import Agreement, check_outputs
from tests.engine.plan_interpreter import Interpreter
from tests.engine.random_networks import Builder
from tests.networks import frame_codes_by_turns, moving_frames, small_network
from tests.operators import ZOO, captured
from tests.operators.softmax import Ends
from videoquant import _native
from videoquant.engine.lower import lower
from videoquant.network.graph import Network
from videoquant.runtime.stream import Stream

SCHEMES = """
w8a8 | w4a4 | w2a2 | w3a5 head=2 tail=2 | w8a8 per-tensor | w8a4 asymmetric aciq | w4a4 head=fp tail=fp
w8a8->w4a4 T=3 | w8a8->w8a4 T=3 | w8a4->w4a4 T=5 recurrent | w8a8->w4a4 T=3 float-reference | w8a8 T=1
w8a8->w8a8 T=2 adaptive | w4a4->w2a2 T=2 per-tensor minmax | w8a8->w4a4 T=3 asymmetric
w8a8->w4a4 T=3 head=fp tail=fp | fp32 | fp32 T=3 | fp32 T=4 recurrent | w8a32 | w32a8 | w32a8->w4a4 T=2
w8a8->w32a8 T=2 | w8a8->w32a8 T=3 recurrent | w8a8->fp32 T=3 | w8a8->fp32 T=3 recurrent
w32a4->fp32 T=2 | fp32->w8a8 T=3 | w8a8 dynamic | w8a8->w4a4 T=3 dynamic
w8a8->w4a4 T=3 dynamic recurrent quantile=0.999 | w8a32->w32a8 T=3 dynamic
w8a8 qpp | w8a4 qpp at=input | w8a8 qpp at=first-relu,block.project | w8a8->w4a4 T=3 qpp
w8a8->w4a4 T=3 qpp recurrent | w8a8->w4a4 T=3 qpp at=input,up | w8a8->w4a4 T=3 qpp at=input recurrent head=fp
"""
SCHEMES = [text.strip() for line in SCHEMES.strip().splitlines() for text in line.split("|")]


@pytest.fixture(scope="module")
def network():
    return small_network()


@pytest.fixture(scope="module")
def frames():
    return moving_frames(34)


@pytest.mark.parametrize("text", SCHEMES)
def test_every_scheme_is_what_the_simulation_makes_of_it(network, frames, text):
    quantized = vq.quantize(network, text, frames[:24] if "qpp" in text else frames[15:24])
    forced = Agreement(quantized, forced=True)
    for frame in frames[24:31]:  # two cycles, of the longest one and a frame
        forced.run(frame)
    forced.check()
    check_outputs(quantized, forced.plan, frames[24:31], 1e-4, exact=not forced.differences)
    assert forced.compared["codes"] > 0 or "32" in text


FRAME_CODES = """
w8a8->w4a4 T=3 | w8a4->w4a8 T=3 recurrent | w8a8->w4a4 T=3 float-reference | w8a8->w8a8 T=2 adaptive
w8a8->w32a4 T=3 | w32a8->w4a4 T=2 recurrent | fp32->w8a8 T=2 | w8a8->w4a4 T=3 asymmetric head=fp
w8a8->w4a4 T=3 ds=5% | w8a8->w32a4 T=3 recurrent ds=5% | w8a8->w4a4 T=3 qpp at=input
"""


@pytest.mark.parametrize(
    "text", [t.strip() for row in FRAME_CODES.strip().splitlines() for t in row.split("|")]
)
def test_residual_frames_may_take_the_frames_own_codes_at_some_points(network, frames, text, monkeypatch):
    frame_codes_by_turns(monkeypatch)
    quantized = vq.quantize(network, text, frames[:24] if "qpp" in text else frames[15:24])
    assert len({grids.of_frame for grids in quantized.grids.values()}) == 2
    forced = Agreement(quantized, forced=True)
    for frame in frames[24:31]:
        forced.run(frame)
    forced.check()
    check_outputs(quantized, forced.plan, frames[24:31], 1e-4, exact=not forced.differences)


def test_every_operator_is_in_the_zoo():
    met = {"dequantize", "sparse"}  # of quantizers, in some of `SCHEMES` and in test_dense_sparse.py
    for module in ZOO:
        for text in ("w8a8", "fp32"):
            plan = lower(vq.quantize(captured(module), text, moving_frames(2, 12)))
            met |= {op.kind for op in plan.programs["key"].ops}
    for kind in _native.operators():
        assert kind in met, f"no module in tests/operators uses the operator {kind!r} (@in_zoo)"


@pytest.mark.parametrize("text", ["w8a8", "w8a8->w4a4 T=3", "fp32"])
@pytest.mark.parametrize("module", ZOO)
def test_every_operator_is_what_pytorch_makes_of_it(module, text):
    frames = moving_frames(13, 12)
    forced = Agreement(vq.quantize(captured(module), text, frames[:9]), forced=True)
    for frame in frames[9:]:
        forced.run(frame)
    forced.check()


@pytest.mark.parametrize(
    "text", ["w8a8->w4a4 T=3 dynamic", "w8a8 qpp at=input", "w8a8->w4a4 T=3 qpp recurrent"]
)
def test_ranges_of_a_frame_are_those_of_the_simulation(network, frames, text):
    quantized = vq.quantize(network, text, frames[:24])
    plan = lower(quantized)
    session = Interpreter(plan)
    stream, simulation = Stream(plan, session), quantized.stream()
    for frame in frames[24:30]:
        wanted = grids_of(simulation, frame)
        stream.run(frame)
        kind = "key" if stream.is_key else "residual"
        for grid in session.grids:
            if grid["name"].endswith(f" {kind}"):
                expected = wanted[grid["name"].removesuffix(f" {kind}")]
                assert grid["scale"] == pytest.approx(expected.scale, rel=0.02)
                assert grid["high"] - grid["low"] == expected.high - expected.low


def grids_of(simulation, frame):
    """The grid of every point in this frame, by the point's name."""
    grids = {}
    simulation.run(
        frame,
        probe=lambda point, x, source, seen: grids.update({str(point): source.grid(x.detach().numpy, seen)}),
    )
    return grids


class Upsampled(nn.Module):
    """A transposed convolution in groups; every other output channel is a thousandth of the others."""

    def __init__(self, groups):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.up = nn.ConvTranspose2d(8, 16, 4, stride=2, padding=1, groups=groups, bias=False)
        blocks = self.up.weight.data.view(groups, 8 // groups, 16 // groups, 4, 4)
        for channel in range(0, 16, 2):
            blocks[channel // (16 // groups), :, channel % (16 // groups)] *= 1e-3

    def forward(self, x):
        return self.up(torch.relu(self.first(x)))


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_every_output_channel_has_its_own_scale_in_the_engine_too(groups):
    network = captured(lambda: Upsampled(groups), 16)
    frames = moving_frames(2)
    quantized = vq.quantize(network, "w8a8 minmax", frames)
    stream = lower(quantized).stream()
    for frame in frames:
        y, simulated = stream(frame), quantized(frame)
        assert torch.equal(y, simulated)
        exact = network(frame)
        noise = (y - exact).square().mean((0, 2, 3))
        assert (
            float((exact.square().mean((0, 2, 3)) / noise).min()) > 100
        )  # 20 dB; 0 dB where groups share scales


def test_what_the_engine_has_no_operator_for_comes_after_the_programs():
    plan = lower(vq.quantize(captured(Ends), "w8a8", moving_frames(3, 12)))
    assert [node.op for node in plan.postprocess] == ["resize"]
    assert {op.kind for op in plan.programs["key"].ops} >= {"map", "conv", "softmax", "global_pool"}


class Cubic(nn.Module):
    """Cubic resizing before a layer, for which the engine has no operator."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        return self.last(F.interpolate(self.first(x), scale_factor=2, mode="bicubic"))


def test_what_cannot_be_lowered_is_named():
    network = vq.capture(Cubic().eval(), (torch.randn(1, 3, 12, 12),), name="cubic")
    with pytest.raises(vq.NetworkError, match=r"cubic: node '\w+' \(resize\) cannot be lowered: cubic .*"):
        lower(vq.quantize(network, "w8a8", moving_frames(3, 12)))


def test_a_linear_layer_reads_a_flattened_map_larger_than_any_kernel():
    build = Builder(0)
    flat = build.node("reshape", build.conv("input", 4, inputs=3), shape=[1, -1])
    y = build.node("linear", flat, tensors={"weight": build.random(2, 4 * 24 * 24)})
    network = Network(build.nodes, "input", (1, 3, 24, 24), {"y": y}, build.tensors, name="wide")
    quantized = vq.quantize(network, "w8a8 minmax", [torch.rand(1, 3, 24, 24)])
    frame = torch.rand(1, 3, 24, 24)
    assert torch.equal(lower(quantized).stream()(frame), quantized(frame))


def test_what_the_native_engine_refuses_is_not_lowered():
    build = Builder(0)
    flat = build.node("reshape", build.conv("input", 256, inputs=3), shape=[1, -1])
    y = build.node("linear", flat, tensors={"weight": build.random(2, 256 * 14 * 14)})
    network = Network(build.nodes, "input", (1, 3, 14, 14), {"y": y}, build.tensors, name="wide")
    quantized = vq.quantize(network, "w8a8 minmax", [torch.rand(1, 3, 14, 14)])
    with pytest.raises(vq.NetworkError, match=f"wide: .*{y}.*: its sums could leave 32 bits"):
        lower(quantized)


@pytest.mark.parametrize("text", ["w8a8->w8a8 T=3 adaptive tau=1"])
def test_schemes_that_the_engine_does_not_run_are_refused(network, frames, text):
    with pytest.raises(vq.SchemeError, match="the engine"):
        lower(vq.quantize(network, text, frames[:9]))


def test_a_batch_is_refused():
    network = vq.capture(nn.Conv2d(3, 4, 1).eval(), (torch.randn(1, 3, 8, 8),))
    network.input_shape = (2, 3, 8, 8)
    with pytest.raises(vq.NetworkError, match="one frame at a time"):
        lower(vq.quantize(network, "fp32", []))
