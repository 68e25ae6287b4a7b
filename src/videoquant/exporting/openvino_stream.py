"""Exported files run by OpenVINO over a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from videoquant.errors import NetworkError, refused_as
from videoquant.exporting.runtime_stream import RuntimeStream


class OpenVinoStream(RuntimeStream):
    """The state of one video in OpenVINO, on the CPU, one frame at a time."""

    package = "openvino"

    def _open(self, file: Path, threads: int) -> Any:
        import openvino

        settings = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}
        with refused_as(NetworkError, "OpenVINO cannot run it"):
            request = openvino.Core().compile_model(str(file), "CPU", settings).create_infer_request()
        # By their order: OpenVINO gives a value all names that it had on its way to an output.
        graph = onnx.load(file).graph
        return request, [value.name for value in graph.input], [value.name for value in graph.output]

    def _infer(self, session: Any, x: Tensor, state: Mapping[str, Any]) -> dict[str, Any]:
        request, inputs, outputs = session
        given = [state.get(name, x.numpy()) for name in inputs]
        with refused_as(NetworkError, "OpenVINO cannot run it"):
            results = request.infer(given, share_inputs=True)
        return {name: results[i] for i, name in enumerate(outputs)}

    def _zeros(self, shape: Sequence[int]) -> Any:
        return np.zeros(shape, np.float32)

    def _tensor(self, value: Any) -> Tensor:
        return torch.from_numpy(np.asarray(value))
