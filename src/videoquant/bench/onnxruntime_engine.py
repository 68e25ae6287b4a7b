"""ONNX Runtime: fp32 as it is, and int8 by its own static quantization (QDQ)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import Tensor

from videoquant.bench.carried import Arrays, FileNames
from videoquant.bench.engine_config import Runner
from videoquant.bench.machine import this_machine
from videoquant.network.onnx_writer import NEXT

PACKAGES = ("onnxruntime",)


def quantize(onnx_file: Path, samples: Sequence[Arrays], target: Path) -> None:
    """Write the int8 form of a network: u8 activations, s8 weights per channel, quantizers in the graph.

    onnx_file: a network as `write_onnx` wrote it. samples: of its inputs; all of them calibrate.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest = iter(samples)

        def get_next(self) -> Arrays | None:
            return next(self.rest, None)

    optimised = target.with_suffix(".optimised.onnx")
    quant_pre_process(onnx_file, optimised, skip_symbolic_shape=True)
    quantization.quantize_static(
        optimised,
        target,
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        per_channel=True,
        reduce_range=saturates(this_machine(()).flags),
    )


def saturates(flags: Collection[str]) -> bool:
    """Whether ONNX Runtime's sums of two products of bytes saturate at 16 bits on a CPU with these flags.

    They do on x86 without VNNI; its documentation asks for weights of 7 bits (`reduce_range`) there.
    """
    return "avx2" in flags and not {"avx512_vnni", "avx_vnni"} & set(flags)


def open_model(file: Path, names: FileNames, threads: int) -> Runner:
    return _OnnxRuntime(file, names, threads)


class _OnnxRuntime(Runner):
    def __init__(self, file: Path, names: FileNames, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        # Its threads wait busily for the next frame, which would slow whoever runs after it.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._names, self._states = names, names.first_states()

    def run(self, x: Tensor) -> dict[str, Tensor]:
        results = self._session.run(self._names.outputs, {self._names.picture: x.numpy()} | self._states)
        found = dict(zip(self._names.outputs, results, strict=True))
        self._states = {name: found.pop(NEXT + name) for name in self._states}
        return {name: torch.from_numpy(y) for name, y in found.items()}
