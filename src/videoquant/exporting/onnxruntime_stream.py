"""Exported files run by ONNX Runtime over a stream; its state is bound, not copied from frame to frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from videoquant.errors import NetworkError, refused_as
from videoquant.exporting.runtime_stream import RuntimeStream

# Without it sums of bytes saturate at 16 bits on x86 CPUs that have no VNNI.
EXACT_SUMS = ("session.x64quantprecision", "1")


class OnnxRuntimeStream(RuntimeStream):
    """The state of one video in ONNX Runtime."""

    package = "onnxruntime"

    def __init__(
        self, files: Sequence[Path], period: int, threads: int = 0, optimised: Path | None = None
    ) -> None:
        """optimised: a folder that takes each file as ONNX Runtime runs it."""
        self._optimised = optimised
        super().__init__(files, period, threads)

    def _open(self, file: Path, threads: int) -> Any:
        import onnxruntime

        self._to_value = onnxruntime.OrtValue.ortvalue_from_numpy
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        options.add_session_config_entry(*EXACT_SUMS)
        if self._optimised:
            options.optimized_model_filepath = str(self._optimised / file.name)
        with refused_as(NetworkError, "ONNX Runtime cannot run it"):
            return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def _infer(self, session: Any, x: Tensor, state: Mapping[str, Any]) -> dict[str, Any]:
        binding = session.io_binding()
        for value in session.get_inputs():
            given = state.get(value.name)
            if given is None:  # the network's input
                given = self._to_value(np.ascontiguousarray(x.numpy()))
            binding.bind_ortvalue_input(value.name, given)
        names = [value.name for value in session.get_outputs()]
        for name in names:
            binding.bind_output(name)
        with refused_as(NetworkError, "ONNX Runtime cannot run it"):
            session.run_with_iobinding(binding)
        return dict(zip(names, binding.get_outputs(), strict=True))

    def _zeros(self, shape: Sequence[int]) -> Any:
        return self._to_value(np.zeros(shape, np.float32))

    def _tensor(self, value: Any) -> Tensor:
        return torch.from_numpy(value.numpy())
