"""Schemes against ground truth, one at a time: DDRNet-23-slim on the labelled video of CamVid.

All frames of the video are scored, so that some of them calibrate too; calibration sees no labels. Rows are
stored as they come, so that an experiment which was stopped goes on where it was.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import common
import numpy as np
import side_by_side
from numpy.typing import NDArray
from torch import Tensor

import videoquant as vq
from videoquant.comparison.workers import Runner
from videoquant.data.dataset import LabelledClip
from videoquant.data.targets import Target
from videoquant.models.weights import require_weights
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import task_for
from videoquant.tasks.scoring import MapScore

NAME, DATASET = "ddrnet23_slim", "camvid"
CONVENTIONS = ("default", "resq")  # of docs/schemes.md
STORED = ("scheme", "gbops_per_frame", "sqnr_db", "agreement", "accuracy", "accuracy_by_label", "shares")


@dataclass
class Video:
    """A floating-point network and the labelled video that it is scored on.

    frames: how many, from the first on. weights: what the results call the network's weights.
    """

    network: vq.Network
    source: LabelledClip
    frames: int
    weights: str

    def calibrate(self, scheme: str, convention: str = "default") -> QuantizedNetwork:
        """The network quantized on about 16 frames of the video, evenly chosen; see `vq.quantize`.

        convention: of `Scheme.parse`.
        """
        return vq.quantize(self.network, vq.Scheme.parse(scheme, convention), self.source)

    def calibrated(self, scheme: str, convention: str = "default") -> dict[str, Any]:
        """The row of a scheme after calibration alone."""
        return self.score(self.calibrate(scheme, convention))

    def score(self, quantized: QuantizedNetwork, start: int = 0) -> dict[str, Any]:
        """A row: what `STORED` names of a comparison's, and "tallies" (see `common.mious`), frame by frame.

        start: the first frame, which is the first keyframe.
        """
        task = task_for(self.network)
        scores: list[TallyScore] = []

        def score() -> TallyScore:
            scores.append(TallyScore(task, self.source.dataset))
            return scores[-1]

        frames = self.source.runs([range(start, self.frames)])
        comparison = vq.compare(self.network, [quantized], frames, score=score)
        if not comparison.complete:
            raise KeyboardInterrupt
        return {key: getattr(comparison.rows[0], key) for key in STORED} | {"tallies": scores[0].tallies}

    def about(self, convention: str | None = None) -> dict[str, Any]:
        """What must be the same for stored rows to stand beside new ones."""
        return ({"convention": convention} if convention else {}) | {
            "weights": self.weights,
            "network": self.network.name,
            "source": self.source.name,
            "size": list(self.network.size),
            "frames": self.frames,
        }


def arguments(description: str, conventions: bool = True) -> argparse.ArgumentParser:
    """The options of the experiments on labelled video; conventions: whether it runs in several."""
    parser = common.arguments(description, carphone=False)
    parser.add_argument("--network", default=NAME, help=f"default {NAME}")
    parser.add_argument("--checkpoint", type=Path, help="its weights; default: the shipped ones")
    parser.add_argument("--frames", type=int, help="score the first so many; default: all")
    parser.add_argument("--again", action="store_true", help="measure anew what results/ already holds")
    if conventions:
        words = "what schemes leave open (docs/schemes.md); default: both"
        parser.add_argument("--conventions", nargs="+", choices=CONVENTIONS, default=CONVENTIONS, help=words)
    return side_by_side.add_arguments(parser)


def open_video(options: argparse.Namespace) -> Video:
    """The network and the video that the options name."""
    source = vq.data.open(f"{DATASET}:{options.data / DATASET}#val").clip()
    weights = options.checkpoint or require_weights(options.network, DATASET)
    network = vq.load(options.network, checkpoint=weights, size=source.size)
    return Video(network, source, min(options.frames or len(source), len(source)), weights.name)


def of_network(name: str, network: str) -> str:
    """The name of results of one network: the usual one's have none in theirs."""
    return name if network == NAME else f"{name}_{network}"


def measured(
    name: str,
    about: dict[str, Any],
    keys: Sequence[str],
    measure: side_by_side.Work,
    again: bool = False,
    run: Runner | None = None,
) -> dict[str, Any]:
    """The content of results/NAME.json: `about`, and "rows" by key.

    Rows that the file holds already, of the same `about`, are taken from it, unless `again`; the others are
    measured, and stored as they come. measure, run: of `side_by_side.done`.
    """
    path = common.RESULTS / f"{name}.json"
    results = {**about, "rows": {}}
    if path.exists() and not again:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if {key: stored.get(key) for key in about} == about:
            results = stored
    missing = [key for key in keys if key not in results["rows"]]
    if not missing:
        print(f"{path.name} holds every row; --again measures them anew")
    for key, row in side_by_side.done(missing, measure, run):
        rows = {**results["rows"], key: row}
        results["rows"] = {known: rows[known] for known in dict.fromkeys([*keys, *rows]) if known in rows}
        common.store(name, results)
        print("measured", key, flush=True)
    return results


def calibrated_rows(
    name: str,
    video: Video,
    convention: str,
    schemes: Sequence[str],
    again: bool = False,
    run: Runner | None = None,
) -> dict[str, Any]:
    """`measured` of schemes after calibration alone, in a convention: results/NAME_CONVENTION.json."""
    work = partial(video.calibrated, convention=convention)
    results = measured(f"{name}_{convention}", video.about(convention), schemes, work, again, run)
    print(f"convention {convention}")
    return results


class TallyScore(MapScore):
    """mIoU, and the intersections and unions of every frame."""

    def __init__(self, task: Any, dataset: vq.data.dataset.Dataset) -> None:
        super().__init__(task, dataset)
        self.tallies: list[list[list[int]]] = []

    def update(
        self, pixels: NDArray[np.uint8], outputs: dict[str, Tensor], target: Target
    ) -> dict[str, float]:
        before = self._metric.counts.copy()
        values = super().update(pixels, outputs, target)
        frame = self._metric.counts - before
        both = np.diagonal(frame)
        self.tallies.append([both.tolist(), (frame.sum(1) + frame[:, :-1].sum(0) - both).tolist()])
        return values
