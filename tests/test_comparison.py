"""Reducing a stream to rows: what the command tests cannot reach."""

import numpy as np
import pytest

import videoquant as vq
from tests.networks import small_network
from videoquant.data.video import Frame
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


def test_no_frames_are_refused():
    network = small_network()
    with pytest.raises(vq.DataError, match="no frames to score"):
        vq.compare(network, [vq.quantize(network, "fp32", [])], [])
