"""`videoquant export`: a quantized network as ONNX, for other runtimes."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer

from videoquant.cli.console import progress_bar, say
from videoquant.cli.options import open_source
from videoquant.cli.targets import check_targets
from videoquant.errors import SchemeError
from videoquant.exporting import export
from videoquant.exporting.check import Check, check
from videoquant.exporting.frame_writer import FORMS, Form
from videoquant.exporting.onnx_export import targets
from videoquant.network.onnx_emitters import OPSET
from videoquant.storage import load_quantized


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `videoquant quantize` stored.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write, e.g. pose.onnx; of a residual scheme pose.key.onnx and pose.residual.onnx.",
        ),
    ],
    opset: Annotated[
        int,
        typer.Option(metavar="N", help="Of the file; from 21 on weights of up to 4 bits take 4 bits."),
    ] = OPSET,
    form: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="qdq: QuantizeLinear and DequantizeLinear, which runtimes fuse; integer: ConvInteger, the "
            "engine's sums to the last bit. Default: qdq for frame schemes of static ranges, else integer.",
        ),
    ] = None,
    check_on: Annotated[
        str | None,
        typer.Option(
            "--check", metavar="V", help="Run the file in ONNX Runtime on this clip, beside the simulation."
        ),
    ] = None,
    count: Annotated[
        int, typer.Option("--frames", metavar="N", min=1, help="How many frames --check compares.")
    ] = 16,
) -> None:
    """Write a quantized network as ONNX, for ONNX Runtime, OpenVINO and TensorRT.

    What the files hold, and how the two of a residual scheme are run: docs/export.md.
    """
    chosen = _form(form)
    reads = {"FILE": file, "--check": check_on}
    check_targets(reads, {"--output": output})
    quantized = load_quantized(file)
    written = targets(quantized, output)
    check_targets(reads, {f"--output, as {path.name}": path for path in written})
    clip = open_source(check_on, None, None) if check_on else None
    export(quantized, output, opset=opset, form=chosen)
    for target in written:
        say(f"{target}: {quantized.scheme}, opset {opset}, {target.stat().st_size / 1e6:.2f} MB")
    if clip is not None:
        with progress_bar("comparing", count) as advance:
            found = check(quantized, written, itertools.islice(clip, count), advance)
        for line in _lines(found):
            say(line)


def _form(text: str | None) -> Form | None:
    found: Form | None = next((form for form in FORMS if form == text), None)
    if text is not None and found is None:
        raise SchemeError(f"--form {text}: it is {' or '.join(FORMS)}")
    return found


def _lines(found: Check) -> list[str]:
    lines = [
        f"ONNX Runtime beside the simulation, {found.frames} frames: {found.sqnr:.1f} dB, values at most "
        f"{found.largest:.2g} of the largest apart"
    ]
    for name, (simulated, run) in found.measures.items():
        lines.append(f"{name}: {simulated:.4f} simulated, {run:.4f} in ONNX Runtime")
    lines.append(f"{found.integer} of {found.convolutions} convolutions run in integers there")
    return lines
