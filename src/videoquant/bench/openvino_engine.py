"""OpenVINO: fp32 as it is, and int8 by NNCF's post-training quantization as its documentation asks for it."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from videoquant.bench.carried import Arrays, FileNames
from videoquant.bench.engine_config import Runner
from videoquant.engine.elementwise import is_elementwise
from videoquant.network.graph import Network
from videoquant.network.onnx_writer import NEXT

PACKAGES = ("openvino",)
QUANTIZER = ("openvino", "nncf")
SIGNED = {"leaky_relu", "prelu", "hardswish", "silu", "gelu", "elu"}  # activations that go below zero


def quantize(network: Network, onnx_file: Path, samples: Sequence[Arrays], target: Path) -> None:
    """Write the int8 form of a network as OpenVINO's .xml and .bin.

    onnx_file: the network as `write_onnx` wrote it. samples: of its inputs; all of them calibrate.
    """
    os.environ.setdefault("NNCF_CI", "1")  # it would else report to its makers that it was used
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    presets = nncf.QuantizationPreset
    preset = presets.MIXED if goes_below_zero(network) else presets.PERFORMANCE
    dataset = nncf.Dataset(samples)
    model = openvino.Core().read_model(onnx_file)
    with redirect_stdout(io.StringIO()):  # its progress bars; results alone go there
        quantized = nncf.quantize(model, dataset, preset=preset, subset_size=len(samples))
    openvino.save_model(quantized, target, compress_to_fp16=False)


def goes_below_zero(network: Network) -> bool:
    """Whether a network has an activation other than ReLU, for which NNCF's documentation asks for its MIXED.

    One of `SIGNED`, or one that an exporter wrote out: an elementwise operator both of whose operands are
    elementwise functions of one value, such as x · sigmoid(x), or relu(x) − 0.1 · relu(−x).
    """
    reach: dict[str, frozenset[str]] = {}  # of a value: itself, and what it is an elementwise function of
    for node in network.nodes:
        if node.op in SIGNED:
            return True
        operands = [reach.get(value, frozenset((value,))) for value in node.inputs]
        if is_elementwise(node):
            if len(operands) == 2 and operands[0] & operands[1]:
                return True
            reach[node.name] = frozenset((node.name,)).union(*operands)
        elif node.op == "constant":
            reach[node.name] = frozenset()
    return False


def open_fp32(file: Path, names: FileNames, threads: int) -> Runner:
    """float32 throughout; left alone, OpenVINO would take bf16 on CPUs that have it."""
    return _OpenVINO(file, names, threads, {"INFERENCE_PRECISION_HINT": "f32"})


def open_int8(file: Path, names: FileNames, threads: int) -> Runner:
    """What NNCF left in floating point runs as OpenVINO sees fit: in bf16 on CPUs that have it."""
    return _OpenVINO(file, names, threads, {})


class _OpenVINO(Runner):
    """Inputs and outputs go by their order: OpenVINO gives a value all names that it had up to an output."""

    def __init__(self, file: Path, names: FileNames, threads: int, settings: dict[str, Any]) -> None:
        import openvino

        one_stream = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}
        compiled = openvino.Core().compile_model(str(file), "CPU", one_stream | settings)
        self._request = compiled.create_infer_request()
        self._names, self._states = names, names.first_states()
        self.int8_share = int8_share(compiled)

    def run(self, x: Tensor) -> dict[str, Tensor]:
        given = {**self._states, self._names.picture: x.numpy()}
        inputs = [given[name] for name in self._names.inputs]
        results = self._request.infer(inputs, share_inputs=True, share_outputs=True)
        found = {name: results[i] for i, name in enumerate(self._names.outputs)}
        # Copied: the next frame is written over them while they are read.
        self._states = {name: found.pop(NEXT + name).copy() for name in self._states}
        return {name: torch.from_numpy(y) for name, y in found.items()}


def int8_share(compiled: Any) -> float:
    """The share of convolutions and matrix products that run in int8, by OpenVINO's own account."""
    precisions = []
    for operator in compiled.get_runtime_model().get_ordered_ops():
        info = {key: getattr(value, "value", value) for key, value in operator.get_rt_info().items()}
        if info["layerType"] in ("Convolution", "Deconvolution", "FullyConnected", "MatMul"):
            precisions.append(str(info["runtimePrecision"]))
    return sum(p in ("i8", "u8") for p in precisions) / max(1, len(precisions))
