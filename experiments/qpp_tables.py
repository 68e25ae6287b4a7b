"""QPP Tables A.3 and A.4: static, dynamic and predicted ranges at W8A4, uniform and Dense + Sparse.

    python experiments/qpp_tables.py --carphone carphone_pristine.mp4 [--data DIR] [--only NETWORK ...]
        [--workers N]

Static ranges take the α that is best for them on calibration inputs, dynamic and predicted ones the α that is
best for dynamic ones. Measures are larger for better; intervals are 95%, by bootstrap over inputs.
Writes results/qpp_tables.json and .png. What is stored there already, for the same scheme
and data, is kept: delete the file to measure all anew.
"""

import argparse
import json
from functools import partial

import numpy as np
from common import RESULTS, Case, arguments, cases, difference, dress, figure, outputs, save, store
from side_by_side import add_arguments, done, runner

from videoquant.calibration.calibrate import calibrate
from videoquant.schemes import Scheme

DEEP = 10  # layers from which further positions are worth a try
PREDICTED = ("qpp", "qpp auto:4", "qpp=49 auto:8")
COLORS = {
    "static": "#66717f",
    "dynamic": "#cf5f1d",
    "qpp": "#2f6fb5",
    "qpp auto:4": "#2b8f62",
    "qpp=49 auto:8": "#7a55bd",
}
REPRESENTATIONS = {"uniform": "", "ds=1%": "ds=1%", "ds=3%": "ds=3%"}


def schemes(case: Case, alphas: dict[str, float]) -> dict[str, dict[str, str]]:
    """Representation → name of the ranges → scheme."""
    result = {}
    for name, word in REPRESENTATIONS.items():
        fixed, following = (
            f"w8a4 {case.edges} {word or f'quantile={alphas[ranges]!r}'}" for ranges in ("static", "dynamic")
        )
        result[name] = {
            "static": fixed,
            "dynamic": f"{following} dynamic",
            "qpp": f"{following} qpp=5 at={case.at}",
        }
        if len(case.network.layers) >= DEEP:
            result[name]["qpp auto:4"] = f"{following} qpp=5 at=auto:4"
            result[name]["qpp=49 auto:8"] = f"{following} qpp=49 at=auto:8"
    result["uniform"] |= {"min-max": f"w8a4 {case.edges} minmax", "aciq": f"w8a4 {case.edges} aciq"}
    return result


def score(case: Case, scheme: str, references: list) -> dict:
    """Every measure of every input."""
    parsed = Scheme.parse(scheme)
    clips = [[x] for x in case.calibration]
    quantized = calibrate(case.network, parsed, clips)
    rows, densities = [], []
    for index, (x, reference) in enumerate(zip(case.evaluation, references, strict=True)):
        output, density = outputs(quantized, x)
        rows.append({name: measure(index, reference, output) for name, measure in case.measures.items()})
        densities.append(density)
    predictors = [getattr(grid.key, "predictor", None) for grid in quantized.grids.values()]
    predictors = [predictor for predictor in predictors if predictor]  # some points stay static
    result = {
        "scheme": str(parsed),
        "inputs": {name: [round(row[name], 5) for row in rows] for name in case.measures},
        "mean": {name: float(np.mean([row[name] for row in rows])) for name in case.measures},
    }
    if densities[0] is not None:
        off = np.abs(np.array(densities) / parsed.representation.density - 1)
        result["density"] = {
            "mean": float(np.mean(densities)),
            "p10": float(np.quantile(densities, 0.1)),
            "p90": float(np.quantile(densities, 0.9)),
            "relative_error_p90": float(np.quantile(off, 0.9)),
        }
    if predictors:
        result["quality_median"] = float(np.median([p.quality for p in predictors]))
        result["positions"] = list(dict.fromkeys(p.position for p in predictors))
    return result


def gap(rows: dict, measure: str) -> dict:
    """What dynamic gains over static, and what each QPP keeps of it."""
    scores = {name: row["inputs"][measure] for name, row in rows.items()}
    whole, low, high = difference(scores["dynamic"], scores["static"])
    result = {"dynamic - static": [whole, low, high], "beyond_noise": low > 0}
    for name in (name for name in PREDICTED if name in rows):
        gain = difference(scores[name], scores["static"])
        result[f"{name} - static"] = list(gain)
        result[f"{name} share"] = gain[0] / whole if low > 0 else None
        result[f"{name} worse than static"] = gain[2] < 0
    return result


def of_network(name: str, options: argparse.Namespace) -> dict:
    """Every scheme of one network; rows that are stored for the same scheme and data are kept."""
    case = cases(options.data, options.carphone)[name]()
    known = stored().get(name, {"data": "", "tables": {}})
    alphas = known.get("alpha") or {
        ranges: case.search_alpha(f"w8a4 {case.edges} {ranges}").best for ranges in ("static", "dynamic")
    }
    references = case.references()
    tables, gaps = {}, {}
    for representation, texts in schemes(case, alphas).items():
        tables[representation] = rows = {}
        for ranges, text in texts.items():
            row = known["tables"].get(representation, {}).get(ranges)
            same = row and (row["scheme"], known["data"]) == (str(Scheme.parse(text)), case.data)
            rows[ranges] = row if same else score(case, text, references)
            print(f"{name:20s} {representation:8s} {ranges:13s} {brief(rows[ranges])}", flush=True)
        gaps[representation] = {measure: gap(rows, measure) for measure in case.measures}
    return {"data": case.data, "alpha": alphas, "tables": tables, "gaps": gaps}


def stored() -> dict:
    path = RESULTS / "qpp_tables.json"
    return json.loads(path.read_text()) if path.exists() else {}


def main() -> None:
    parser = add_arguments(arguments(__doc__.splitlines()[0]))
    parser.add_argument("--only", nargs="+", help="networks to measure; others stay as they are stored")
    options = parser.parse_args()
    names = options.only or list(cases(options.data, options.carphone))
    with runner(options) as run:
        for name, result in done(names, partial(of_network, options=options), run):
            store("qpp_tables", stored() | {name: result})
    draw(stored())


def draw(results: dict) -> None:
    """A panel per network: SQNR by representation, a bar per origin of the ranges."""
    picture, panels = figure(2, 3, 6)
    for axes, (name, result) in zip(panels.flat, results.items(), strict=False):
        dress(axes, name)
        for place, rows in enumerate(result["tables"].values()):
            for shift, (ranges, color) in enumerate(COLORS.items()):
                if ranges in rows:
                    label = ranges if place == 0 else None
                    decibels = rows[ranges]["mean"]["sqnr_db"]
                    axes.bar(place + 0.17 * shift - 0.34, decibels, 0.15, color=color, label=label)
        axes.set_xticks(range(len(result["tables"])), result["tables"])
        shown = [
            rows[r]["mean"]["sqnr_db"] for rows in result["tables"].values() for r in COLORS if r in rows
        ]
        axes.set_ylim(max(0, min(shown) - 3))
    for axes in panels[:, 0]:
        axes.set_ylabel("SQNR against fp32, dB")
    picture.legend(
        *panels[0, 0].get_legend_handles_labels(), frameon=False, ncols=5, loc="outside lower center"
    )
    save(picture, "qpp_tables")


def brief(row: dict) -> str:
    density = f"  density off by {row['density']['relative_error_p90']:.0%}" if "density" in row else ""
    return "  ".join(f"{name} {value:.4g}" for name, value in row["mean"].items()) + density


if __name__ == "__main__":
    main()
