"""Writes a quantized network as ONNX: QuantizeLinear at every quantizer, weights and biases as codes.

A frame scheme is one file. A residual scheme is two: that of keyframes gives, beside the network's outputs,
the state that residual frames start from; that of residual frames takes it (docs/export.md).
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import onnx

from videoquant.axes import Residual
from videoquant.errors import NetworkError, SchemeError
from videoquant.exporting.frame_writer import Form, FrameWriter, Kind
from videoquant.files import atomic_write
from videoquant.network.onnx_emitters import OPSET
from videoquant.simulate.quantized import QuantizedNetwork


def export(
    quantized: QuantizedNetwork,
    path: str | Path,
    *,
    opset: int = OPSET,
    form: Form | None = None,
) -> list[Path]:
    """Write a quantized network as ONNX, for ONNX Runtime, OpenVINO, TensorRT and others.

    path: such as "pose.onnx". A residual scheme becomes pose.key.onnx and pose.residual.onnx.
    opset: from 20 on; from 21 on weights of 4 bits and less are stored in 4 bits.
    form: "qdq": layers in floating point between DequantizeLinear and QuantizeLinear, which runtimes fuse
        to integer kernels; "integer": ConvInteger and MatMulInteger, which give the engine's sums to the last
        bit where a runtime has them. By default "qdq" for frame schemes of static ranges, else "integer",
        since runtimes fuse no scale that changes, and no layer whose result is added to state.
    Returns the files written. Raises `SchemeError` for schemes that ONNX cannot say, `NetworkError` for
    operators, `OutputError` where a file cannot be written; then no file is written.
    """
    if not isinstance(quantized, QuantizedNetwork):
        raise NetworkError(
            f"exported are quantized networks; this is a {type(quantized).__name__}: quantize it first"
        )
    _check(quantized, opset)
    frames = _frames(quantized)
    models = [FrameWriter(quantized, frame, opset, form).model() for frame in frames]
    files = targets(quantized, path)
    with ExitStack() as whole:  # all of them appear, or none
        for model, file in zip(models, files, strict=True):
            onnx.save(model, whole.enter_context(atomic_write(file)))
    return files


def targets(quantized: QuantizedNetwork, path: str | Path) -> list[Path]:
    """The files that `export` writes for a path."""
    path, frames = Path(path), _frames(quantized)
    return [path] if len(frames) == 1 else [path.with_suffix(f".{frame}.onnx") for frame in frames]


def _frames(quantized: QuantizedNetwork) -> tuple[Kind, ...]:
    return ("key", "residual") if quantized.scheme.period > 1 else ("frame",)


def _check(quantized: QuantizedNetwork, opset: int) -> None:
    scheme = quantized.scheme
    newest = onnx.defs.onnx_opset_version()
    if not OPSET <= opset <= newest:
        raise SchemeError(f"opset {opset}: files are written for opset {OPSET} to {newest}")
    if scheme.regions is not None:
        raise SchemeError(
            f"{scheme}: regions have no form in ONNX, where every frame is computed whole; export the scheme "
            "without them"
        )
    time = scheme.time
    if isinstance(time, Residual) and time.adaptive and time.tolerance:
        raise SchemeError(
            f"{scheme}: a width by location with a tolerance has no form in ONNX; with tau=0 its values are "
            "those of the scheme without adaptive, which has one"
        )
