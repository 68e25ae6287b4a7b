"""A network with states of a real size: of RobustVideoMatting's structure, with random weights, over a clip.

    python -m benchmarks.matting CLIP [FRAMES]

Floating point beside ONNX Runtime with its states fed back, w8a8 in simulation and in the engine, the time of
each. MobileNetV3-Large, LRASPP and a decoder with four ConvGRUs (Lin et al., WACV 2022), without its
refinement: its own weights are not ours to fetch.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import videoquant as vq
from videoquant.engine import lower
from videoquant.network.float_stream import FloatStream
from videoquant.tasks.sqnr import Sqnr

SIZE = (288, 512)
STATES = ((16, 2), (20, 4), (40, 8), (64, 16))  # channels, and over what of the picture's size
R, H = nn.ReLU, nn.Hardswish
# Of MobileNetV3-Large: kernel, expanded and given channels, squeeze, activation, stride, dilation.
BLOCKS = (
    (3, 16, 16, 0, R, 1, 1), (3, 64, 24, 0, R, 2, 1), (3, 72, 24, 0, R, 1, 1), (5, 72, 40, 1, R, 2, 1),
    (5, 120, 40, 1, R, 1, 1), (5, 120, 40, 1, R, 1, 1), (3, 240, 80, 0, H, 2, 1), (3, 200, 80, 0, H, 1, 1),
    (3, 184, 80, 0, H, 1, 1), (3, 184, 80, 0, H, 1, 1), (3, 480, 112, 1, H, 1, 1), (3, 672, 112, 1, H, 1, 1),
    (5, 672, 160, 1, H, 1, 2), (5, 960, 160, 1, H, 1, 2), (5, 960, 160, 1, H, 1, 2),
)  # fmt: skip


def layer(reads: int, gives: int, kernel: int, *, stride: int = 1, groups: int = 1, dilation: int = 1,
          then: type[nn.Module] | None = None) -> nn.Sequential:  # fmt: skip
    """A convolution, its batch norm and its activation."""
    padding = (kernel - 1) // 2 * dilation
    conv = nn.Conv2d(reads, gives, kernel, stride, padding, dilation, groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(gives), *([] if then is None else [then()]))


class Squeeze(nn.Module):
    """Channels weighted by what all of them are in the mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * F.hardsigmoid(self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))))


class Inverted(nn.Module):
    """MobileNetV3's block."""

    def __init__(self, reads: int, kernel: int, wide: int, gives: int, squeeze: int, then: type[nn.Module],
                 stride: int, dilation: int) -> None:  # fmt: skip
        super().__init__()
        depthwise = layer(wide, wide, kernel, stride=stride, groups=wide, dilation=dilation, then=then)
        parts: list[nn.Module] = [] if wide == reads else [layer(reads, wide, 1, then=then)]
        parts += [depthwise, *([Squeeze(wide)] if squeeze else []), layer(wide, gives, 1)]
        self.parts, self.adds = nn.Sequential(*parts), stride == 1 and reads == gives

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.parts(x)
        return x + y if self.adds else y


class HalfRecurrent(nn.Module):
    """A ConvGRU over the second half of the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.half = channels // 2
        self.gates = nn.Conv2d(channels, channels, 3, padding=1)
        self.new = nn.Conv2d(channels, self.half, 3, padding=1)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        plain, x = x.split(self.half, 1)
        r, z = torch.sigmoid(self.gates(torch.cat([x, h], 1))).split(self.half, 1)
        h = (1 - z) * h + z * torch.tanh(self.new(torch.cat([x, r * h], 1)))
        return torch.cat([plain, h], 1), h


class Matting(nn.Module):
    """src 1×3×H×W and four states → the foreground, its alpha, and the states."""

    def __init__(self) -> None:
        super().__init__()
        widths = [16, *(row[2] for row in BLOCKS)]
        self.stem = layer(3, 16, 3, stride=2, then=nn.Hardswish)
        self.blocks = nn.ModuleList(Inverted(width, *row) for width, row in zip(widths, BLOCKS, strict=False))
        self.last = layer(160, 960, 1, then=nn.Hardswish)
        self.pyramid, self.weights = layer(960, 128, 1, then=nn.ReLU), nn.Conv2d(960, 128, 1, bias=False)
        reads = (128 + 40 + 3, 80 + 24 + 3, 40 + 16 + 3)
        self.up = nn.ModuleList(
            layer(n, m, 3, then=nn.ReLU) for n, m in zip(reads, (80, 40, 32), strict=True)
        )
        self.memory = nn.ModuleList(HalfRecurrent(width) for width in (128, 80, 40, 32))
        self.out = nn.Sequential(
            layer(35, 16, 3, then=nn.ReLU), layer(16, 16, 3, then=nn.ReLU), nn.Conv2d(16, 4, 1)
        )

    def forward(self, src: Tensor, r1: Tensor, r2: Tensor, r3: Tensor, r4: Tensor) -> tuple[Tensor, ...]:
        pictures = [F.avg_pool2d(src, 2)]
        pictures += [F.avg_pool2d(pictures[-1], 2)]
        pictures += [F.avg_pool2d(pictures[-1], 2)]
        x, features = self.stem(src), []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in (0, 2, 5):
                features.append(x)
        x = self.last(x)
        x = self.pyramid(x) * torch.sigmoid(self.weights(x.mean((2, 3), keepdim=True)))
        x, state = self.memory[0](x, r4)
        states = [state]
        for step, before in enumerate((r3, r2, r1)):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = self.up[step](torch.cat([x, features[2 - step], pictures[2 - step]], 1))
            x, state = self.memory[step + 1](x, before)
            states.append(state)
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        foreground, alpha = self.out(torch.cat([x, src], 1)).split([3, 1], 1)
        return (foreground + src).clamp(0, 1), alpha.clamp(0, 1), *states[::-1]


def export(path: Path) -> None:
    """Write the network with weights drawn from a seed; batch norms know noise."""
    torch.manual_seed(0)
    module, (height, width) = Matting(), SIZE
    with torch.no_grad():
        module.out[2].weight.mul_(10)  # so that alpha is spread over 0 … 1
        module.out[2].bias.fill_(0.5)
        for _ in range(3):
            module(torch.rand(2, 3, height, width), *zeros(2))
    names = [f"r{i}" for i in range(1, 5)]
    torch.onnx.export(
        module.eval(),
        (torch.rand(1, 3, height, width), *zeros(1)),
        path,
        input_names=["src", *(f"{name}i" for name in names)],
        output_names=["fgr", "pha", *(f"{name}o" for name in names)],
        dynamo=False,
        opset_version=17,
    )


def zeros(frames: int) -> list[Tensor]:
    """States before the first frame."""
    return [torch.zeros(frames, channels, SIZE[0] // by, SIZE[1] // by) for channels, by in STATES]


def main(arguments: Sequence[str]) -> None:
    clip, count = arguments[0], int(arguments[1]) if len(arguments) > 1 else 30
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "matting.onnx")
        export(path)
        network = vq.load(path, preprocessing={"scale": "1/255", "task": "segmentation"})
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        runtime = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        start = time.process_time()
        quantized = vq.quantize(network, "w8a8", clip)
        print(f"quantized in {time.process_time() - start:.0f} s of CPU time")
        plan = lower(quantized)
        streams = {mode: plan.stream(mode, 1) for mode in ("frame", "exact")}
        exact, simulation, sqnr = FloatStream(network), quantized.stream(), Sqnr()
        states = dict(zip(network.states, (x.numpy() for x in zeros(1)), strict=True))
        away = {"fp32 − ONNX Runtime": 0.0, "engine − simulation": 0.0, "exact − frame": 0.0}
        ms: dict[str, list[float]] = {way: [] for way in ("ONNX Runtime, fp32", *streams)}
        for frame in itertools.islice(vq.frames(clip), count):
            x = network.prepare(frame)
            start = time.perf_counter()
            found = runtime.run(None, {"src": x.numpy()} | states)
            ms["ONNX Runtime, fp32"].append(1e3 * (time.perf_counter() - start))
            states = dict(zip(states, found[2:], strict=True))
            reference, simulated, got = exact.feed(x)["pha"], simulation.feed(x)["pha"], {}
            for mode, stream in streams.items():
                start = time.perf_counter()
                got[mode] = stream.arrays(x)["pha"]
                ms[mode].append(1e3 * (time.perf_counter() - start))
            sqnr.update(reference, simulated)
            for way, a, b in (
                ("fp32 − ONNX Runtime", found[1], reference.numpy()),
                ("engine − simulation", got["frame"], simulated.numpy()),
                ("exact − frame", got["exact"], got["frame"]),
            ):
                away[way] = max(away[way], float(np.abs(a - b).max()))
    print("pha, largest differences:", ", ".join(f"{way} {found:.1e}" for way, found in away.items()))
    print(f"w8a8 {sqnr.result():.1f} dB")
    print(", ".join(f"{way} {np.median(times[3:]):.0f} ms" for way, times in ms.items()))
    print(", ".join(f"{mode} {stream.memory_bytes / 2**20:.0f} MiB" for mode, stream in streams.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
