"""The field: which engines run, and how each gets its networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from torch import Tensor

from videoquant.bench import onnxruntime_engine, openvino_engine
from videoquant.bench.contender import INSTALL, Contender, MissingPackageError, missing
from videoquant.network.graph import Network
from videoquant.network.onnx_writer import write_onnx

# What each engine needs to be measured in all its ways.
PACKAGES = {"openvino": openvino_engine.QUANTIZER, "onnxruntime": onnxruntime_engine.PACKAGES}


def choose(wanted: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The engines to measure, and a note on each that is left out.

    wanted: by name; None takes those whose packages are installed. Raises `MissingPackageError` for a wanted
    engine that is unknown or whose packages are not installed.
    """
    if wanted is None:
        absent = {name: gone for name, packages in PACKAGES.items() if (gone := missing(packages))}
        notes = [f"{name} is not measured: {_hint(gone)}" for name, gone in absent.items()]
        return [name for name in PACKAGES if name not in absent], notes
    for name in wanted:
        if name not in PACKAGES:
            raise MissingPackageError(f"{name}: no such engine; there are {', '.join(PACKAGES)}")
        if gone := missing(PACKAGES[name]):
            raise MissingPackageError(f"{name} cannot be measured: {_hint(gone)}")
    return list(wanted), []


def build(
    engines: Sequence[str], network: Network, inputs: Sequence[Tensor], threads: int, folder: Path
) -> list[Contender]:
    """The contenders of the engines, whose files are written into the folder.

    inputs: N×C×H×W, calibrate every int8 form. All engines get the same graph: the captured one.
    """
    onnx_file = folder / "network.onnx"
    write_onnx(network, onnx_file)
    return [contender for name in engines for contender in _PEERS[name](network, onnx_file, inputs, threads)]


def _openvino(network: Network, onnx_file: Path, inputs: Sequence[Tensor], threads: int) -> list[Contender]:
    quantized = onnx_file.with_name("openvino.xml")
    openvino_engine.quantize(network, onnx_file, inputs, quantized)
    fp32 = partial(openvino_engine.open_fp32, onnx_file, threads)
    int8 = partial(openvino_engine.open_int8, quantized, threads)
    return [
        Contender("openvino", "frame", "fp32", fp32, openvino_engine.PACKAGES),
        Contender("openvino", "frame", "int8", int8, openvino_engine.PACKAGES),
    ]


def _onnxruntime(
    network: Network, onnx_file: Path, inputs: Sequence[Tensor], threads: int
) -> list[Contender]:
    quantized = onnx_file.with_name("onnxruntime.onnx")
    onnxruntime_engine.quantize(network, onnx_file, inputs, quantized)
    return [
        Contender("onnxruntime", "frame", precision, open_it, onnxruntime_engine.PACKAGES)
        for precision, open_it in (
            ("fp32", partial(onnxruntime_engine.open_model, onnx_file, threads)),
            ("int8", partial(onnxruntime_engine.open_model, quantized, threads)),
        )
    ]


_PEERS: dict[str, Callable[[Network, Path, Sequence[Tensor], int], list[Contender]]] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
}


def _hint(gone: Sequence[str]) -> str:
    verb = "is" if len(gone) == 1 else "are"
    return f"{' and '.join(gone)} {verb} not installed; {INSTALL}"
