"""What both streams say of a frame, side by side."""

import dataclasses

import pytest

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.engine import lower
from videoquant.runtime.report import FrameReport


def reports(text, frames=6):
    """Frame by frame: (simulation's, the engine's, the quantized network, its simulation, its stream)."""
    clip = moving_frames(30)
    quantized = vq.quantize(small_network(), text, clip[:24])
    simulation, engine = quantized.stream(), lower(quantized).stream("frame", threads=1)
    for frame in clip[24 : 24 + frames]:
        simulation.run(frame), engine.run(frame)
        yield simulation.report, engine.report, quantized, simulation, engine


@pytest.mark.parametrize("text", ["w8a8", "w8a8->w4a4 T=3", "w8a32->w4a4 T=3", "w8a8->w4a4 T=3 qpp"])
def test_both_say_the_same(text):
    for simulated, ran, quantized, _, engine in reports(text):
        assert ran.memory_bytes == engine.memory_bytes > 0 and simulated.memory_bytes is None
        assert dataclasses.replace(ran, memory_bytes=None) == simulated
        assert simulated.macs == simulated.macs_done == sum(quantized.network.macs.values())


@pytest.mark.parametrize("text", ["w8a4 ds=3%", "w8a32->w4a4 T=3 ds=1%"])
def test_density_is_named_where_there_is_a_sparse_part(text):
    for simulated, ran, quantized, simulation, engine in reports(text, 3):
        points = set(quantized.points.values())
        left = {p for p in points if (p.key if simulated.is_key else p.residual) == 32}
        assert set(simulated.density) == set(ran.density) == {str(p) for p in points - left}
        assert ran.density == pytest.approx(dict(simulated.density), abs=1e-6)
        assert engine.densities == ran.density
        assert simulation.densities == {p: simulated.density.get(str(p), 0.0) for p in points}


def test_bits_of_adaptive_schemes_on_residual_frames():
    for simulated, _, quantized, simulation, _ in reports("w8a8->w4a8 T=3 adaptive always-residual", 4):
        points = [] if simulated.is_key else set(quantized.points.values())
        assert set(simulated.bits) == {str(point) for point in points}
        assert simulation.shares == {point: simulated.bits[str(point)] for point in points}
        assert all(sum(shares.values()) == pytest.approx(1) for shares in simulated.bits.values())


def test_the_share_of_work():
    assert FrameReport(macs=8, macs_done=2).work_share == 0.25
    assert FrameReport().work_share == 1  # nothing is known yet of what could be saved
