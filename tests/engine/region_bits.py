"""Whether a plan's streams with regions give the simulation's bits, on every instruction set."""

from dataclasses import dataclass

import numpy as np
import torch

from tests.engine.drawn_networks import draw_network, draw_video
from tests.engine.drawn_regions import DrawnGate
from tests.engine.same_bits import CALIBRATION, Difference, is_defined
from videoquant import _native
from videoquant.api import quantize
from videoquant.engine.lower import lower

FRAMES = 18
SCHEMES = (
    *(
        "w8a8",
        "w4a4",
        "w8a8 asymmetric",
        "w8a8 per-tensor minmax",
        "w4a4 head=2 tail=2",
        "w32a8",
        "w8a8 ds=1%",
    ),
    *(
        "w8a8->w4a4 T=3",
        "w8a8->w8a8 T=3 recurrent",
        "w8a4->w4a8 T=2 float-reference",
        "w8a8->w8a8 T=3 adaptive",
    ),
    *(
        "w8a8->w4a4 T=3 ds=1%",
        "w8a8->w4a4 T=3 recurrent ds=1%",
        "w8a8->w4a4 T=3 head=fp",
        "w8a8->w32a8 T=4 tail=fp",
    ),
)


def first_difference(quantized, frames, gate=None, threads=1, isas=()):
    """The first difference between a network's streams with regions over a video; None where there is none.

    gate: in place of the streams' own. The first stream is the simulation, where everything in the plan is
    defined to the last bit; else the best instruction set's.
    """
    plan, streams = lower(quantized), {}
    if is_defined(plan):
        streams["simulation"] = quantized.stream()
    for isa in isas or _native.isas():
        streams[isa] = plan.stream(threads=threads, isa=isa)
    for name, stream in streams.items():
        if gate is not None:
            (stream if name == "simulation" else stream.input).gate = gate
    (first, reference), *others = streams.items()
    for number, frame in enumerate(frames):
        expected = reference.run(frame)
        for name, stream in others:
            got, where = stream.run(frame), f"{name} and {first}, {threads} threads"
            for output, y in expected.items():
                if not torch.equal(got[output], y):
                    return Difference(where, number, output, int((got[output] != y).sum()), y.numel())
            work, wanted = stream.report, reference.report
            if (work.macs_done, work.macs) != (wanted.macs_done, wanted.macs):
                return Difference(where, number, "MACs", work.macs_done - wanted.macs_done, wanted.macs)
    return None


@dataclass
class Case:
    """A network, a scheme and a video, of a seed."""

    seed: int
    network: object
    scheme: str
    drawn: bool
    defined: bool
    threads: int
    difference: Difference | None

    def __str__(self):
        nodes = [f"    {n.name} = {n.op}({', '.join(n.inputs)}) {n.attributes}" for n in self.network.nodes]
        regions = "drawn regions" if self.drawn else "its own gate"
        size = self.network.input_shape
        lines = [
            f"seed {self.seed}, {self.network.name}, input {size}, {self.scheme!r}, {regions}",
            *nodes,
            f"    outputs {self.network.outputs}; threads {self.threads}",
            f"    {self.difference or 'no difference'}",
        ]
        return "\n".join(lines)


def check(seed):
    """Draw a network, a scheme with regions, a video and, mostly, regions; compare their streams."""
    draw, network = np.random.default_rng(seed), draw_network(seed, seed % 3 == 0)
    size, kind = tuple(network.input_shape[2:]), draw.choice(SCHEMES)
    block = draw.choice([side for side in (8, 12, 16) if side < max(size)])  # one of several
    scheme = f"{kind} regions block={block} grow={draw.choice([0, 0, 1, 2])}"
    threads = int(draw.integers(1, 4))
    frames, _ = draw_video(seed, FRAMES, size)
    seen, _ = draw_video(seed + 1, CALIBRATION, size)
    quantized = quantize(network, scheme, seen)
    drawn = seed % 4 > 0
    gate = DrawnGate(quantized.scheme.regions, size, seed) if drawn else None
    found = first_difference(quantized, frames, gate, threads)
    return Case(seed, network, scheme, drawn, is_defined(lower(quantized)), threads, found)
