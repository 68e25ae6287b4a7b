"""What is measured: an engine that runs a network in one of its ways, and a run of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.errors import VideoQuantError
from videoquant.network.graph import Network
from videoquant.runtime.report import FrameReport

INSTALL = "pip install 'videoquant[bench]'"


class MissingPackageError(VideoQuantError):
    """An engine was asked for whose package is not installed."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A frame as engines may take it, which is not timed.

    x: the network's input, float32 N×C×H×W.
    picture: the bytes that it is made of, resized and in RGB, uint8 H×W×3; None for luma.
    """

    x: Tensor
    picture: NDArray[np.uint8] | None = None

    @classmethod
    def of(cls, network: Network, pixels: NDArray[np.uint8]) -> Prepared:
        """pixels: of a frame, uint8 RGB H×W×3."""
        seen, picture = network.preprocessing, None
        if seen.color != "Y":
            picture = replace(seen, color="RGB").picture(pixels, network.size)
        return cls(network.prepare(pixels), picture)


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

    def lay_out(self, frame: Prepared) -> Any:
        """What `run` takes of a frame: the input, lying in `layout`."""
        return frame.x.contiguous(memory_format=self.layout)

    @abstractmethod
    def run(self, x: Any) -> dict[str, Tensor]:
        """The outputs for what `lay_out` gave; they are valid until the next call."""


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
