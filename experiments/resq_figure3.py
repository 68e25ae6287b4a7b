"""ResQ, supplement, Figure 3: pairwise against recurrent residuals by distance from the keyframe.

    python experiments/resq_figure3.py [--data DIR] [--jhmdb DIR --pose-checkpoint FILE] [--runs N]
        [--conventions NAME ...] [--again]

After calibration alone, w8a8->w4a8 and w8a8->w8a4, on runs of one keyframe and 12 residual frames:

camvid    DDRNet-23-slim on the labelled video of CamVid: mIoU; a run begins at every third frame
posenet   PoseNet on a clip: keypoint F1 against fp32; 16 runs, other frames calibrate
jhmdb     HRNet-W32 on JHMDB, the paper's set-up, where --jhmdb names it: PCK; a run is the first 13 frames of
          a test video of split 1, training videos calibrate

In the conventions of docs/schemes.md. Writes results/resq_figure3_CASE_CONVENTION.json, run by run, and
results/resq_figure3.png.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from common import difference, dress, figure, miou, miou_interval, save, verdict
from labelled import TallyScore, arguments, measured, open_video
from matplotlib.axes import Axes
from side_by_side import runner

import videoquant as vq
from videoquant.calibration.sampling import calibration_spans
from videoquant.comparison.workers import Runner
from videoquant.data.dataset import LabelledClip
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import task_for
from videoquant.tasks.scoring import score_for

FARTHEST = 12  # frames from the keyframe
LENGTH = FARTHEST + 1
FAR = range(7, LENGTH)  # the distances whose mean the verdict is about
BITS = ("w8a8->w4a8", "w8a8->w8a4")
SCHEMES = tuple(f"{bits} T={LENGTH}{how}" for bits in BITS for how in ("", " recurrent"))
PAIRWISE, RECURRENT = "#2f6fb5", "#cf5f1d"


@dataclass
class Case:
    """A network, a source, and the runs of it that are scored.

    calibration: what `vq.quantize` takes. measure, label: the number that is shown; "miou" is pooled from
    tallies, every other is a mean over runs.
    """

    name: str
    convention: str
    network: vq.Network
    source: vq.Clip
    runs: list[range]
    calibration: Any
    measure: str
    label: str

    @cached_property
    def quantized(self) -> list[QuantizedNetwork]:
        schemes = [vq.Scheme.parse(scheme, self.convention) for scheme in SCHEMES]
        return [vq.quantize(self.network, scheme, self.calibration) for scheme in schemes]

    def score(self, start: str) -> dict[str, Any]:
        """By scheme and measure, the values of a run's frames in order; of mIoU the tallies."""
        (run,) = (run for run in self.runs if str(run.start) == start)
        scores: list[Any] = []
        labelled = isinstance(self.source, LabelledClip)

        def score() -> Any:
            make = TallyScore if self.measure == "miou" else score_for
            scores.append(make(task_for(self.network), self.source.dataset))
            return scores[-1]

        comparison = vq.compare(
            self.network, self.quantized, self.source.runs([run]), score=score if labelled else None
        )
        if not comparison.complete:
            raise KeyboardInterrupt
        result = {}
        for number, (scheme, row) in enumerate(zip(SCHEMES, comparison.rows, strict=True)):
            values = {"sqnr_db": [frame["sqnr_db"] for frame in row.per_frame]}
            if self.measure == "miou":
                values["tallies"] = scores[number].tallies
            else:
                kind = "accuracy" if labelled else "agreement"
                values[self.measure] = [frame[kind][self.measure] for frame in row.per_frame]
            result[scheme] = values
        return result

    def about(self) -> dict[str, Any]:
        return {
            "convention": self.convention,
            "network": self.network.name,
            "source": self.source.name,
            "runs": [run.start for run in self.runs],
            "measure": self.measure,
            "label": self.label,
        }


def camvid(options: Any, convention: str) -> Case:
    video = open_video(options)
    starts = range(0, len(video.source) - FARTHEST, 3)
    runs = some([range(i, i + LENGTH) for i in starts], options.runs)
    words = "mIoU against labels"
    return Case("camvid", convention, video.network, video.source, runs, video.source, "miou", words)


def posenet(options: Any, convention: str) -> Case:
    network = vq.load(options.data / "models/posenet_432x768.onnx")
    source = vq.frames(options.data / "clips/one-by-one-person-detection.mp4")
    total, count = len(source), options.runs or 16
    runs = [range(i * total // count, i * total // count + LENGTH) for i in range(count)]
    free = [range(a.stop, b.start) for a, b in pairwise(runs)] or [range(LENGTH, total)]
    calibration = list(source.runs(calibration_spans(free, LENGTH, 3)))
    words = "keypoint F1 against fp32"
    return Case("posenet", convention, network, source, runs, calibration, "keypoint_f1", words)


def jhmdb(options: Any, convention: str) -> Case:
    test, train = (vq.data.open(f"jhmdb:{options.jhmdb}#{part}1") for part in ("test", "train"))
    network = vq.load("hrnet_w32_pose", checkpoint=options.pose_checkpoint)
    firsts = [span[:LENGTH] for span in test.clips.values() if len(span) >= LENGTH]
    runs = some(firsts, options.runs)
    words = "PCK@0.2 against labels"
    return Case("jhmdb", convention, network, test.clip(), runs, train.clip(), "pck", words)


def some(runs: list[range], count: int | None) -> list[range]:
    """`count` of the runs, evenly; all by default."""
    return runs if count is None else [runs[i * len(runs) // count] for i in range(min(count, len(runs)))]


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--jhmdb", type=Path, help="the folder of JHMDB, which holds Rename_Images")
    parser.add_argument("--pose-checkpoint", type=Path, help="HRNet-W32 with 15 joints, for --jhmdb")
    parser.add_argument("--runs", type=int, help="score so many runs of each; default: see above")
    options = parser.parse_args()
    if (options.jhmdb is None) != (options.pose_checkpoint is None):
        parser.error("--jhmdb and --pose-checkpoint need each other")
    cases = [camvid, posenet] + ([jhmdb] if options.jhmdb else [])
    with runner(options) as run:
        pairs = product(cases, options.conventions)
        draw([measure(case(options, convention), options.again, run) for case, convention in pairs])


def measure(case: Case, again: bool = False, run: Runner | None = None) -> dict[str, Any]:
    """All runs of a case, and what they say."""
    runs = [str(run.start) for run in case.runs]
    if run:
        _ = case.quantized  # calibrated once, for all that score
    name = f"resq_figure3_{case.name}_{case.convention}"
    results = measured(name, case.about(), runs, case.score, again, run)
    for bits in BITS:
        value, low, high = gap(results, bits, FAR)
        print(
            f"{case.name}, convention {case.convention}, {bits}: pairwise − recurrent, {FAR[0]} to {FAR[-1]} "
            "frames from the keyframe: "
            f"{100 * value:+.2f} ({100 * low:+.2f} to {100 * high:+.2f}) points of {case.label}: "
            f"{verdict(low, high)}; SQNR {sqnr_gap(results, bits):+.1f} dB"
        )
    return results


def pair(results: dict[str, Any], bits: str, measure: str) -> list[np.ndarray]:
    """The values of the pairwise and the recurrent scheme: runs×distances×…"""
    schemes = (f"{bits} T={LENGTH}", f"{bits} T={LENGTH} recurrent")
    rows = results["rows"]
    return [np.array([rows[str(run)][s][measure] for run in results["runs"]]) for s in schemes]


def gap(results: dict[str, Any], bits: str, distances: Iterable[int]) -> tuple[float, float, float]:
    """Pairwise minus recurrent over some distances, and its 95% interval by bootstrap over runs."""
    at = list(distances)
    if results["measure"] == "miou":
        return miou_interval(*(tallies[:, at].sum(1) for tallies in pair(results, bits, "tallies")))
    return difference(*(values[:, at].mean(1) for values in pair(results, bits, results["measure"])))


def sqnr_gap(results: dict[str, Any], bits: str) -> float:
    """Pairwise minus recurrent in dB at the distances `FAR`, the mean of frames."""
    first, second = (values[:, list(FAR)].mean() for values in pair(results, bits, "sqnr_db"))
    return float(first - second)


def by_distance(results: dict[str, Any], bits: str) -> list[list[float]]:
    """What is shown of the pairwise and of the recurrent scheme at distances 0 to `FARTHEST`."""
    if results["measure"] == "miou":
        return [[miou(v[:, d]) for d in range(LENGTH)] for v in pair(results, bits, "tallies")]
    return [list(values.mean(0)) for values in pair(results, bits, results["measure"])]


def draw(cases: list[dict[str, Any]]) -> None:
    """A row of panels per case and convention, one per pair of bit-widths.

    Shaded is the interval of pairwise − recurrent.
    """
    picture, panels = figure(len(cases), len(BITS), 3.2 * len(cases))
    for row, results in zip(panels, cases, strict=True):
        for axes, bits in zip(row, BITS, strict=True):
            panel(axes, results, bits)
        low = min(axes.get_ylim()[0] for axes in row)
        high = max(axes.get_ylim()[1] for axes in row)
        for axes in row:
            axes.set_ylim(low, high)
    save(picture, "resq_figure3")


def panel(axes: Axes, results: dict[str, Any], bits: str) -> None:
    dress(axes, f"{results['network']}, {bits.replace('->', '→')}, convention {results['convention']}")
    ours, theirs = by_distance(results, bits)
    distances = range(LENGTH)
    gaps = np.array([gap(results, bits, [d]) for d in distances])
    around = np.array(theirs)
    axes.fill_between(distances, around + gaps[:, 1], around + gaps[:, 2], color=PAIRWISE, alpha=0.18, lw=0)
    axes.plot(distances, ours, "o-", color=PAIRWISE, markersize=3.5, label="pairwise")
    axes.plot(distances, theirs, "s--", color=RECURRENT, markersize=3.5, label="recurrent")
    axes.set_xlabel("frames from the keyframe", fontsize=8)
    axes.set_ylabel(results["label"], fontsize=8)
    axes.legend(frameon=False, fontsize=8)


if __name__ == "__main__":
    main()
