"""What schemes of a network with states are measured against, pass after pass over a clip with a gap."""

import numpy as np
import torch

from tests.stateful import stateful_network
from videoquant.comparison.references import Piece, References, ScoredClip
from videoquant.data.video import frames
from videoquant.data.writer import VideoWriter
from videoquant.network.float_stream import FloatStream


def test_every_pass_begins_at_states_of_zero_and_so_does_every_run(tmp_path):
    with VideoWriter(tmp_path / "clip.mp4", 25) as writer:
        for t in range(20):
            writer.write(np.roll(np.arange(48 * 64 * 3).reshape(48, 64, 3) % 251, 3 * t, 1).astype(np.uint8))
    network, spans = stateful_network(), (range(4), range(10, 14))
    references = References(network, ScoredClip(frames(tmp_path / "clip.mp4"), spans))
    exact = FloatStream(network)
    for layers in (None, {}, None):
        exact.reset()
        for number, frame in enumerate(references.frames(Piece(0, spans))):
            wanted = exact.run(frame)["output"]
            x = references.input(number, frame)
            assert torch.equal(x, network.prepare(frame))
            found = references.outputs(number, frame, x, layers if number == 3 else None)["output"]
            assert torch.equal(found, wanted), number
            if number == 4:
                assert torch.equal(found, network.run(network.prepare(frame))["output"])
    assert exact.states.keys() == network.states.keys()
