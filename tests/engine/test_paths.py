"""Every path through lowering runs through the streams that users have, and gives what the simulation gives.

A path is what decides which operators, steps and range updates a plan has: where ranges come from and whether
they are known early, what is kept between frames, Dense + Sparse, and what is left in floating point; over
layers of every kind. Nothing here looks into a stream. What operators give one by one is in `test_lower.py`.
"""

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import videoquant as vq
from tests.engine.agreement import is_early
from tests.networks import moving_frames
from tests.operators import captured
from videoquant.axes import DenseSparse, Residual
from videoquant.engine import lower
from videoquant.engine.lockstep import may_round
from videoquant.errors import SchemeError
from videoquant.runtime.program import MeasuredRange, PredictedRanges
from videoquant.runtime.session import frame_only
from videoquant.schemes import Scheme


class AllLayers(nn.Module):
    """Layers of every kind, a skip connection, and a value that waits for ranges that come later."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.grouped = nn.Conv2d(8, 12, 3, stride=2, padding=1, groups=4)
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False)
        self.up = nn.ConvTranspose2d(12, 8, 2, stride=2, groups=2)
        self.classify = nn.Linear(8 * 36, 5)

    def forward(self, x):
        x = F.relu(self.first(x))
        y = self.depthwise(F.relu6(self.grouped(x)))
        x = x + self.up(y)
        return {"map": x, "scores": self.classify(F.max_pool2d(x, 2).flatten(1))}


BITS = {
    "integers": ("w8a8", "w4a4"),
    "float weights": ("w32a8", "w32a4"),
    "float activations": ("w8a32", "w4a32"),
}
RANGES = {
    "static": "",
    "measured": "dynamic",
    "predicted": "qpp at=first-relu",
    "predicted late": "qpp at=grouped",
}
TIMES = ("frame", "residual", "recurrent", "float-reference")
SPARSE = {"uniform": "", "Dense + Sparse": "ds=5%"}


def scheme(bits, ranges, time, sparse):
    """The text of a path's scheme."""
    key, residual = BITS[bits]
    words = [key] if time == "frame" else [f"{key}->{residual} T=3"]
    words += [] if time in ("frame", "residual") else [time]
    return " ".join(filter(None, [*words, RANGES[ranges], SPARSE[sparse]]))


def parses(text):
    try:
        Scheme.parse(text)
    except SchemeError:  # a combination that means nothing
        return False
    return True


PATHS = [
    text
    for bits in BITS
    for ranges in RANGES
    for time in TIMES
    for sparse in SPARSE
    if parses(text := scheme(bits, ranges, time, sparse))
]
FRAMES = moving_frames(30, 12)


@cache
def lowered(text):
    quantized = vq.quantize(captured(AllLayers), text, FRAMES[:24] if "qpp" in text else FRAMES[15:24])
    return quantized, lower(quantized)


@pytest.mark.filterwarnings("ignore::videoquant.errors.CalibrationWarning")
@pytest.mark.parametrize("text", PATHS)
def test_a_path_gives_what_the_simulation_gives(text):
    quantized, plan = lowered(text)
    streams = {"frame": plan.stream(threads=1)}
    if not frame_only(plan.scheme):
        streams["exact"] = plan.stream("exact", threads=2)
    simulation = quantized.stream()
    ops = [op for program in plan.programs.values() for op in program.ops]
    exact = not any(may_round(op) for op in ops)
    for frame in FRAMES[24:]:
        wanted = simulation.run(frame)
        found = {mode: stream.run(frame) for mode, stream in streams.items()}
        assert streams["frame"].is_key == simulation.is_key
        for name, y in wanted.items():
            got = found["frame"][name]
            assert all(torch.equal(outputs[name], got) for outputs in found.values())
            if exact:
                assert torch.equal(got, y)
            else:  # sums of floating-point numbers, and codes on the border between two
                assert float((got - y).square().mean()) < 1e-3 * float(y.square().mean())


def test_the_paths_are_all_there_are():
    """So that a new operator, step or update of lowering is missed here until a path runs it."""
    ops, steps, updates = set(), set(), set()
    for text in PATHS:
        _, plan = lowered(text)
        for name, program in plan.programs.items():
            ops |= {op.kind for op in program.ops}
            steps |= {type(step).__name__ for op in program.ops for step in op.steps}
            updates |= {(name, type(update)) for update in program.updates}
    assert ops >= {"conv", "conv_transpose", "fconv", "fconv_transpose", "map", "dequantize", "sparse"}
    assert steps == {"Function", "Combine", "Store", "StoreCodes", "StoreValues", "StoreResidual"}
    kinds = MeasuredRange, PredictedRanges
    assert updates == {(name, kind) for name in ("key", "residual") for kind in kinds}
    axes = [Scheme.parse(text) for text in PATHS]
    assert any(isinstance(a.time, Residual) and isinstance(a.representation, DenseSparse) for a in axes)


class Wide(nn.Module):
    """A first activation so large that its features are taken of a sample, which is computed before it."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 2, 1)

    def forward(self, x):
        return self.last(F.relu(self.first(x)))


def test_ranges_predicted_from_a_sample_are_the_simulation_s():
    frames = [frame * (0.2 + i % 7) for i, frame in enumerate(moving_frames(30, 48))]
    quantized = vq.quantize(captured(Wide, 48), "w8a8 qpp=5 at=first-relu", frames[:24])
    plan = lower(quantized)
    assert is_early(plan.programs["key"])
    stream, simulation = plan.stream(threads=1), quantized.stream()
    for frame in frames[24:]:
        assert torch.equal(stream(frame), simulation(frame))
