"""How much of what measured ranges gain do predicted ones keep, at equal α, on other inputs than fitted?

    python experiments/qpp_shares.py --carphone CLIP [--only NETWORK ...] [--draws 10]
        [--conventions NAME ...]

A draw takes 64 inputs at random from one half of a network's data and calibrates static and predicted ranges
on them, both of the quantile 0.999. The other half judges. Point by point, as the network with predicted
ranges runs: the relative error of each quantizer's input under the average of the samples' ranges, the
predicted and the measured one, all of which saw what this network's own quantizers left. The share is what
prediction takes from the average's error, of what measuring takes, as a mean over points; a point that
calibration made static takes nothing. End to end: SQNR of the first output, predicted less static. What the
scheme leaves open is of a convention of docs/schemes.md, `default` and `qpp`, but biases stay as they are in
both. Writes results/qpp_shares.json draw by draw: what was stopped goes on where it was.
"""

import json
import re
import warnings
from functools import partial

import numpy as np
import torch
from common import RESULTS, Case, arguments, clip, images, run, store

import videoquant as vq
from videoquant.quantizers.on_grid import fake_quantize
from videoquant.ranges.sources import PredictedGrid
from videoquant.simulate.activations import as_array, represent
from videoquant.simulate.layer import compute_layer
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import primary_output
from videoquant.tasks.sqnr import Sqnr

FITTED, JUDGED, ALPHA = 64, 24, "quantile=0.999"
FRAMES = 96  # of each half of a clip
CONVENTIONS = ("default", "qpp")


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--scheme", default="w8a4 qpp")
    parser.add_argument("--conventions", nargs="+", choices=CONVENTIONS, default=CONVENTIONS)
    options = parser.parse_args()
    path = RESULTS / "qpp_shares.json"
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    warnings.simplefilter("ignore")
    with torch.no_grad():
        models, people = options.data / "models", options.data / "clips/one-by-one-person-detection.mp4"
        for name, load in {
            "mobilenet_v2_224": lambda model: images(options.data),
            "face_landmark_192": partial(clip, path=options.carphone, count=FRAMES),
            "selfie_segmentation_256": partial(clip, path=options.carphone, count=FRAMES),
            "pose_landmark_full_256": partial(clip, path=people, count=FRAMES),
            "posenet_432x768": partial(clip, path=people, count=FRAMES, size=(224, 384)),
        }.items():
            if options.only and not any(part in name for part in options.only):
                continue
            case = load(models / f"{name}.onnx")
            for convention in options.conventions:
                of = f"{name}, {options.scheme}" + f", convention {convention}" * (convention != "default")
                found = []
                for draw in range(options.draws):
                    key = f"{of}, {draw}"
                    if key not in rows:
                        rows[key] = drawn(case, options.scheme, convention, draw)
                        store("qpp_shares", rows)
                    found.append(rows[key])
                tell(of, found)


def tell(of: str, found: list[dict[str, float]]) -> None:
    """The means and the extremes over draws."""
    whats = ("share", "gain_db", "measured_gain_db")
    shares, gains, most = ([row[what] for row in found] for what in whats)
    print(
        f"{of}: share {np.mean(shares):.2f} ({min(shares):.2f} to {max(shares):.2f}), "
        f"SQNR over static {np.mean(gains):+.2f} dB ({min(gains):+.2f} to {max(gains):+.2f}; "
        f"measured {np.mean(most):+.2f})",
        flush=True,
    )


def drawn(case: Case, scheme: str, convention: str, draw: int) -> dict[str, float]:
    """The share and the gain of one draw."""
    random = np.random.default_rng(draw)
    chosen = random.choice(len(case.calibration), min(FITTED, len(case.calibration)), replace=False)
    fitted = [case.calibration[i] for i in sorted(chosen)]
    network = case.network
    ranges = {
        "static": re.sub(r" (qpp|at)\S*", "", scheme),
        "predicted": scheme,
        "measured": re.sub(r" at\S*", "", re.sub(r" qpp\S*", " dynamic", scheme)),
    }
    learnt = {
        what: vq.quantize(network, vq.Scheme.parse(f"{text} {ALPHA} no-bias-correction", convention), fitted)
        for what, text in ranges.items()
    }
    judged = case.evaluation[:: max(1, len(case.evaluation) // JUDGED)][:JUDGED]
    errors = np.mean([point_errors(learnt["predicted"], x) for x in judged], axis=0)
    average, predicted, measured = errors.mean(0)
    noise = {what: Sqnr() for what in learnt}
    for x in judged:
        exact = run(network, x)
        for what, total in noise.items():
            output = primary_output(network)
            total.update(exact[output], learnt[what].stream().run(x)[output])
    decibels = {what: total.result() for what, total in noise.items()}
    return {
        "share": (average - predicted) / (average - measured),
        "static_error": average,
        "measured_error": measured,
        "predicted_points": sum(isinstance(g.key, PredictedGrid) for g in learnt["predicted"].grids.values()),
        "points": len(learnt["predicted"].grids),
        "static_db": decibels["static"],
        "gain_db": decibels["predicted"] - decibels["static"],
        "measured_gain_db": decibels["measured"] - decibels["static"],
    }


def point_errors(quantized: QuantizedNetwork, x: torch.Tensor) -> np.ndarray:
    """Points × rules: of each quantizer's input, |x̂ − x|² / |x|², on the network's own walk."""
    network, seen, errors = quantized.network, {}, {}

    def kept(value, x):
        if value in quantized.watched:
            seen[value] = quantized.watched[value].extract(x, None)
        return x

    def compute(node, inputs):
        if node.name not in quantized.points:
            return kept(node.name, network.apply(node, inputs))
        (x,), point = inputs, quantized.points[node.name]
        source = quantized.grids[point].key
        grid = source.grid(partial(as_array, x), seen)
        if point not in errors:
            average = source.first_grid if isinstance(source, PredictedGrid) else grid
            estimator = quantized.scheme.range_estimator
            measured = estimator.grid(estimator.measure(as_array(x), point.key, False), point.key, False)
            size = max(float(x.double().square().sum()), 1e-30)
            errors[point] = [
                float((fake_quantize(x, g) - x).double().square().sum()) / size
                for g in (average, grid, measured)
            ]
        x_hat, _ = represent(x, grid, quantized.scheme.representation)
        y = compute_layer(node, x_hat, quantized.weights[node.name].key, network.node_tensors(node))
        return kept(node.name, y)

    network.run(kept(network.input, x), compute)
    return np.array(list(errors.values()))


if __name__ == "__main__":
    main()
