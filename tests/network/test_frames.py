"""Whatever is given as a frame is the same RGB pixels, or refused in one line; never another picture."""

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import videoquant as vq
from videoquant.data import Frame, VideoWriter, frames
from videoquant.engine import lower
from videoquant.errors import DataError
from videoquant.network.frames import as_pixels

RGB = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
ALPHA = np.dstack([RGB, RGB[..., 0]])
CHW = RGB.transpose(2, 0, 1)


def read_only():
    pixels = RGB.copy()
    pixels.flags.writeable = False
    return pixels


TAKEN = {
    "pixels": RGB,
    "frame": Frame(RGB, 3),
    "read-only": read_only(),
    "Fortran order": np.asfortranarray(RGB),
    "negative strides": np.ascontiguousarray(RGB[::-1, :, ::-1])[::-1, :, ::-1],
    "part of a larger array": np.pad(RGB, ((2, 2), (3, 3), (0, 0)))[2:-2, 3:-3],
    "transparency": ALPHA,
    "int64": RGB.astype(np.int64),
    "lists": RGB.tolist(),
    "memoryview": memoryview(RGB),
    "nothing masked": np.ma.array(RGB),
    "C×H×W": CHW,
    "1×H×W×C": RGB[None],
    "tensor H×W×C": torch.from_numpy(RGB),
    "tensor C×H×W": torch.from_numpy(CHW.copy()),
    "tensor 1×C×H×W": torch.from_numpy(CHW.copy())[None],
    "tensor of int64": torch.from_numpy(CHW.astype(np.int64)),
    "Pillow": Image.fromarray(RGB),
    "Pillow with transparency": Image.fromarray(ALPHA),
    "PyAV": av.VideoFrame.from_ndarray(RGB, format="rgb24"),
    "PyAV, planes": av.VideoFrame.from_ndarray(RGB, format="rgb24").reformat(format="gbrp"),
}
REFUSED = {
    "None": (None, "got NoneType"),
    "path": ("a.png", r"a path: videoquant\.frames\('a\.png'\) reads it"),
    "bytes": (RGB.tobytes(), "got bytes"),
    "object": (object(), "must be uint8"),
    "ragged": ([[1, 2], [3]], "got list"),
    "text": ([["a"]], "got <U1 1×1"),
    "number": (7, "got a number"),
    "grey": (RGB[..., 0], r"np\.stack\(\[grey\] \* 3"),
    "grey with an axis": (RGB[..., :1], "if it is grey"),
    "floats": (RGB / 255, "got float64 12×16×3; if they are 0..1"),
    "16 bits": (RGB.astype(np.uint16), "got uint16 12×16×3; if all 16 bits"),
    "mask": (RGB > 99, "got bool 12×16×3; if True is white"),
    "too large": (RGB.astype(int) * 2, "got int64 12×16×3 from 0 to "),
    "negative": (RGB.astype(int) - 9, "got int64 12×16×3 from -9 to "),
    "masked": (np.ma.array(RGB, mask=RGB > 99), "masked pixels"),
    "five channels": (np.zeros((8, 9, 5), np.uint8), "got 8×9×5"),
    "empty": (RGB[:0], "a frame of 0×16×3 has no pixels"),
    "batch": (np.stack([RGB, RGB]), "one after the other"),
    "a clip": (np.zeros((2, 3, 4, 5, 3), np.uint8), "got 2×3×4×5×3"),
    "Pillow's floats": (Image.fromarray(RGB[..., 0].astype(np.float32)), "floating-point pixels"),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_what_is_unambiguous_is_taken(kind):
    pixels = as_pixels(TAKEN[kind])
    assert pixels.dtype == np.uint8 and np.array_equal(pixels, RGB)


@pytest.mark.parametrize("kind", REFUSED)
def test_the_rest_is_refused_in_one_line(kind):
    frame, message = REFUSED[kind]
    with pytest.raises(DataError, match=message) as caught:
        as_pixels(frame)
    assert str(caught.value).startswith("a frame") and "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "CMYK", "YCbCr", "HSV", "I;16", "I"])
def test_pillow_s_modes_are_the_colours_it_shows(mode):
    given = Image.fromarray(RGB[..., 0].astype(np.uint16) * 257) if mode[0] == "I" else Image.fromarray(RGB)
    if mode != "I;16":
        given = given.convert(mode)
    wanted = np.repeat(RGB[..., :1], 3, axis=2) if mode[0] == "I" else np.asarray(given.convert("RGB"))
    assert np.array_equal(as_pixels(given), wanted)


@pytest.fixture(scope="module")
def network():
    return vq.capture(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU()), torch.rand(1, 3, 12, 16))


@pytest.fixture(scope="module")
def runners(network):
    quantized = vq.quantize(network, "w8a8", [RGB, RGB[::-1].copy()])
    plan = lower(quantized)
    return {
        "network": network,
        "simulation": lambda frame: quantized.stream()(frame),
        "engine": lambda frame: plan.stream("exact")(frame),
        "calibration": lambda frame: vq.quantize(network, "w8a8", [frame, RGB[::-1].copy()]).stream()(RGB),
    }


RUNNERS = ["network", "simulation", "engine", "calibration"]


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.filterwarnings("error")
def test_every_door_takes_and_refuses_the_same(runners, runner):
    run = runners[runner]
    wanted = run(RGB)
    for frame in TAKEN.values():
        assert torch.equal(run(frame), wanted)
    for frame, _ in REFUSED.values():
        with pytest.raises(DataError):
            run(frame)


@pytest.mark.parametrize("runner", RUNNERS)
def test_floating_point_numbers_are_the_input_itself(runners, network, runner):
    x = network.prepare(RGB)
    wanted = runners[runner](RGB)
    for given in (x, x[0], x.double(), x.numpy(), x[0].numpy(), x.numpy().astype(np.float64)):
        # In floating point PyTorch may sum in another order where an axis is new.
        torch.testing.assert_close(runners[runner](given), wanted)
    with pytest.raises(DataError, match="the input must be 1×3×12×16; got 1×3×12×15"):
        runners[runner](x[..., 1:])
    with pytest.raises(DataError, match="NaN"):
        runners[runner](x.numpy() * np.nan)


def test_one_frame_is_no_list_of_frames(network):
    for single in (RGB, torch.from_numpy(CHW.copy())):
        with pytest.raises(DataError, match="calibration is one frame"):
            vq.quantize(network, "w8a8", single)


def test_a_comparison_and_a_film_are_made_of_any_kind(network, tmp_path):
    kinds = [RGB, Image.fromarray(RGB), torch.from_numpy(CHW.copy())]
    comparison = vq.compare(network, [vq.quantize(network, "fp32", [])], kinds)
    assert [frame["frame"] for frame in comparison.rows[0].per_frame] == [0, 1, 2]
    with VideoWriter(tmp_path / "film.mp4", 25) as writer:
        for kind in kinds:
            writer.write(kind)
    assert len(frames(tmp_path / "film.mp4")) == 3
