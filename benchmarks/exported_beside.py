"""Exported schemes in other runtimes: against the simulation, and beside NNCF's file of the same network.

    python -m benchmarks.exported_beside CLIP NETWORK... [--scheme w8a8] [--frames 12] [--timed 60]
        [--threads 2] [--beside SCHEME]

Each network is quantized by the scheme and written in both forms. Printed of each runtime and form: the
share of values that are at most one step of 8 bits from the simulation's (a 255th of what that output
reaches from its least to its largest value), and the task's measure against fp32 in simulation and there; in
OpenVINO also the share of layers in int8, beside NNCF's int8 file of the network, calibrated on the same
frames, and the median of the frames' ratios of time, ours / NNCF's, with its 95% interval (bootstrap over
frames). Both run every frame in turn. With --beside the file of another scheme is timed so in ONNX Runtime
(`--scheme "w8a8 qpp" --beside w8a8`: what predicting costs there). Needs `pip install openvino nncf
onnxruntime`.
"""

import argparse
import itertools
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

import videoquant as vq
from videoquant.bench import openvino_engine
from videoquant.calibration.sampling import calibration_clips
from videoquant.exporting.onnxruntime_stream import OnnxRuntimeStream
from videoquant.exporting.openvino_stream import OpenVinoStream
from videoquant.network.onnx_writer import write_onnx
from videoquant.stopwatch import settle, timed
from videoquant.tasks import task_for
from videoquant.tasks.agreement import agreement_for

RUNTIMES = (("onnxruntime", "integer"), ("onnxruntime", "qdq"), ("openvino", "qdq"))


def within_a_step(simulated, found):
    """How many values of each output are within a step, and how many there are."""
    near = total = 0
    for name, value in simulated.items():
        step = float(value.max() - value.min()) / 255
        near += int(((found[name] - value).abs() <= step).sum())
        total += value.numel()
    return np.array([near, total])


def measured(network, quantized, run, inputs):
    """The share of values within a step, and the task's measure of the simulation and of `run`."""
    stream, task = quantized.stream(), task_for(network)
    agreements = [agreement_for(task), agreement_for(task)] if task else []
    counts = np.zeros(2)
    for x in inputs:
        simulated, found, exact = stream.run(x), run(x), network.run(x)
        counts += within_a_step(simulated, found)
        for agreement, outputs in zip(agreements, (simulated, found), strict=bool(task)):
            agreement.update(exact, outputs)
    name = task.measures[0].name if task else ""
    return counts[0] / counts[1], [agreement.result().get(name) for agreement in agreements]


def ratio(ours, theirs, inputs, count):
    """The median of the frames' ratios of time, and its interval."""
    ratios = []
    for i, x in enumerate(itertools.islice(itertools.cycle(inputs), count + 10)):
        settle()
        pair = [timed(lambda run=run, x=x: run(x))[1] for run in (ours, theirs)]
        if i >= 10:
            ratios.append(pair[0] / pair[1])
    random = np.random.default_rng(0)
    medians = np.median(random.choice(ratios, (2000, len(ratios))), axis=1)
    return np.median(ratios), *np.quantile(medians, [0.025, 0.975])


def between(ours, theirs, inputs, options):
    return "{:.3f} ({:.3f} to {:.3f})".format(*ratio(ours.run, theirs.run, inputs, options.timed))


def by_nncf(network, inputs, folder, threads):
    write_onnx(network, folder / "fp32.onnx")
    openvino_engine.quantize(network, folder / "fp32.onnx", inputs, folder / "nncf.xml")
    return openvino_engine.open_int8(folder / "nncf.xml", threads)


def report(path, options):
    network, clip = vq.load(path), vq.frames(options.clip)
    quantized = vq.quantize(network, options.scheme, clip)
    fitted = [x for run in calibration_clips(network, clip, quantized.scheme) for x in run]
    spread = np.linspace(0, len(clip) - 1, options.frames).astype(int)
    inputs = [network.prepare(frame) for frame in clip.runs([range(i, i + 1) for i in spread])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for runtime, form in RUNTIMES:
            files = vq.export(quantized, folder / f"{form}.onnx", form=form)
            kind = OnnxRuntimeStream if runtime == "onnxruntime" else OpenVinoStream
            stream = kind(files, 1, options.threads)
            share, values = measured(network, quantized, stream.run, inputs)
            words = f"{Path(path).stem:28} {runtime:11} {form:8} {share:8.3%} within a step"
            if values and None not in values:
                words += f"  {values[0]:.4f} simulated, {values[1]:.4f} there"
            if runtime == "onnxruntime" and options.beside:
                other = vq.export(
                    vq.quantize(network, options.beside, clip), folder / "other.onnx", form=form
                )
                theirs = kind(other, 1, options.threads)
                words += f"  time beside {options.beside} " + between(stream, theirs, inputs, options)
            if runtime == "openvino":
                theirs = by_nncf(network, fitted, folder, options.threads)
                ours = openvino_engine.open_int8(files[0], options.threads)
                words += f"  in int8 {ours.int8_share:.0%}, NNCF's {theirs.int8_share:.0%}"
                words += "  time ours/NNCF's " + between(ours, theirs, inputs, options)
            print(words, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip")
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--scheme", default="w8a8")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--timed", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--beside", metavar="SCHEME")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with torch.no_grad():
        for path in options.networks:
            report(path, options)


if __name__ == "__main__":
    main()
