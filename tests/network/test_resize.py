"""Native resizing beside its reference and beside PyTorch's, whose bits it has."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.network.resize_reference import columns_plane, columns_rgb, resize
from videoquant import _native


def by_pytorch(picture, size, threads=1):
    channels_first = torch.from_numpy(picture if picture.ndim == 2 else picture.transpose(2, 0, 1))
    image = channels_first[(None,) * (4 - channels_first.dim())]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        resized = F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)[0]
    finally:
        torch.set_num_threads(before)
    return (resized[0] if picture.ndim == 2 else resized.permute(1, 2, 0)).numpy()


def sizes(seed, count):
    """(height, width) to (height, width): small and large, up and down, one pixel too."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        most = (4, 40, 300)[random.integers(3)]
        yield random, *(tuple(map(int, random.integers(1, most, 2))) for _ in range(2))


def test_pictures_are_resized_as_pytorch_does():
    for random, size, to in sizes(0, 1000):
        picture = random.integers(0, 256, (*size, 3), np.uint8)
        if random.random() < 0.3:
            picture = (picture > 127).astype(np.uint8) * np.uint8(255)
        ours = _native.resize_rgb(picture, *to)
        assert ours.dtype == np.uint8 and ours.shape == (*to, 3)
        assert np.array_equal(ours, by_pytorch(picture, to, int(random.integers(1, 4)))), (size, to)


def test_pictures_are_resized_as_the_reference_does():
    for random, size, to in sizes(1, 100):
        picture = random.integers(0, 256, (*size, 3), np.uint8)
        assert np.array_equal(_native.resize_rgb(picture, *to), resize(picture, to, columns_rgb)), (size, to)


@pytest.mark.parametrize("to", [(432, 768), (256, 256), (720, 1280), (720, 100), (1, 1), (1079, 1919)])
def test_frames_of_cameras_are_resized_as_pytorch_does(to):
    picture = np.random.default_rng(2).integers(0, 256, (720, 1280, 3), np.uint8)
    assert np.array_equal(_native.resize_rgb(picture, *to), by_pytorch(picture, to))


def test_planes_are_resized_as_the_reference_does():
    for random, size, to in sizes(3, 100):
        plane = random.uniform(16, 235, size).astype(np.float32)
        assert np.array_equal(_native.resize_plane(plane, *to), resize(plane, to, columns_plane)), (size, to)


def test_planes_are_resized_as_pytorch_does():
    """To the last bit with PyTorch 2.13 on a CPU with AVX2; how others add up may differ in that bit.

    One column is left out: PyTorch takes it for channels last and gives its first number for all of them.
    """
    for random, size, to in sizes(4, 300):
        if to[1] > 1:
            plane = random.uniform(16, 235, size).astype(np.float32)
            ours, theirs = _native.resize_plane(plane, *to), by_pytorch(plane, to)
            np.testing.assert_allclose(ours, theirs, rtol=4e-7, err_msg=f"{size} to {to}")


def test_bytes_become_numbers_with_two_roundings():
    picture = np.random.default_rng(5).integers(0, 256, (7, 9, 3), np.uint8)
    gain, offset = np.array([1 / 3, 0.017, 4], np.float32), np.array([-2.1, 0.4, 1e-3], np.float32)
    for reverse in (False, True):
        wanted = (picture[..., ::-1] if reverse else picture).astype(np.float32) * gain + offset
        assert np.array_equal(_native.scale_rgb(picture, tuple(gain), tuple(offset), reverse), wanted)


def test_what_is_no_picture_is_refused():
    with pytest.raises(ValueError, match="three channels"):
        _native.resize_rgb(np.zeros((4, 4, 2), np.uint8), 2, 2)
    with pytest.raises(ValueError, match="a side has"):
        _native.resize_rgb(np.zeros((4, 4, 3), np.uint8), 0, 2)
    with pytest.raises(ValueError, match="a side has"):
        _native.resize_plane(np.zeros((0, 4), np.float32), 2, 2)
