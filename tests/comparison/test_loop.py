"""The loop over a stream: what the command tests cannot reach."""

import pytest

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.comparison import LAYER_STEP


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
