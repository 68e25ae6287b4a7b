"""A quantized network exported to another runtime, and run there as `quantized.stream()` runs it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from videoquant.axes import DenseSparse
from videoquant.exporting.frame_writer import Form
from videoquant.exporting.onnx_export import export
from videoquant.exporting.onnxruntime_stream import OnnxRuntimeStream
from videoquant.exporting.openvino_stream import OpenVinoStream
from videoquant.exporting.runtime_stream import RuntimeStream
from videoquant.runtime.clock import index_and_size
from videoquant.runtime.report import FrameReport
from videoquant.simulate.quantized import QuantizedNetwork

RUNTIMES: dict[str, type[RuntimeStream]] = {"onnxruntime": OnnxRuntimeStream, "openvino": OpenVinoStream}
# OpenVINO has kernels of bytes for QDQ alone; of ONNX Runtime the export knows which form suits a scheme.
FORMS: dict[str, Form | None] = {"onnxruntime": None, "openvino": "qdq"}


class ExportedStream:
    """One video through a quantized network in ONNX Runtime or OpenVINO.

    quantized: what is exported.
    runtime: a key of `RUNTIMES`.
    threads: of the runtime.
    report: of the last frame counted. How much is sparse of Dense + Sparse, simulation counts.

    Raises `SchemeError` for schemes that have no form in ONNX, `MissingExtraError` where the runtime is not
    installed, `NetworkError` where it refuses the file.
    """

    def __init__(self, quantized: QuantizedNetwork, runtime: str, threads: int) -> None:
        self.quantized = quantized
        with tempfile.TemporaryDirectory() as folder:
            files = export(quantized, Path(folder, "network.onnx"), form=FORMS[runtime])
            self._stream = RUNTIMES[runtime](files, quantized.scheme.period, threads)
        sparse = isinstance(quantized.scheme.representation, DenseSparse)
        self._counted = quantized.stream() if sparse else None
        self.report = FrameReport()

    def reset(self) -> None:
        """Forget everything: the next frame is a keyframe."""
        self._stream.reset()
        if self._counted is not None:
            self._counted.reset()

    def run(self, frame: Any) -> dict[str, Tensor]:
        """The network's outputs for a frame, as `simulate.Stream.run` gives them."""
        x = self.quantized.network.prepare(frame)
        with torch.no_grad():
            return self._stream.run(x, *index_and_size(frame, x.shape))

    def count(self, frame: Any) -> None:
        """Bring `report` to the frame that was run."""
        if self._counted is not None:
            self._counted.run(frame)
            self.report = self._counted.report
        self.report = replace(self.report, is_key=self._stream.is_key)
