"""Terms are explained where they are used, and only there."""

from __future__ import annotations

from typing import Any

from videoquant.comparison import Comparison
from videoquant.report.glossary import glossary
from videoquant.tasks.classification import TOP1
from videoquant.tasks.landmarks import LANDMARK_DISTANCE
from videoquant.tasks.pose import KEYPOINT_F1
from videoquant.tasks.segmentation import MASK_IOU
from videoquant.tasks.super_resolution import PSNR


def test_full_run_explains_everything(comparison: Comparison) -> None:
    terms = [term for term, _ in glossary(comparison)]
    assert terms == [
        "Reference", "w8a4", "w8a8→w4a4", "T", "adaptive", "GBOPs per frame", "SQNR", "SQNR by layer",
        "keypoint F1", "Pareto front",
    ]  # fmt: skip
    assert "not with ground truth" in dict(glossary(comparison))["Reference"]
    assert "of the output heatmap" in dict(glossary(comparison))["SQNR"]


def test_frame_schemes_need_no_keyframes(make_comparison: Any) -> None:
    terms = {term for term, _ in glossary(make_comparison(("fp32", "w8a8")))}
    assert not terms & {"T", "adaptive", "w8a8→w4a4"}


def test_every_measure_of_a_task_is_explained(make_comparison: Any) -> None:
    measures = (TOP1, LANDMARK_DISTANCE, KEYPOINT_F1, MASK_IOU, PSNR)
    terms = {term for term, _ in glossary(make_comparison(("w8a8",), measures=measures))}
    assert {measure.label for measure in measures} <= terms
