"""Which engines run, in which ways, and how each gets its networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from torch import Tensor

from videoquant.bench import onnxruntime_engine, openvino_engine, own_engine
from videoquant.bench.carried import Arrays, FileNames, samples_of
from videoquant.bench.engine_config import INSTALL, EngineConfig, MissingPackageError, missing
from videoquant.network.graph import Network
from videoquant.network.onnx_writer import write_onnx
from videoquant.schemes import Scheme

# What each engine needs to be measured in all its ways.
PACKAGES: dict[str, tuple[str, ...]] = {
    "openvino": openvino_engine.QUANTIZER,
    "onnxruntime": onnxruntime_engine.PACKAGES,
    "videoquant": (),
}


@dataclass(frozen=True)
class BenchmarkSpec:
    """What all engines are given.

    network: the captured graph, which they all run.
    runs: consecutive inputs N×C×H×W, which calibrate every int8 form as they do `calibrate`.
    scheme, modes: of videoquant's own engine.
    folder: where their files are written.
    """

    network: Network
    runs: Sequence[Sequence[Tensor]]
    scheme: Scheme
    modes: Sequence[str]
    threads: int
    folder: Path

    @cached_property
    def onnx_file(self) -> Path:
        path = self.folder / "network.onnx"
        write_onnx(self.network, path)
        return path

    @cached_property
    def names(self) -> FileNames:
        return FileNames.of(self.network)

    @cached_property
    def samples(self) -> list[Arrays]:
        """What calibrates other engines: the inputs of `onnx_file` on the frames that calibrate this one's.

        States are those that the floating-point network has there.
        """
        return [sample for run in self.runs for sample in samples_of(self.network, run)]

    @property
    def plan_file(self) -> Path:
        """Of videoquant's own engine, where that is among the engines."""
        return self.folder / "videoquant.plan"


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


def build(engines: Sequence[str], given: BenchmarkSpec) -> list[EngineConfig]:
    """What is measured of the engines, their files written."""
    return [config for name in engines for config in _FORMS[name](given)]


def _openvino(given: BenchmarkSpec) -> list[EngineConfig]:
    quantized = given.folder / "openvino.xml"
    openvino_engine.quantize(given.network, given.onnx_file, given.samples, quantized)
    fp32 = partial(openvino_engine.open_fp32, given.onnx_file, given.names, given.threads)
    int8 = partial(openvino_engine.open_int8, quantized, given.names, given.threads)
    return [
        EngineConfig("openvino", "frame", "fp32", fp32, openvino_engine.PACKAGES),
        EngineConfig("openvino", "frame", "int8", int8, openvino_engine.PACKAGES),
    ]


def _onnxruntime(given: BenchmarkSpec) -> list[EngineConfig]:
    quantized = given.folder / "onnxruntime.onnx"
    onnxruntime_engine.quantize(given.onnx_file, given.samples, quantized)
    return [
        EngineConfig(
            "onnxruntime",
            "frame",
            precision,
            partial(onnxruntime_engine.open_model, file, given.names, given.threads),
            onnxruntime_engine.PACKAGES,
        )
        for precision, file in (("fp32", given.onnx_file), ("int8", quantized))
    ]


def _videoquant(given: BenchmarkSpec) -> list[EngineConfig]:
    file = given.plan_file
    own_engine.write_plan(given.network, given.scheme, given.runs, file)
    return [
        EngineConfig("videoquant", mode, "int8", partial(own_engine.open_mode, file, mode, given.threads), ())
        for mode in given.modes
    ]


_FORMS: dict[str, Callable[[BenchmarkSpec], list[EngineConfig]]] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
    "videoquant": _videoquant,
}


def _hint(gone: Sequence[str]) -> str:
    verb = "is" if len(gone) == 1 else "are"
    return f"{' and '.join(gone)} {verb} not installed; {INSTALL}"
