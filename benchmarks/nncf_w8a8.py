"""w8a8 beside NNCF's int8: how close both come to floating point, calibrated on the same inputs.

    python -m benchmarks.nncf_w8a8 NETWORK SOURCE [--boxes FAMILY] [--size HxW] [--draws 3] [--inputs 16]
        [--scored 24] [--schemes "w8a8; w8a8 by-outputs"] [--without-nncf]

SOURCE is a clip or a folder of pictures. Every draw takes inputs at random from its first half (of pictures
every other one), calibrates both on them, and scores pictures spread over the rest: SQNR of the first output,
and the task's measure, pooled. NNCF quantizes with its defaults (preset "performance", fast bias correction),
and OpenVINO runs what it gives on this CPU. Needs `pip install openvino nncf`. Of a scheme it also prints
what calibration made of it, and the seconds of CPU time that this took.
"""

import argparse
import io
import os
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch

import videoquant as vq
from videoquant.bench import openvino_engine
from videoquant.bench.carried import FileNames
from videoquant.bench.engine_config import missing
from videoquant.cli.sizes import parse_size
from videoquant.network.onnx_writer import write_onnx
from videoquant.tasks import primary_output, task_for
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.sqnr import Sqnr


def by_nncf(network, inputs, folder):
    """NNCF's int8 network, as a function of an input."""
    os.environ.setdefault("NNCF_CI", "1")  # it would else report to its makers that it was used
    import nncf
    import openvino

    file = Path(folder) / "network.onnx"
    write_onnx(network, file)
    dataset = nncf.Dataset([x.contiguous().numpy() for x in inputs])
    model = openvino.Core().read_model(file)
    with redirect_stdout(io.StringIO()):
        quantized = nncf.quantize(model, dataset, subset_size=len(inputs), fast_bias_correction=True)
    openvino.save_model(quantized, Path(folder) / "int8.xml", compress_to_fp16=False)
    return openvino_engine.open_int8(Path(folder) / "int8.xml", FileNames.of(network), 1).run


def by_scheme(network, inputs, scheme):
    """The network under a scheme, likewise, and in words what calibration made of it, in how long."""
    began = time.process_time()
    quantized = vq.quantize(network, scheme, inputs)
    seconds = time.process_time() - began
    return lambda x: quantized.stream().run(x), f"{quantized.scheme}, {seconds:.1f} s"


def score(network, inputs, references, quantized):
    """SQNR of the first output, and the task's measure: None where it has none or nothing to measure."""
    task, output, total = task_for(network), primary_output(network), Sqnr()
    agreement = agreement_for(task) if task else None
    for x, reference in zip(inputs, references, strict=True):
        found = quantized(x)
        total.update(reference[output], found[output])
        if agreement:
            agreement.update(reference, found)
    return total.result(), agreement.result().get(task.measures[0].name) if agreement else None


def halves(source):
    """The pictures that calibrate and those that are scored."""
    path = Path(source)
    frames = list(vq.frames(source))
    if path.is_dir():
        return frames[::2], frames[1::2]
    return frames[: len(frames) // 2], frames[len(frames) // 2 :]


def arguments(description):
    """The options of a network, of its inputs and of a draw of those that calibrate."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("network")
    parser.add_argument("source")
    parser.add_argument("--boxes")
    parser.add_argument("--size")
    parser.add_argument("--inputs", type=int, default=16)
    parser.add_argument("--scored", type=int, default=24)
    return parser


def opened(options):
    """The network, the pictures that calibrate, and the inputs that are scored."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    size = parse_size(options.size, "--size") if options.size else None
    said = {"boxes": options.boxes} if options.boxes else {}
    network = vq.load(options.network, size=size, preprocessing=said)
    calibrating, rest = halves(options.source)
    chosen = np.linspace(0, len(rest) - 1, min(options.scored, len(rest))).astype(int)
    return network, calibrating, [network.prepare(rest[i]) for i in chosen]


def drawn(network, calibrating, count, draw):
    """Inputs at random of the pictures that calibrate."""
    random = np.random.default_rng(draw)
    picks = random.choice(len(calibrating), min(count, len(calibrating)), replace=False)
    return [network.prepare(calibrating[i]) for i in sorted(picks)]


def told(values):
    """The mean, and from the least to the largest."""
    known = [value for value in values if value is not None]
    return f"{np.mean(known):7.3f} ({min(known):.3f} to {max(known):.3f})" if known else "      –"


def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--schemes", default="w8a8")
    parser.add_argument("--without-nncf", action="store_true")
    options = parser.parse_args()
    if not options.without_nncf:
        if gone := missing(openvino_engine.QUANTIZER):
            sys.exit(f"{' and '.join(gone)} not installed: pip install {' '.join(openvino_engine.QUANTIZER)}")
        import nncf

        nncf.set_log_level("ERROR")
    network, calibrating, inputs = opened(options)
    schemes = [text.strip() for text in options.schemes.split(";")]
    found = {what: [] for what in (*([] if options.without_nncf else ["NNCF"]), *schemes)}
    made = {what: [] for what in found}
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        references = [network.run(x) for x in inputs]
        for draw in range(options.draws):
            fitted = drawn(network, calibrating, options.inputs, draw)
            for what in found:
                if what == "NNCF":
                    quantized = by_nncf(network, fitted, folder)
                else:
                    quantized, words = by_scheme(network, fitted, what)
                    made[what].append(words)
                found[what].append(score(network, inputs, references, quantized))
    task = task_for(network)
    print(f"{Path(options.network).stem}, {Path(options.source).name}, {len(inputs)} scored")
    for what, scores in found.items():
        decibels, measures = zip(*scores, strict=True)
        words = f"  {task.measures[0].name} {told(measures)}" if task else ""
        print(f"  {what:24} SQNR dB {told(decibels)}{words}  {'; '.join(made[what])}", flush=True)


if __name__ == "__main__":
    main()
