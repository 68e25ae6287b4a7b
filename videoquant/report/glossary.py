"""What the report's words mean: only those that a comparison uses."""

from __future__ import annotations

from videoquant.compare import EXACT_DB, LAYER_STEP, Comparison
from videoquant.report.looks import family

_MEASURES = {
    "top1": "The share of frames whose most probable class is the one that fp32 gives.",
    "mask_iou": (
        "Intersection over union of the scheme’s mask and the mask of fp32; of several classes, the mean over "
        "the classes that occur."
    ),
    "keypoint_f1": (
        "Keypoints are the peaks of the heatmap above its threshold. One is found again where the scheme has a peak "
        "of the same keypoint at most one heatmap cell away; F1 is 2 · found / (peaks of fp32 + peaks of the scheme)."
    ),
    "landmark_distance": (
        "The mean distance between a landmark and the same landmark of fp32, in percent of the diagonal of the box "
        "around all landmarks of fp32. Lower is better."
    ),
    "psnr": "Peak signal-to-noise ratio of the scheme’s picture against the picture of fp32, over the three colours.",
}


def glossary(comparison: Comparison) -> list[tuple[str, str]]:
    """(term, explanation) of every term that the comparison's table and plots use."""
    kinds = {family(row.scheme) for row in comparison.rows}
    entries = [
        (
            "Reference",
            "Every scheme is compared with the output of the same network in floating point (fp32) on the same frame, "
            "not with ground truth. A network that errs in fp32 errs here unnoticed; what is measured is what "
            "quantization changes.",
        )
    ]
    if kinds - {"float"}:
        entries.append(("w8a4", "Weights at 8 bits, activations (what goes into a layer) at 4 bits; fp32 is 32 bits."))
    if kinds & {"residual", "adaptive"}:
        entries += [
            (
                "w8a8→w4a4",
                "Keyframes at w8a8. Between them a layer computes only the difference (the residual) from the "
                "keyframe, at w4a4, and adds it to what it gave for the keyframe.",
            ),
            ("T", "The period: one keyframe, then T − 1 residual frames. A cut or a seek begins with a keyframe."),
        ]
    if "adaptive" in kinds:
        entries.append(
            (
                "adaptive",
                "On residual frames each location takes the fewest of 0, 4 and 8 bits that hold its residual without "
                "clipping. A location at 0 bits has not changed and costs nothing.",
            )
        )
    entries += [
        (
            "GBOPs per frame",
            "10⁹ bit operations: for each layer its multiply–accumulates × bits of the weights × bits of the "
            "activations (32 × 32 in floating point), averaged over a cycle of keyframe and residual frames. It "
            "measures arithmetic, not run time on one particular machine.",
        ),
        (
            "SQNR",
            f"Signal-to-quantization-noise ratio of the output {comparison.primary}, 10 · log₁₀(Σ reference² / "
            "Σ (reference − output)²) in dB, over the whole stream. 3 dB less is an error of twice the power; 0 dB an "
            f"error as large as the signal. No measurable difference is written “exact” ({EXACT_DB:g} dB in files).",
        ),
    ]
    if any(row.layer_sqnr_db for row in comparison.rows):
        entries.append(("SQNR by layer", f"The same ratio of each layer’s output, on every {LAYER_STEP}th frame."))
    entries += [
        (measure.label, _MEASURES[measure.name]) for measure in comparison.measures if measure.name in _MEASURES
    ]
    entries.append(
        ("Pareto front", "The schemes for which no other costs the same or less and is at least as close to fp32.")
    )
    return entries
