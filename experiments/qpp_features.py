"""QPP Figure C.5: the error of predicted ranges against the number of features, chosen by F-test.

    python experiments/qpp_features.py --carphone carphone_pristine.mp4 [--data DIR] [--workers N]

One predictor at the first activation (the input for super-resolution), W8A4, ranges as the scheme of the
tables measures them. The calibration set is halved: one half chooses features and fits, the other is
predicted. Errors are those of plain least squares and of ours, which shrinks towards the average; each is
divided by the error of the static average, per quantizer, and the mean over quantizers is shown.
Writes results/qpp_features.json and .png.
"""

from argparse import Namespace
from functools import partial

import numpy as np
from common import arguments, by_network, cases, dress, figure, save
from side_by_side import add_arguments, runner

from videoquant.calibration.calibrate import layer_weights
from videoquant.calibration.calibration_pass import CalibrationPass
from videoquant.calibration.predictors import fit_linear
from videoquant.calibration.range_fit import RangeFit
from videoquant.calibration.survey import select
from videoquant.quantizers.placement import layer_bits, points
from videoquant.quantizers.positions import resolve, responsible
from videoquant.ranges.features import PAPER_FEATURES, POOL
from videoquant.schemes import Scheme
from videoquant.simulate.parameters import FeatureSpec

COUNTS = (1, 2, 3, 5, 8, 12, 20, 30, 49)
SAMPLES = 96  # at most: half of them fit


def errors(case) -> dict[str, list[float]]:
    """Normalised error by kind of fit, for each of `COUNTS` features; "paper's five" has one number."""
    scheme = Scheme.parse(f"w8a4 {case.edges} quantile=0.999")
    network, samples = case.network, case.calibration[:: max(1, len(case.calibration) // SAMPLES)]
    quantizers = points(network, layer_bits(network, scheme))
    positions = resolve(network, (case.at,), quantizers)
    at = responsible(network, positions, quantizers)
    walk = CalibrationPass(
        network, scheme, layer_weights(network, scheme), RangeFit({positions[0]: FeatureSpec(POOL, ())})
    )
    walk.run([[x] for x in samples], None)
    features = walk.features[positions[0], False]
    ranges = [walk.ranges[point, False] for point in at]
    fit, held = slice(0, None, 2), slice(1, None, 2)
    result: dict[str, list[float]] = {"least squares": [], "shrunken": []}
    for count in COUNTS:
        names = select(features[fit], [r[fit] for r in ranges], count)
        columns = [POOL.index(name) for name in names]
        for kind in result:
            result[kind].append(normalised(features[:, columns], ranges, fit, held, kind))
    columns = [POOL.index(name) for name in PAPER_FEATURES]
    result["paper's five"] = [normalised(features[:, columns], ranges, fit, held, "shrunken")]
    return result


def normalised(features, ranges, fit, held, kind) -> float:
    shares = []
    for values in ranges:
        if kind == "shrunken":
            slopes, intercepts, _ = fit_linear(features[fit], values[fit])
            predicted = features[held] @ slopes.T + intercepts
        else:
            design = np.c_[features, np.ones(len(features))]
            solution, *_ = np.linalg.lstsq(design[fit], values[fit], rcond=None)
            predicted = design[held] @ solution
        average = ((values[held] - values[fit].mean(0)) ** 2).sum()
        if average > 0:
            shares.append(((values[held] - predicted) ** 2).sum() / average)
    return float(np.mean(shares))


def main() -> None:
    options = add_arguments(arguments(__doc__.splitlines()[0])).parse_args()
    with runner(options) as run:
        results = by_network("qpp_features", partial(measure, options=options), options, run)
    draw(results)


def measure(name: str, options: Namespace) -> dict:
    """The errors of a network."""
    case = cases(options.data, options.carphone)[name]()
    row = {"data": case.data, "counts": COUNTS, **errors(case)}
    print(name, {k: [round(v, 3) for v in row[k]] for k in ("least squares", "shrunken")}, flush=True)
    return row


def draw(results: dict) -> None:
    """A panel per network: error against the number of features."""
    picture, panels = figure(2, 3, 5.6)
    for axes, (name, row) in zip(panels.flat, results.items(), strict=True):
        dress(axes, name)
        for kind, color in (("least squares", "#cf5f1d"), ("shrunken", "#2f6fb5")):
            axes.plot(row["counts"], np.minimum(row[kind], 3), "o-", color=color, markersize=3.5, label=kind)
        axes.plot(5, row["paper's five"][0], "D", color="#1f2933", markersize=5, label="the paper's five")
        axes.axhline(1, color="#66717f", linewidth=1, linestyle="--")
        axes.set_xscale("log")
        axes.set_xticks(row["counts"], row["counts"])
        axes.minorticks_off()
        axes.set_ylim(0, 2)
        axes.set_xlabel("features")
    panels[0, 0].set_ylabel("MSE / MSE of the static average")
    panels[0, 0].legend(frameon=False, fontsize=8)
    save(picture, "qpp_features")


if __name__ == "__main__":
    main()
