"""Engines that compute nothing much, importable by other processes."""

from functools import partial

import numpy as np
import torch

from videoquant.bench.engine_config import EngineConfig, Runner
from videoquant.runtime.report import FrameReport


class Doubler(Runner):
    """Gives the input times `factor`; notes the order of calls; its work is told by `work`."""

    def __init__(self, name="", factor=2.0, calls=None, work=(1.0,), layout=torch.contiguous_format):
        self.name, self.factor, self.calls, self.layout = name, factor, calls, layout
        self.work, self.frame, self.memory_bytes = work, 0, None

    def run(self, x):
        assert x.is_contiguous(memory_format=self.layout)
        if self.calls is not None:
            self.calls.append(self.name)
        self.frame += 1
        return {"y": x * self.factor}

    @property
    def report(self):
        share = self.work[(self.frame - 1) % len(self.work)]
        return FrameReport(macs=1000, macs_done=round(1000 * share), memory_bytes=self.memory_bytes)


class Hoarder(Runner):
    """Takes `megabytes` when it first runs, and gives them back."""

    def __init__(self, megabytes):
        self.megabytes = megabytes

    def run(self, x):
        held = np.ones(self.megabytes * 2**20, np.uint8)
        return {"y": x + float(held[0])}


def config(name="a", mode="frame", open_it=None, **given):
    return EngineConfig(name, mode, "int8", open_it or partial(Doubler, name, **given), ())
