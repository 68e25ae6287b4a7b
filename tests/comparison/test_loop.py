"""The loop over a stream: what the command tests cannot reach."""

from dataclasses import replace

import numpy as np
import pytest

import videoquant as vq
from tests.costs.chips import ROUND
from tests.networks import moving_frames, small_network
from videoquant.comparison import LAYER_STEP
from videoquant.engine import lower


def test_no_frames_are_refused():
    network = small_network()
    with pytest.raises(vq.DataError, match="no frames to score"):
        vq.compare(network, [vq.quantize(network, "fp32", [])], [])


def test_layers_are_measured_on_every_fifth_frame():
    network, pictures = small_network(), [frame[0].permute(1, 2, 0).numpy() for frame in moving_frames(6)]
    pictures = [(255 * (p - p.min()) / (p.max() - p.min())).astype("uint8") for p in pictures]
    quantized = vq.quantize(network, "w8a4", pictures)
    few, enough = (
        vq.compare(network, [quantized], pictures[:count]).rows[0] for count in (LAYER_STEP - 1, LAYER_STEP)
    )
    assert few.layer_sqnr_db == {}
    assert set(enough.layer_sqnr_db) == {node.name for node in network.layers}


def corner(count, size=64):
    """A still scene in whose corner a small square changes."""
    scene = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
    pictures = [scene.copy() for _ in range(count)]
    for i, picture in enumerate(pictures):
        picture[:6, :6] = 40 * (i % 6)
    return pictures


@pytest.mark.parametrize("text", ["w8a8", "w8a8->w4a4 T=3"])
def test_regions_cost_what_they_compute_in_simulation_and_in_the_engine(text):
    network, pictures = small_network(64), corner(6)
    whole, regions = (
        vq.quantize(network, f"{text}{words}", pictures) for words in ("", " regions block=8 margin=0")
    )
    rows = vq.compare(network, [whole, regions], pictures, chip=replace(ROUND, overhead=0)).rows
    assert 0 < rows[1].on_chip.ms < 0.8 * rows[0].on_chip.ms
    assert 0 < rows[1].gbops_per_frame < 0.6 * rows[0].gbops_per_frame
    simulated, engine = regions.stream(), lower(regions).stream()
    for picture in pictures:
        simulated.run(picture), engine.run(picture)
        assert engine.report.computed == pytest.approx(simulated.report.computed)
    assert min(simulated.report.computed.values()) < 0.1
    assert whole.stream().report.computed == {}
