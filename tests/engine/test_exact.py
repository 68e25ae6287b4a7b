"""Engine and simulation agree in every code and every value, bit for bit.

Left out is only what no definition fixes to the last bit: average pools, bilinear resizing and softmax, which
add in another order, the exponential and its like, and layers in floating point. A network that has them is
compared operator by operator, each on what the simulation computed: all others are equal; theirs are values
within 10⁻⁵ of the largest, and codes of which fewer than one in 10⁵ differs, by one step.
"""

import itertools

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import videoquant as vq
from tests.engine.agreement import Agreement
from tests.engine.plan_interpreter import Interpreter
from tests.engine.random_networks import Builder, networks
from tests.engine.same_bits import check, first_difference
from tests.networks import moving_frames
from tests.operators import ZOO, captured
from videoquant import _native
from videoquant.models.loading import capture_model
from videoquant.network.graph import Network
from videoquant.runtime.session import open_session

ENGINES = ["interpreter", *_native.isas()]
BEST = _native.isas()[0]
SCHEMES = [
    *("w8a8", "w4a4", "w8a8 per-tensor", "w8a8 asymmetric", "w8a6 dynamic", "w8a8 qpp"),
    *("w8a8->w4a4 T=3", "w8a8->w8a8 T=3 recurrent", "w8a4->w4a8 T=2 float-reference"),
    *("w8a8->w8a8 T=3 adaptive", "w4a8->w4a4 T=3 dynamic"),
]
# Those without, and those with operators that are defined only to within rounding.
EXACT = ["posenet_432x768", "waifu2x_photo_x2_144x176", "face_landmark_192"]
ROUNDING = ["mobilenet_v2_224", "pose_landmark_full_256", "selfie_segmentation_256"]


def agreement(quantized, engine, forced=False):
    if engine == "interpreter":
        return Agreement(quantized, Interpreter, forced)
    return Agreement(quantized, lambda plan: open_session(plan, threads=1, isa=engine), forced)


def scene(count, size, seed):
    """Frames in which every value moves a little, some of them out of the calibrated range."""
    generator = torch.Generator().manual_seed(seed)
    still = torch.randn(1, 3, *size, generator=generator)
    return [still + 0.3 * torch.randn(1, 3, *size, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("part", range(2))  # two processes share the work
@pytest.mark.filterwarnings("ignore::videoquant.errors.CalibrationWarning")  # a clamp may hide all motion
@settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
@given(networks(), st.sampled_from(SCHEMES), st.integers(0, 10**6))
def test_random_networks(part, network, text, seed):
    frames = scene(12, network.size, seed)
    quantized = vq.quantize(network, text, frames[:9])
    for engine in ENGINES:
        both = agreement(quantized, engine)
        for frame in frames[9:]:
            both.run(frame)
        assert not both.differences, engine
        assert both.compared["codes"] and both.compared["values"]


@pytest.mark.parametrize("text", ["w8a8", "w8a8->w4a4 T=3 recurrent"])
@pytest.mark.parametrize("name", EXACT + ROUNDING)
def test_real_networks(shared_data, name, text):
    network = vq.load(shared_data / "models" / f"{name}.onnx")
    clip = vq.frames(shared_data / "clips" / "one-by-one-person-detection.mp4")
    frames = [network.prepare(frame) for frame in itertools.islice(clip, 5)]
    both = agreement(vq.quantize(network, text, frames[:3]), BEST, forced=name in ROUNDING)
    for frame in frames[3:] if "->" in text else frames[3:4]:
        both.run(frame)
    both.check(share=1e-5, error=1e-5)


def test_a_layer_whose_sums_may_exceed_float32():
    # ResNet's 3×3 kernels over 512 channels, which the simulation computes in parts.
    network = capture_model("resnet18", vq.models.create("resnet18"), (64, 64))
    frames = scene(5, (64, 64), 0)
    quantized = vq.quantize(network, "w8a8", frames[:4])
    assert any(weights.key.extent * 255 > 2**24 for weights in quantized.weights.values() if weights.key)
    for engine in ("interpreter", BEST):
        both = agreement(quantized, engine, forced=True)  # it ends in an average
        both.run(frames[4])
        both.check()


@pytest.mark.filterwarnings("ignore::videoquant.errors.CalibrationWarning")
@pytest.mark.parametrize(
    "text", ["w8a8", "w8a8 qpp at=auto:3", "w8a8->w4a4 T=3 recurrent", "w8a8 ds=1% dynamic"]
)
@pytest.mark.parametrize("module", ZOO)
def test_every_operator_runs_through_streams(module, text):
    frames = moving_frames(28, 12)
    quantized = vq.quantize(captured(module), text, frames[:22])
    assert first_difference(quantized, frames[22:], isas=[BEST]) is None


@pytest.mark.filterwarnings("ignore::videoquant.errors.CalibrationWarning")
@pytest.mark.parametrize("seed", range(20))
def test_exact_is_frame_on_drawn_networks(seed):
    """A short form of benchmarks/exact_equals_frame.py."""
    case = check(seed, pooled=seed % 2 == 0)
    assert case.difference is None, str(case)


def stem(size, before=False, behind=False, channels=8):
    """Convolution, activation, pool, as so many networks begin.

    before: a skip connection before the pool. behind: a value of one pixel that the pool's is added to.
    """
    build, pads = Builder(0), {"kernel": (3, 3), "padding": [1, 1, 1, 1]}
    x = y = build.conv("input", channels, inputs=3, **pads)
    largest = build.node("amax", x, dims=[2, 3], keepdim=True) if behind else None
    if before or behind:
        y = build.conv(x, channels, inputs=channels, **pads)
    y = build.node("clamp", build.node("add", y, x) if before else y, min=0)
    window = {"kernel": [3, 3], "stride": [2, 2], "padding": [1, 1, 1, 1], "dilation": [1, 1]}
    y = build.node("max_pool2d", y, **window, ceil=False)
    y = build.node("add", y, largest) if behind else y
    return Network(
        build.nodes, "input", (1, 3, *size), {"y": build.conv(y, 4, inputs=channels)}, build.tensors
    )


def flashes(size):
    """A dark, still picture in which now and then a few pixels are bright, here and there."""
    generator = torch.Generator().manual_seed(1)
    still = torch.rand(1, 3, *size, generator=generator) / 4
    for i in range(48):
        frame = still.clone()
        if i % 3:
            frame[..., i % 5 : i % 5 + 2, i % 7 : i % 7 + 2] = 0.3 + i % 4 / 5
        yield frame


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (16, 20)),  # a new grid of the pool's codes, and nothing else that is new
        ({"before": True}, (16, 20)),  # features are taken of what lies between convolution and pool
        ({"channels": 32}, (50, 50)),  # as there, since the map is larger than what features are taken of
        ({"behind": True}, (16, 20)),  # what is added to the pool moves where the convolution does not
    ],
)
@pytest.mark.parametrize("text", ["w8a8", "w8a8 dynamic", "w8a8 qpp"])
def test_a_convolution_and_its_pool_run_together(options, size, text):
    frames = list(flashes(size))
    network = stem(size, **options)
    assert first_difference(vq.quantize(network, text, frames[:32]), frames[32:]) is None
