"""States in floating point: carried from frame to frame, and forgotten at a seek."""

import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from tests.stateful import Buffered, stateful_network
from videoquant.data.video import Frame
from videoquant.network.float_stream import FloatStream


def test_buffers_that_a_module_changes_are_states() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = Buffered(16).eval()
    network = vq.capture(module, torch.rand(1, 3, 16, 16))
    assert sorted(network.states) == ["before", "h", "last"]
    assert network.states["before"] == "last" and network.states["last"] == network.input
    stream = FloatStream(network)
    for x in moving_frames(6):
        with torch.no_grad():
            wanted = module(x)
        torch.testing.assert_close(stream.feed(x)["output"], wanted, atol=1e-5, rtol=0)


def test_a_seek_a_size_and_a_reset_forget() -> None:
    network, inputs = stateful_network(), moving_frames(4)
    first = network.run(inputs[0])["output"]
    stream = FloatStream(network)
    assert torch.equal(stream.feed(inputs[0], index=0)["output"], first)
    assert not torch.equal(stream.feed(inputs[0], index=1)["output"], first)
    assert torch.equal(stream.feed(inputs[0], index=7)["output"], first)
    assert torch.equal(stream.feed(inputs[0], index=8, size=(9, 9, 3))["output"], first)
    stream.reset()
    assert stream.states == {}
    assert torch.equal(stream.feed(inputs[0], index=9)["output"], first)


def test_frames_are_pictures_too_and_a_network_without_states_is_the_same_on_each() -> None:
    network = small_network()
    stream, x = FloatStream(network), moving_frames(1)[0]
    for _ in range(2):
        assert all(torch.equal(y, network.run(x)[name]) for name, y in stream.feed(x).items())
    frame = Frame((x[0].permute(1, 2, 0) * 255).byte().numpy(), 0)
    assert stream.run(frame).keys() == network.outputs.keys()
