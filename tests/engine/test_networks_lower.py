"""Real networks lower whole, and every operator of them computes what the simulation does."""

import pytest
import torch

import videoquant as vq
from tests.engine.agreement import Agreement
from videoquant.models.loading import capture_model
from videoquant.models.registry import create

FILES = [
    "face_landmark_192",
    "mobilenet_v2_224",
    "pose_landmark_full_256",
    "posenet_432x768",
    "selfie_segmentation_256",
    "waifu2x_photo_x2_144x176",
]
# One of each architecture (torch.export takes long for the larger ones), at a size as small as it can have.
MODELS = {
    "resnet18": (64, 64),
    "hrnet_w18_small_v1": (64, 64),
    "ddrnet23_slim": (64, 128),
    "espcn_x3": (17, 30),
}


def check(network, frames, text):
    forced = Agreement(vq.quantize(network, text, frames), forced=True)
    for frame in frames:
        forced.run(frame)
    forced.check(error=1e-4)


@pytest.mark.parametrize("name", FILES)
def test_onnx_files(shared_data, name):
    network = vq.load(shared_data / "models" / f"{name}.onnx")
    clip = vq.frames(shared_data / "clips" / "one-by-one-person-detection.mp4")
    frames = [network.prepare(frame) for frame, _ in zip(clip, range(2), strict=False)]
    check(network, frames, "w8a8->w4a4 T=2 minmax")


@pytest.mark.parametrize("name", MODELS)
def test_models(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = capture_model(name, create(name), MODELS[name])
        frames = [torch.rand(network.input_shape) for _ in range(2)]
    check(network, frames, "w8a8->w8a4 T=2 minmax")
