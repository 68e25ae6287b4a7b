"""What is measured: an engine that runs a network in one of its ways, and a run of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor

from videoquant.errors import VideoQuantError
from videoquant.runtime.report import FrameReport

INSTALL = "pip install 'videoquant[bench]'"


class MissingPackageError(VideoQuantError):
    """An engine was asked for whose package is not installed."""


class Runner(ABC):
    """A network loaded into an engine, for one video.

    layout: how it wants its input N×C×H×W to lie in memory.
    int8_share: the share of the network's convolutions that it computes in int8, where it says so.
    report: of the last frame, as far as it says.
    """

    layout: torch.memory_format = torch.contiguous_format
    int8_share: float | None = None

    @property
    def report(self) -> FrameReport:
        return FrameReport()

    @abstractmethod
    def run(self, x: Tensor) -> dict[str, Tensor]:
        """The outputs for a float32 input that lies in `layout`; they are valid until the next call."""


@dataclass(frozen=True)
class EngineConfig:
    """An engine in one of its ways. It can be pickled, so that its memory is measured in its own process.

    engine: its name.
    mode: "frame" where every frame is computed whole.
    precision: fp32 or int8.
    open: loads it, from files.
    packages: what `open` imports.
    """

    engine: str
    mode: str
    precision: str
    open: Callable[[], Runner]
    packages: tuple[str, ...]

    @property
    def label(self) -> str:
        return label(self.engine, self.precision, self.mode)


def label(engine: str, precision: str, mode: str) -> str:
    """What tables and plots call an engine: its mode is named where it skips work."""
    return f"{engine} {precision}" + ("" if mode == "frame" else f" {mode}")


def missing(packages: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed."""
    return [name for name in packages if find_spec(name) is None]
