"""What becomes of ONNX files as people bring them: read, beside ONNX Runtime, lowered, exact.

    python -m benchmarks.networks_at_the_door PATH … [--video CLIP] [--size NAME=HxW …] [--scheme w8a8]

PATH is a file or a folder of them. A line for each file says whether it is read, and how far its outputs lie
from ONNX Runtime's on one frame of the clip, as a share of each output's largest value (the target is 1e-4);
whether it is lowered whole, and which nodes are left behind the programs; whether mode `exact` gives the bits
of `frame` on some frames of the clip; and which of the operators give other bits than the simulation though
they may not (`engine.lockstep`). Files of a dynamic size need one: `SIZES` has that of known ones.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

import videoquant as vq
from videoquant.engine import lower
from videoquant.engine.lockstep import Lockstep
from videoquant.errors import VideoQuantError
from videoquant.network.graph import Network
from videoquant.runtime.integer_network import IntegerNetwork

SIZES = {"centerface": "480x640", "mtcnn_pnet": "240x320", "ppocrv2_cls": "48x192"}
SIZES |= {"ppocrv4_det": "480x640", "ppocrv4_rec": "48x320"}
CALIBRATION, FRAMES = 2, 3
NOTHING = 1e-3  # an output that stays below this is taken as that large


def apart(path: Path, network: Network, x: torch.Tensor) -> float:
    """The largest difference to ONNX Runtime on an input, as a share of the output's largest value."""
    model = onnx.load(path)
    given = next(v for v in model.graph.input if v.name not in {t.name for t in model.graph.initializer})
    declared = given.type.tensor_type
    sizes = [dim.dim_value for dim in declared.shape.dim]
    for value in (
        *model.graph.input,
        *model.graph.output,
        *model.graph.value_info,
    ):  # a size that is given may be another
        for dim in value.type.tensor_type.shape.dim:
            dim.ClearField("dim_value")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    last = sizes[3] in (1, 3, 4) and sizes[1] not in (1, 3, 4)
    frames = (x.permute(0, 2, 3, 1) if last else x).numpy().repeat(max(sizes[0], 1), 0)
    frames = frames.astype(onnx.helper.tensor_dtype_to_np_dtype(declared.elem_type))
    right = dict(zip(network.outputs, session.run(list(network.outputs), {given.name: frames}), strict=True))
    with torch.no_grad():
        mine = network.run(x)
    worst = 0.0
    for name, y in mine.items():
        reference = right[name].astype(np.float64)
        if len(reference) != len(y):
            reference = reference[: len(y)]
        if y.shape != reference.shape:
            raise VideoQuantError(f"output {name} is {tuple(y.shape)}, ONNX Runtime's {reference.shape}")
        worst = max(worst, float(np.abs(y.numpy() - reference).max() / max(np.abs(reference).max(), NOTHING)))
    return worst


def frames_of(network: Network, clip: vq.Clip) -> list[torch.Tensor]:
    return [network.prepare(frame.pixels) for frame in islice(clip, CALIBRATION + FRAMES)]


def in_the_engine(network: Network, scheme: str, clip: vq.Clip) -> str:
    frames = frames_of(network, clip)
    quantized = vq.quantize(network, scheme, frames[:CALIBRATION])
    try:
        plan = lower(quantized)
    except VideoQuantError as error:
        return f"not lowered: {error}"
    tail = Counter(node.op for node in plan.postprocess if node.op != "constant")
    words = [f"lowered, behind the programs {dict(tail)}" if tail else "lowered whole"]
    words.append(modes(plan, frames[CALIBRATION:]))
    lockstep = Lockstep(quantized, plan, forced=True)
    wrong = Counter(
        d.op.kind
        for frame in frames[CALIBRATION:]
        for d in lockstep.run(frame).differences
        if not d.may_round
    )
    words.append(f"other bits than simulation in {dict(wrong)}" if wrong else "the bits of simulation")
    return "; ".join(words)


def modes(plan: IntegerNetwork, frames: list[torch.Tensor]) -> str:
    exact, full = plan.stream("exact", threads=1), plan.stream("frame", threads=1)
    took, same = [], True
    for frame in frames:
        start = time.perf_counter()
        expected = full.arrays(frame.numpy())
        took.append(time.perf_counter() - start)
        got = exact.arrays(frame.numpy())
        same &= all(np.array_equal(got[name], value, equal_nan=True) for name, value in expected.items())
    return f"exact {'is' if same else 'IS NOT'} frame, {1e3 * min(took):.0f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--video", default="../shared/data/clips/one-by-one-person-detection.mp4")
    parser.add_argument("--size", nargs="*", default=[], metavar="NAME=HxW")
    parser.add_argument("--scheme", default="w8a8")
    parser.add_argument("--only-read", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    sizes = SIZES | dict(entry.split("=") for entry in options.size)
    files = [f for path in options.paths for f in (sorted(path.glob("*.onnx")) if path.is_dir() else [path])]
    clip, failed = vq.frames(options.video), 0
    for path in files:
        size = sizes.get(path.stem)
        try:
            network = vq.load(path, size=None if size is None else tuple(map(int, size.split("x"))))
            difference = apart(path, network, frames_of(network, clip)[0])
            words = f"read, {'×'.join(map(str, network.size))}, {difference:.1e} from ONNX Runtime"
            if not options.only_read:
                words += "; " + in_the_engine(network, options.scheme, clip)
        except VideoQuantError as error:
            words = f"refused: {error}"
        failed += "refused" in words or "not lowered" in words
        print(f"{path.stem:24} {words[:500]}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
