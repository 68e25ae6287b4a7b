"""ONNX files that others quantized, as ONNX Runtime's own quantizer writes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import videoquant as vq
from videoquant.network.onnx_writer import write_onnx

UNSIGNED, SIGNED = QuantType.QUInt8, QuantType.QInt8
QDQ, ON_CODES = QuantFormat.QDQ, QuantFormat.QOperator


class Frames(CalibrationDataReader):
    def __init__(self, name: str, frames: Sequence[torch.Tensor]) -> None:
        self.frames = iter([{name: frame.numpy()} for frame in frames])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.frames, None)


def quantized_by_others(
    network: vq.Network,
    frames: Sequence[torch.Tensor],
    path: Path,
    activations: QuantType = UNSIGNED,
    weights: QuantType = SIGNED,
    per_channel: bool = True,
    form: QuantFormat = QDQ,
    exclude: Sequence[str] = (),
) -> Path:
    """The file that ONNX Runtime's quantizer makes of a network. exclude: nodes that it leaves alone."""
    floating = path.with_suffix(".float.onnx")
    write_onnx(network, floating)
    quantize_static(
        floating,
        path,
        Frames(network.input, frames),
        quant_format=form,
        per_channel=per_channel,
        activation_type=activations,
        weight_type=weights,
        nodes_to_exclude=list(exclude),
    )
    return path


def run_in_onnxruntime(path: Path, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a file gives there, with exact sums."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    given = session.run(names, {session.get_inputs()[0].name: x.numpy()})
    return {name: torch.from_numpy(np.asarray(value)) for name, value in zip(names, given, strict=True)}
