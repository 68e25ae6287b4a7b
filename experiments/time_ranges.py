"""Where residual ranges come from: static, dynamic and predicted, uniform and Dense + Sparse, in video.

    python experiments/time_ranges.py --carphone carphone_pristine.mp4 [--data DIR]

PoseNet and selfie_segmentation, w8a8->w4a4 and w8a8->w4a2 at T = 3, 60 frames of each clip scored in runs of
12, calibration on other frames. Writes results/time_ranges.json and .png.
"""

from common import arguments, dress, figure, save, store

import videoquant as vq
from videoquant.calibration.sampling import calibration_runs, calibration_spans, split

BITS = ("w8a8->w4a4", "w8a8->w4a2")
RANGES = ("static", "dynamic", "qpp=5 at=first-relu")
REPRESENTATIONS = ("", "ds=1%")
COLORS = {"static": "#66717f", "dynamic": "#cf5f1d", "qpp=5 at=first-relu": "#2f6fb5"}


def main() -> None:
    options = arguments(__doc__.splitlines()[0]).parse_args()
    people = options.data / "clips/one-by-one-person-detection.mp4"
    results = {}
    for model, path in (("posenet_432x768", people), ("selfie_segmentation_256", options.carphone)):
        network, source = vq.load(options.data / f"models/{model}.onnx"), vq.frames(path)
        plan = split(len(source), None, [3])
        texts = [
            f"{bits} T=3 {ranges} {representation}".strip()
            for bits in BITS
            for representation in REPRESENTATIONS
            for ranges in RANGES
        ]
        quantized = []
        for text in texts:
            scheme = vq.Scheme.parse(text)
            spans = calibration_spans(plan.free, 3, calibration_runs(scheme))
            quantized.append(vq.quantize(network, scheme, list(source.runs(spans))))
            print("calibrated", text, flush=True)
        comparison = vq.compare(network, quantized, source.runs(plan.scored), source=path.name)
        measure = comparison.measures[0].name
        rows = [
            {
                "scheme": text,
                "gbops_per_frame": row.gbops_per_frame,
                "sqnr_db": row.sqnr_db,
                measure: row.agreement[measure],
                "density": row.density,
            }
            for text, row in zip(texts, comparison.rows, strict=True)
        ]
        for row in rows:
            print(
                f"{network.name:26s} {row['scheme']:36s} {row['sqnr_db']:6.2f} dB  {row[measure]:.3f}",
                flush=True,
            )
        results[network.name] = {"clip": path.name, "frames": comparison.frames, "rows": rows}
        store("time_ranges", results)
    draw(results)


def draw(results: dict) -> None:
    """A panel per network: SQNR by scheme, a bar per origin of the ranges."""
    picture, panels = figure(1, 2, 3.6)
    for axes, (name, result) in zip(panels.flat, results.items(), strict=True):
        dress(axes, f"{name}, {result['clip']}")
        groups = [f"{bits} {representation}".strip() for bits in BITS for representation in REPRESENTATIONS]
        for place in range(len(groups)):
            rows = result["rows"][place * len(RANGES) : (place + 1) * len(RANGES)]
            for shift, (ranges, row) in enumerate(zip(RANGES, rows, strict=True)):
                label = ranges if place == 0 else None
                axes.bar(place + 0.25 * shift - 0.25, row["sqnr_db"], 0.22, color=COLORS[ranges], label=label)
        axes.set_xticks(range(len(groups)), [g.replace("->", "→").replace(" ", "\n") for g in groups])
        axes.set_ylim(min(r["sqnr_db"] for r in result["rows"]) - 2)
    panels[0, 0].set_ylabel("SQNR against fp32, dB")
    panels[0, 0].legend(frameon=False, fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(1.05, 1.25))
    save(picture, "time_ranges")


if __name__ == "__main__":
    main()
