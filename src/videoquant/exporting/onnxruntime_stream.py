"""Exported files run by ONNX Runtime over a stream; its state is bound, not copied from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from videoquant.errors import MissingExtraError, NetworkError, refused_as
from videoquant.exporting.state_names import NEXT, is_state
from videoquant.runtime.clock import Clock

# Without it sums of bytes saturate at 16 bits on x86 CPUs that have no VNNI.
EXACT_SUMS = ("session.x64quantprecision", "1")


class OnnxRuntimeStream:
    """The state of one video in ONNX Runtime, as `simulate.Stream` has it.

    files: what `export` wrote: one file, or that of keyframes and that of residual frames.
    period: T, in frames.
    optimised: a folder that takes each file as ONNX Runtime runs it.
    """

    def __init__(
        self, files: Sequence[Path], period: int, threads: int = 0, optimised: Path | None = None
    ) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError:
            raise MissingExtraError(
                "running an exported file needs onnxruntime, which is not installed: pip install onnxruntime"
            ) from None

        def open_file(file: Path) -> Any:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            options.log_severity_level = 3
            options.add_session_config_entry(*EXACT_SUMS)
            if optimised:
                options.optimized_model_filepath = str(optimised / file.name)
            return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

        self._sessions = [open_file(file) for file in files]
        (self._input,) = (value.name for value in self._sessions[0].get_inputs())
        self._to_value = onnxruntime.OrtValue.ortvalue_from_numpy
        self._clock = Clock(period)
        self._state: dict[str, Any] = {}

    def run(self, x: Tensor) -> dict[str, Tensor]:
        """The network's outputs for the next frame. x: the network's input, N×C×H×W."""
        clock = self._clock.tick(None, tuple(x.shape))
        session = self._sessions[0 if clock.is_key else -1]
        binding = session.io_binding()
        binding.bind_ortvalue_input(self._input, self._to_value(np.ascontiguousarray(x.numpy())))
        for value in session.get_inputs():
            if value.name != self._input:
                binding.bind_ortvalue_input(value.name, self._state[value.name])
        names = [value.name for value in session.get_outputs()]
        for name in names:
            binding.bind_output(name)
        with refused_as(NetworkError, "ONNX Runtime cannot run it"):
            session.run_with_iobinding(binding)
        found = dict(zip(names, binding.get_outputs(), strict=True))
        outputs = [name for name in names if not is_state(name)]
        self._clock = clock
        for name in names:
            if is_state(name):
                self._state[name.removeprefix(NEXT)] = found[name]
        return {name: torch.from_numpy(found[name].numpy()) for name in outputs}
