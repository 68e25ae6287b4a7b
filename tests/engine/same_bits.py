"""Whether a plan's streams give the same bits: every mode that fits it, on every instruction set."""

from dataclasses import dataclass

import torch

from tests.engine.drawn_networks import ALONE_SCHEMES, FRAME_SCHEMES, draw_network, draw_video
from videoquant import _native
from videoquant.api import quantize
from videoquant.engine.lockstep import may_round
from videoquant.engine.lower import lower
from videoquant.runtime.session import frame_only

CALIBRATION, FRAMES = 24, 14


@dataclass
class Difference:
    """Where two streams differ first. where: of which streams; frame: its number in the video."""

    where: str
    frame: int
    output: str
    values: int
    of: int

    def __str__(self):
        return f"{self.where}: frame {self.frame}, {self.output!r}: {self.values} of {self.of} values differ"


def first_difference(quantized, frames, threads=1, isas=()):
    """The first difference between a network's streams over a video; None where there is none.

    The first is mode frame on the best instruction set. Beside it run mode frame on the others; mode exact on
    all, by its own pace and always following, where the scheme has that; and the simulation, where nothing in
    the plan is defined only to within rounding.
    """
    plan = lower(quantized)
    isas = isas or _native.isas()
    first, streams = plan.stream("frame", threads, isa=isas[0]), {}
    for isa in isas:
        if isa != isas[0]:
            streams[f"frame on {isa}"] = plan.stream("frame", threads, isa=isa)
        if not frame_only(plan.scheme):
            streams[f"exact on {isa}"] = plan.stream("exact", threads, isa=isa)
            streams[f"exact on {isa}, always following"] = plan.stream("exact", threads, isa=isa)
            streams[f"exact on {isa}, always following"].always_follow()
    if is_defined(plan):
        streams["simulation"] = quantized.stream()
    for number, frame in enumerate(frames):
        expected = first.run(frame)
        for name, stream in streams.items():
            got = stream.run(frame)
            for output, y in expected.items():
                if not torch.equal(got[output], y):
                    where = f"{name} and frame on {isas[0]}, {threads} threads"
                    return Difference(where, number, output, int((got[output] != y).sum()), y.numel())
    return None


def is_defined(plan):
    """Whether all that a plan computes is defined to the last bit, so that it is the simulation's."""
    ops = [op for program in plan.programs.values() for op in program.ops]
    return not any(may_round(op) for op in ops)


@dataclass
class Case:
    """A network, a scheme and a video, of a seed. pooled: it begins with convolution, activation, pool."""

    seed: int
    pooled: bool
    network: object
    scheme: str
    changes: list
    threads: int
    difference: Difference | None

    def __str__(self):
        network = self.network
        nodes = [f"    {n.name} = {n.op}({', '.join(n.inputs)}) {n.attributes}" for n in network.nodes]
        lines = [
            f"seed {self.seed}, {network.name}, input {network.input_shape}, scheme {self.scheme!r}",
            *nodes,
            f"    outputs {network.outputs}; weights: draw_network({self.seed}, pooled={self.pooled})",
            "    frames: " + " ".join(f"{i} {change}" for i, change in enumerate(self.changes)),
            f"    {self.difference or 'no difference'}",
        ]
        return "\n".join(lines)


def check(seed, pooled):
    """Draw a network, a scheme and a video; compare their streams."""
    network = draw_network(seed, pooled)
    draw = torch.Generator().manual_seed(seed)

    def choose(*values):
        return values[int(torch.randint(len(values), (1,), generator=draw))]

    groups = (
        *FRAME_SCHEMES.values(),
        FRAME_SCHEMES["qpp"],
        FRAME_SCHEMES["qpp"] if pooled else ALONE_SCHEMES,
    )
    scheme = choose(*choose(*groups))
    if "ds=" not in scheme and "minmax" not in scheme:
        scheme += choose("", " minmax", *[" quantile=0.99"] * 2)
    size = network.input_shape[2:]
    frames, changes = draw_video(seed, FRAMES, size)
    seen, _ = draw_video(seed + 1, CALIBRATION, size)
    threads = choose(1, 2, 3)
    found = first_difference(quantize(network, scheme, seen), frames, threads)
    return Case(seed, pooled, network, scheme, changes, threads, found)
