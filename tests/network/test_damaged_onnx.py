"""The short form of `benchmarks/damaged_files.py` for ONNX: files are read, or refused in one line."""

from pathlib import Path
from random import Random

import pytest
import torch
from torch import nn

import videoquant as vq
from benchmarks.damaged_onnx import damage_onnx, use_onnx
from videoquant.network.onnx_writer import write_onnx


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6(), nn.MaxPool2d(2), nn.Upsample(scale_factor=2), nn.PReLU(8)]
    module = nn.Sequential(*layers, nn.ConvTranspose2d(8, 4, 2, 2), nn.Flatten(), nn.Linear(768, 5)).eval()
    path = tmp_path_factory.mktemp("whole") / "small.onnx"
    write_onnx(vq.capture(module, torch.rand(1, 3, 12, 16)), path)
    return path.read_bytes()


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_file_is_read_or_refused_in_one_line(part: int, whole: bytes, tmp_path: Path) -> None:
    refused = 0
    for number in range(60 * part, 60 * (part + 1)):
        data, what = damage_onnx(whole, Random(number))
        (tmp_path / "damaged.onnx").write_bytes(data)
        try:
            with vq.size_limit(0.25):
                use_onnx(tmp_path / "damaged.onnx")
        except vq.VideoQuantError as error:
            assert "\n" not in str(error), f"number {number}: {what}"
            refused += 1
        except Exception as error:
            raise AssertionError(f"number {number}: {what}") from error
    assert 20 < refused < 60
