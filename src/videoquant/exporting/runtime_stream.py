"""Exported files over a stream, in whatever runtime: which file runs, and the state between frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import onnx
from torch import Tensor

from videoquant.errors import MissingExtraError
from videoquant.exporting.state_names import following, is_state
from videoquant.network.onnx_writer import NEXT
from videoquant.runtime.clock import Clock


class RuntimeStream(ABC):
    """The state of one video in another runtime, as `simulate.Stream` has it.

    files: what `export` wrote: one file, or that of keyframes and that of residual frames.
    period: T, in frames.
    threads: 0 leaves their number to the runtime.
    is_key: whether the last frame was a keyframe.

    Raises `MissingExtraError` where the runtime is not installed, `NetworkError` where it refuses a file.
    """

    package: ClassVar[str]

    @classmethod
    def check_installed(cls) -> None:
        """Raise `MissingExtraError` where the runtime is not there."""
        if find_spec(cls.package) is None:
            raise MissingExtraError(
                f"exported files need {cls.package} to run, which is not there: pip install {cls.package}"
            )

    def __init__(self, files: Sequence[Path], period: int, threads: int = 0) -> None:
        self.check_installed()
        self._sessions = [self._open(file, threads) for file in files]
        graph = onnx.load(files[0]).graph
        given = {value.name for value in graph.output}
        self._states = {
            value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in graph.input
            if following(value.name) in given
        }  # of the network
        self._period = period
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is a keyframe."""
        self._clock = Clock(self._period)
        self._state: dict[str, Any] = {}

    @property
    def is_key(self) -> bool:
        return self._clock.is_key

    def run(
        self, x: Tensor, index: int | None = None, size: tuple[int, ...] | None = None
    ) -> dict[str, Tensor]:
        """The network's outputs for the next frame.

        x: the network's input, N×C×H×W.
        index, size: of the frame that it was made from; by them a seek and another frame size are seen.
        Raises `NetworkError` where the runtime cannot run it.
        """
        clock = self._clock.tick(index, size or tuple(x.shape))
        if clock.restarts:
            self._state = {name: self._zeros(shape) for name, shape in self._states.items()}
        found = self._infer(self._sessions[0 if clock.is_key else -1], x, self._state)
        self._clock = clock
        outputs = {name: self._tensor(value) for name, value in found.items() if not is_state(name)}
        self._state |= {name.removeprefix(NEXT): value for name, value in found.items() if is_state(name)}
        return outputs

    @abstractmethod
    def _open(self, file: Path, threads: int) -> Any:
        """A file, ready to run."""

    @abstractmethod
    def _infer(self, session: Any, x: Tensor, state: Mapping[str, Any]) -> dict[str, Any]:
        """All outputs by name, as the runtime holds them. state: what it gave before, by inputs' names."""

    @abstractmethod
    def _zeros(self, shape: Sequence[int]) -> Any:
        """A value of zeros, as the runtime holds it."""

    @abstractmethod
    def _tensor(self, value: Any) -> Tensor:
        """A value of the runtime as a tensor."""
