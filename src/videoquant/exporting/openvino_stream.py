"""Exported files run by OpenVINO over a stream."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
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
            return openvino.Core().compile_model(str(file), "CPU", settings).create_infer_request()

    def _infer(self, session: Any, x: Tensor, state: Mapping[str, Any]) -> dict[str, Any]:
        model = session.get_compiled_model()
        # What runs frame by frame names its values in the file; the order of inputs is the file's.
        given = [state.get(_name(value), x.numpy()) for value in model.inputs]
        with refused_as(NetworkError, "OpenVINO cannot run it"):
            results = session.infer(given, share_inputs=True)
        return {_name(value): results[i] for i, value in enumerate(model.outputs)}

    def _tensor(self, value: Any) -> Tensor:
        return torch.from_numpy(np.asarray(value))


def _name(value: Any) -> str:
    name: str = value.get_any_name()
    return name
