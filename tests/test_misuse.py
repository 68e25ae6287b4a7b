"""What people hand over by mistake is refused in one line; what is meant is taken."""

import copy
import threading

import numpy as np
import pytest
import torch
from PIL import Image

import videoquant as vq
from tests.networks import moving_frames, small_network


@pytest.fixture(scope="module")
def network():
    return small_network()


@pytest.fixture(scope="module")
def quantized(network):
    return vq.quantize(network, "w8a8->w4a4 T=2", moving_frames(6))


def test_calibration_takes_the_path_of_a_clip(network, tmp_path):
    for i, shade in enumerate(np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)):
        Image.fromarray(shade).save(tmp_path / f"{i}.png")
    clip = vq.frames(tmp_path)
    wanted = vq.quantize(network, "w8a8", clip).grids
    assert vq.quantize(network, "w8a8", tmp_path).grids == wanted
    assert vq.quantize(network, "w8a8", str(tmp_path)).grids == wanted
    with pytest.raises(vq.DataError, match="calibration takes a clip or frames; got a NoneType"):
        vq.quantize(network, "w8a8", None)


def test_other_things_than_networks_are_refused(network, quantized, tmp_path):
    with pytest.raises(vq.NetworkError, match="is quantized already"):
        vq.quantize(quantized, "w8a8", moving_frames(2))
    with pytest.raises(vq.NetworkError, match="this is a Conv2d"):
        vq.quantize(torch.nn.Conv2d(3, 4, 1), "w8a8", moving_frames(2))
    with pytest.raises(vq.NetworkError, match="this is a Network: quantize it"):
        vq.save(network, tmp_path / "network.vq")
    assert not list(tmp_path.iterdir())


def test_a_network_is_not_changed_by_being_quantized(network):
    before = {name: tensor.clone() for name, tensor in network.tensors.items()}
    first, second = (vq.quantize(network, "w4a4", moving_frames(3)) for _ in range(2))
    assert all(torch.equal(network.tensors[name], tensor) for name, tensor in before.items())
    assert torch.equal(first(moving_frames(1)[0])["map"], second(moving_frames(1)[0])["map"])


def test_copies_go_on_by_themselves(quantized):
    frames = moving_frames(3)
    stream = quantized.stream()
    stream(frames[0])
    copied = copy.deepcopy(stream)
    assert torch.equal(stream(frames[1])["map"], copied(frames[1])["map"])
    assert not stream.is_key
    copied.reset()
    copied(frames[1])
    assert copied.is_key and not stream.is_key


def test_streams_of_several_threads_are_independent(quantized):
    frames = moving_frames(6)
    wanted = [output["map"] for output in map(quantized.stream(), frames)]
    found = {}

    def run(number):
        found[number] = [output["map"] for output in map(quantized.stream(), frames)]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert all(torch.equal(a, b) for outputs in found.values() for a, b in zip(outputs, wanted, strict=True))
