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

from videoquant.bench.engine_config import Runner
from videoquant.engine.elementwise import is_elementwise
from videoquant.network.graph import Network

PACKAGES = ("openvino",)
QUANTIZER = ("openvino", "nncf")
SIGNED = {"leaky_relu", "prelu", "hardswish", "silu", "gelu", "elu"}  # activations that go below zero


def quantize(network: Network, onnx_file: Path, inputs: Sequence[Tensor], target: Path) -> None:
    """Write the int8 form of a network as OpenVINO's .xml and .bin.

    onnx_file: the network as `write_onnx` wrote it.
    inputs: N×C×H×W, all of which calibrate.
    """
    os.environ.setdefault("NNCF_CI", "1")  # it would else report to its makers that it was used
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    presets = nncf.QuantizationPreset
    preset = presets.MIXED if goes_below_zero(network) else presets.PERFORMANCE
    dataset = nncf.Dataset([x.contiguous().numpy() for x in inputs])
    model = openvino.Core().read_model(onnx_file)
    with redirect_stdout(io.StringIO()):  # its progress bars; results alone go there
        quantized = nncf.quantize(model, dataset, preset=preset, subset_size=len(inputs))
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


def open_fp32(file: Path, threads: int) -> Runner:
    """float32 throughout; left alone, OpenVINO would take bf16 on CPUs that have it."""
    return _OpenVINO(file, threads, {"INFERENCE_PRECISION_HINT": "f32"})


def open_int8(file: Path, threads: int) -> Runner:
    """What NNCF left in floating point runs as OpenVINO sees fit: in bf16 on CPUs that have it."""
    return _OpenVINO(file, threads, {})


class _OpenVINO(Runner):
    def __init__(self, file: Path, threads: int, settings: dict[str, Any]) -> None:
        import openvino

        one_stream = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads}
        compiled = openvino.Core().compile_model(str(file), "CPU", one_stream | settings)
        self._request = compiled.create_infer_request()
        self._outputs = {output.get_any_name(): i for i, output in enumerate(compiled.outputs)}
        self.int8_share = int8_share(compiled)

    def run(self, x: Tensor) -> dict[str, Tensor]:
        results = self._request.infer([x.numpy()], share_inputs=True, share_outputs=True)
        return {name: torch.from_numpy(results[i]) for name, i in self._outputs.items()}


def int8_share(compiled: Any) -> float:
    """The share of convolutions and matrix products that run in int8, by OpenVINO's own account."""
    precisions = []
    for operator in compiled.get_runtime_model().get_ordered_ops():
        info = {key: getattr(value, "value", value) for key, value in operator.get_rt_info().items()}
        if info["layerType"] in ("Convolution", "Deconvolution", "FullyConnected", "MatMul"):
            precisions.append(str(info["runtimePrecision"]))
    return sum(p in ("i8", "u8") for p in precisions) / max(1, len(precisions))
