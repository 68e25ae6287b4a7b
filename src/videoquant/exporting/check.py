"""Exported files beside the simulation, frame by frame, both run here: `videoquant export --check`."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch

from videoquant.errors import DataError
from videoquant.exporting.onnxruntime_stream import OnnxRuntimeStream
from videoquant.network.float_stream import FloatStream
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import task_for
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.sqnr import Sqnr
from videoquant.torch_settings import plain_math

IN_INTEGERS = ("QLinearConv", "ConvInteger")
IN_FLOAT = ("Conv", "FusedConv", "ConvTranspose", "NhwcFusedConv")


@dataclass(frozen=True)
class Check:
    """What comparing found.

    frames: how many.
    sqnr: of ONNX Runtime's outputs against the simulation's, dB, over all outputs and frames.
    largest: the largest difference of a value, as a share of that output's largest.
    measures: by name, the agreement with the floating-point network: of the simulation, and in ONNX Runtime.
    integer, convolutions: how many of the convolutions ONNX Runtime runs in integers, over all files.
    """

    frames: int
    sqnr: float
    largest: float
    measures: dict[str, tuple[float, float]]
    integer: int
    convolutions: int


@plain_math()
def check(
    quantized: QuantizedNetwork,
    files: Sequence[Path],
    frames: Iterable[Any],
    progress: Callable[[], None] | None = None,
) -> Check:
    """Run files in ONNX Runtime beside the simulation. frames: consecutive frames or network inputs.

    Raises `MissingExtraError` without ONNX Runtime, `DataError` where there is no frame.
    """
    network = quantized.network
    stream, floating = quantized.stream(), FloatStream(network)
    with tempfile.TemporaryDirectory() as folder:
        runtime = OnnxRuntimeStream(files, quantized.scheme.period, optimised=Path(folder))
        kinds = _kinds(Path(folder))
    task = task_for(network)
    agreements = (agreement_for(task), agreement_for(task)) if task else None
    sqnr, largest, count = Sqnr(), 0.0, 0
    with torch.no_grad():
        for frame in frames:
            x = network.prepare(frame)
            simulated, run = stream.run(x), runtime.run(x)
            for name, value in simulated.items():
                sqnr.update(value, run[name])
                reach = float(value.abs().max())
                away = float((run[name] - value).abs().max())
                largest = max(largest, away / reach if reach else away)
            if agreements:
                exact = floating.feed(x)
                for agreement, outputs in zip(agreements, (simulated, run), strict=True):
                    agreement.update(exact, outputs)
            count += 1
            if progress:
                progress()
    if not count:
        raise DataError("no frame to compare on")
    results = [agreement.result() for agreement in agreements] if agreements else [{}, {}]
    measures = {name: (value, results[1][name]) for name, value in results[0].items() if name in results[1]}
    integer = sum(kinds[kind] for kind in IN_INTEGERS)
    return Check(
        count, sqnr.result(), largest, measures, integer, integer + sum(kinds[kind] for kind in IN_FLOAT)
    )


def _kinds(folder: Path) -> Counter[str]:
    """How often each operator occurs in the files of a folder, as ONNX Runtime runs them on this CPU."""
    graphs = (onnx.load(file, load_external_data=False).graph for file in folder.iterdir())
    return Counter(node.op_type for graph in graphs for node in graph.node)
