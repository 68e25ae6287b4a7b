"""Reducing a stream to a row: what the command tests cannot reach."""

import numpy as np
import pytest

import videoquant as vq
from tests.networks import small_network
from videoquant.comparison import collector
from videoquant.costs.bops import frame_bops
from videoquant.data.video import Frame
from videoquant.engine import lower
from videoquant.tasks.sqnr import EXACT_DB


def frames(count):
    random = np.random.default_rng(0)
    return [Frame(random.integers(0, 256, (16, 16, 3), dtype=np.uint8), i) for i in range(count)]


def test_density_of_what_is_and_is_not_quantized():
    network, stream = small_network(), frames(6)
    texts = ("fp32 ds=1%", "w8a32 ds=1%", "w8a4 ds=3% head=fp")
    rows = vq.compare(network, [vq.quantize(network, text, stream) for text in texts], stream).rows
    assert rows[0].density == {} and rows[0].sqnr_db == EXACT_DB
    assert rows[1].density == {"requested": 0.01, "mean": 0, "p10": 0, "p90": 0}
    assert 0 < rows[2].density["p10"] <= rows[2].density["mean"] <= rows[2].density["p90"]


def test_costs_are_those_of_an_endless_film():
    """A clip that ends within a cycle has more keyframes than it should; what is said is per cycle."""
    network, stream = small_network(), frames(10)
    quantized = vq.quantize(network, "w8a8->w4a4 T=4", stream)
    (row,) = vq.compare(network, [quantized], stream).rows
    key, residual = (frame_bops(network, quantized.scheme, is_key) / 1e9 for is_key in (True, False))
    assert [frame["key"] for frame in row.per_frame] == [True, False, False, False] * 2 + [True, False]
    assert row.gbops_per_frame == pytest.approx((key + 3 * residual) / 4)


def test_a_rows_density_is_its_mean_over_the_macs():
    network, stream = small_network(), frames(3)
    quantized = vq.quantize(network, "w8a4 ds=3%", stream)
    (row,) = vq.compare(network, [quantized], stream[:1]).rows
    alone = quantized.stream()
    alone.run(stream[0])
    at = {layer: alone.densities[point] for layer, point in quantized.points.items()}
    macs = {layer: network.macs[layer] for layer in at}
    mean = sum(macs[layer] * density for layer, density in at.items()) / sum(macs.values())
    assert row.density["mean"] == pytest.approx(mean)
    assert mean != pytest.approx(sum(at.values()) / len(at), rel=1e-3)  # layers differ in both


def test_the_first_frames_are_not_timed_where_there_are_more(monkeypatch):
    network, stream = small_network(), frames(5)
    quantized = vq.quantize(network, "w8a8", stream)
    for count, expected in ((5, 2), (4, 1), (2, 2)):
        milliseconds = iter([100.0, 100.0, 100.0, 4.0, 6.0][:count])
        monkeypatch.setattr(collector, "timed", lambda call, ms=milliseconds: (call(), next(ms)))
        engine = lower(quantized).stream(threads=1)
        (row,) = vq.compare(network, [quantized], stream[:count], streams=[engine]).rows
        times = [100.0, 100.0, 100.0, 4.0, 6.0][:count][-expected:]
        assert row.frames_per_second == pytest.approx(1e3 * expected / sum(times))
        assert row.work_share == 1
