"""Small networks with states: in PyTorch buffers that they change, in ONNX inputs that outputs feed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import videoquant as vq


class ConvGru(nn.Module):
    """h' = (1 − z) · h + z · n. hard: of gates that every machine rounds alike."""

    def __init__(self, channels: int, hard: bool) -> None:
        super().__init__()
        self.gates = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1)
        self.new = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.sigmoid = F.hardsigmoid if hard else torch.sigmoid
        self.tanh = F.hardtanh if hard else torch.tanh

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        z, r = self.sigmoid(self.gates(torch.cat([x, h], 1))).chunk(2, 1)
        n = self.tanh(self.new(torch.cat([x, r * h], 1)))
        return (1 - z) * h + z * n


class Recurrent(nn.Module):
    """3×H×W → a mask, with h_in → h_out; a ConvGRU at half the size."""

    def __init__(self, hard: bool = False) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.gru = ConvGru(8, hard)
        self.head = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = self.gru(self.stem(x), h)
        return self.head(h), h


class Buffered(nn.Module):
    """`Recurrent` with its state in a buffer; the two pictures before are states too, one after the other."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.inner = Recurrent(hard=True)
        self.mix = nn.Conv2d(9, 3, 1)
        self.register_buffer("h", torch.zeros(1, 8, size // 2, size // 2))
        self.register_buffer("last", torch.zeros(1, 3, size, size))
        self.register_buffer("before", torch.zeros(1, 3, size, size))

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.mix(torch.cat([x, self.last, self.before], 1))
        y, h = self.inner(mixed, self.h)
        self.h.copy_(h)
        self.before.copy_(self.last)
        self.last.copy_(x)
        return y


def stateful_network(size: int = 16) -> vq.Network:
    """`Buffered` with random weights: states h, last and before."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return vq.capture(Buffered(size).eval(), torch.rand(1, 3, size, size), name="stateful")


def exported(folder: Path, size: int = 32, dynamic: bool = False, batch: int = 1) -> Path:
    """`Recurrent` as an ONNX file; dynamic: of any batch and size."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        module = Recurrent().eval()
    names = ["image", "h_in", "mask", "h_out"]
    axes = {0: "n", 2: "h", 3: "w"}
    torch.onnx.export(
        module,
        (torch.rand(batch, 3, size, size), torch.zeros(batch, 8, size // 2, size // 2)),
        folder / "recurrent.onnx",
        input_names=names[:2],
        output_names=names[2:],
        dynamic_axes=dict.fromkeys(names, axes) if dynamic else None,
        dynamo=False,
        opset_version=17,
    )
    return folder / "recurrent.onnx"


def onnx_runtime_over(
    path: Path, inputs: list[Tensor], image: str, states: dict[str, str], zeros: dict[str, np.ndarray]
) -> list[dict[str, np.ndarray]]:
    """What ONNX Runtime gives frame by frame, states fed back. states: input → output; zeros: by input."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    given, found = dict(zeros), []
    for x in inputs:
        found.append(dict(zip(names, session.run(None, {image: x.numpy()} | given), strict=True)))
        given |= {name: found[-1][output] for name, output in states.items()}
    return found
