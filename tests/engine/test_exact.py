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
from tests.engine.lockstep import Lockstep
from tests.engine.plan_interpreter import Interpreter
from tests.engine.random_networks import networks
from videoquant import _native
from videoquant.api import capture_model
from videoquant.engine.session import open_session

ENGINES = ["interpreter", *_native.isas()]
SCHEMES = [
    *("w8a8", "w4a4", "w8a8 per-tensor", "w8a8 asymmetric", "w8a6 dynamic", "w8a8 qpp"),
    *("w8a8->w4a4 T=3", "w8a8->w8a8 T=3 recurrent", "w8a4->w4a8 T=2 float-reference"),
    *("w8a8->w8a8 T=3 adaptive", "w4a8->w4a4 T=3 dynamic"),
]
# Those without, and those with operators that are defined only to within rounding.
EXACT = ["posenet_432x768", "waifu2x_photo_x2_144x176", "face_landmark_192"]
ROUNDING = ["mobilenet_v2_224", "pose_landmark_full_256", "selfie_segmentation_256"]


def lockstep(quantized, engine, forced=False):
    if engine == "interpreter":
        return Lockstep(quantized, lambda plan: Interpreter(plan.spec), forced)
    return Lockstep(quantized, lambda plan: open_session(plan, "frame", 1, {}, engine), forced)


def scene(count, size, seed):
    """Frames in which every value moves a little, some of them out of the calibrated range."""
    generator = torch.Generator().manual_seed(seed)
    still = torch.randn(1, 3, *size, generator=generator)
    return [still + 0.3 * torch.randn(1, 3, *size, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.filterwarnings("ignore::videoquant.errors.CalibrationWarning")  # a clamp may hide all motion
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(networks(), st.sampled_from(SCHEMES), st.integers(0, 10**6))
def test_random_networks(engine, network, text, seed):
    frames = scene(12, network.size, seed)
    both = lockstep(vq.quantize(network, text, frames[:9]), engine)
    for frame in frames[9:]:
        both.run(frame)
    assert not both.errors
    assert both.compared["codes"] and both.compared["values"]


@pytest.mark.parametrize("text", ["w8a8", "w8a8->w4a4 T=3 recurrent"])
@pytest.mark.parametrize("name", EXACT + ROUNDING)
def test_real_networks(shared_data, name, text):
    network = vq.load(shared_data / "models" / f"{name}.onnx")
    clip = vq.frames(shared_data / "clips" / "one-by-one-person-detection.mp4")
    frames = [network.prepare(frame) for frame in itertools.islice(clip, 12)]
    quantized = vq.quantize(network, text, frames[:9])
    for engine in ENGINES[:2]:
        both = lockstep(quantized, engine, forced=name in ROUNDING)
        for frame in frames[9:11]:
            both.run(frame)
        assert not both.errors
        codes = [error for error in both.free_errors if error[0] == "codes"]
        values = [error for error in both.free_errors if error[0] == "values"]
        assert all(largest < 1e-5 for *_, largest in values) and all(largest == 1 for *_, largest in codes)
        assert sum(differing for *_, differing, _ in codes) < 1e-5 * both.compared["codes"]


def test_a_layer_whose_sums_may_exceed_float32():
    # ResNet's 3×3 kernels over 512 channels, which the simulation computes in parts.
    network = capture_model("resnet18", vq.models.create("resnet18"), (64, 64))
    frames = scene(5, (64, 64), 0)
    quantized = vq.quantize(network, "w8a8", frames[:4])
    assert any(weights.key.extent * 255 > 2**24 for weights in quantized.weights.values() if weights.key)
    for engine in ENGINES[:2]:
        both = lockstep(quantized, engine, forced=True)  # it ends in an average
        both.run(frames[4])
        assert not both.errors
