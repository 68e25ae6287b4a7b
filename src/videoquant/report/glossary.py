"""What the report's words mean: only those that a comparison uses."""

from __future__ import annotations

from videoquant.comparison import LAYER_STEP, Comparison
from videoquant.report.palette import family
from videoquant.schemes import Scheme
from videoquant.tasks.sqnr import EXACT_DB

_REFERENCE = (
    "Every scheme is compared with the output of the same network in floating point (fp32) on the same frame"
)
_NO_LABELS = (
    ", not with ground truth. Where fp32 itself errs, nothing here shows it: what is measured is what "
    "quantization changes."
)
_AND_LABELS = "; only what is called (labels) is measured against ground truth."
_BITS = "Weights at 8 bits, activations (the inputs of layers) at 4 bits; fp32 has 32 bits for both."
_RESIDUAL = (
    "Keyframes at w8a8. Between them a layer computes only the difference (the residual) from the keyframe, "
    "at w4a4, and adds it to what it gave for the keyframe."
)
_PERIOD = "The period: one keyframe, then T − 1 residual frames. After a seek a keyframe comes first."
_ADAPTIVE = (
    "On residual frames each location takes the fewest of 0, 4 and 8 bits (none above the residual’s own) "
    "that hold its residual without clipping, or with at most N steps of it where the scheme says tau=N. A "
    "location at 0 bits counts as unchanged and costs nothing."
)
_GBOPS = (
    "10⁹ bit operations: for each layer its multiply–accumulates × bits of the weights × bits of the "
    "activations (32 × 32 in floating point), averaged over a cycle of keyframe and residual frames. They "
    "measure arithmetic, not the run time of one particular machine."
)
_DENSE_SPARSE = (
    "Dense + Sparse: activations are clipped at the threshold that the given share of them exceeds, and "
    "quantized; what sticks out is kept beside them in 16-bit floating point, and its multiply–accumulates "
    "count 16 × 16 bits."
)
_QPP = (
    "Ranges are predicted for each frame by a linear model from a few numbers (quantiles, mean, maximum) of "
    "an early activation, the first ReLU unless the scheme says at=. They cost next to nothing and are "
    "known before the layers run."
)
_RANGES = {"qpp": _QPP}
_ACCURACY = (
    "Measured against the labels of the data set, on the frames that have one, not against fp32; the row of "
    "fp32 is what quantization starts from."
)
_ENGINE = (
    "What {runner} ran has these numbers; the rest was simulated. frames/s: from the frame to the outputs. "
    "work %: the multiply–accumulates done, of those of full frames."
)
_CHIP = (
    "Simulated, not measured: milliseconds, frames per second and millijoules per frame on the chip, "
    "averaged over a cycle of keyframe and residual frames. Of each layer what takes longer counts: "
    "computing, at the chip’s peak for these bit-widths and as far as the layer fills its array, or moving "
    "bytes. A dash: the chip cannot run the scheme, or its energy is not known."
)
_METERED = (
    "Energy of the CPU’s packages per frame by its own counters, whatever else ran on it meanwhile included."
)
_FRONT = "Schemes to choose from: every closer one (by SQNR) costs more, every cheaper one is less close."
_MEASURES = {
    "top1": "The share of frames whose most probable class is the one that fp32 gives.",
    "mask_iou": (
        "Intersection over union of the scheme’s mask and the mask of fp32; with several classes, the mean "
        "over the classes that occur."
    ),
    "keypoint_f1": (
        "Keypoints are peaks of the heatmap above its threshold. One is found again where the scheme has a "
        "peak of the same keypoint at most one heatmap cell away; F1 is 2 · found / (peaks of fp32 + peaks "
        "of the scheme)."
    ),
    "landmark_distance": (
        "The mean distance between a landmark and the same landmark of fp32, in percent of the diagonal of "
        "the box around all landmarks of fp32. Lower is better."
    ),
    "psnr": (
        "Peak signal-to-noise ratio of the scheme’s picture against that of fp32, over the three colours."
    ),
}


def glossary(comparison: Comparison) -> list[tuple[str, str]]:
    """(term, explanation) of every term that the comparison's table and plots use."""
    kinds = {family(row.scheme) for row in comparison.rows}
    entries = [("Reference", _REFERENCE + (_AND_LABELS if comparison.accuracy else _NO_LABELS))]
    if kinds - {"float"}:
        entries.append(("w8a4", _BITS))
    if kinds & {"residual", "adaptive"}:
        entries += [("w8a8→w4a4", _RESIDUAL), ("T", _PERIOD)]
    if "adaptive" in kinds:
        entries.append(("adaptive", _ADAPTIVE))
    if any(row.density for row in comparison.rows):
        entries.append(("ds=1%", _DENSE_SPARSE))
    words = {Scheme.parse(row.scheme).ranges.word for row in comparison.rows}
    entries += [(word, text) for word, text in _RANGES.items() if word in words]
    entries += [("GBOPs per frame", _GBOPS), ("SQNR", _sqnr(comparison.primary))]
    if any(row.layer_sqnr_db for row in comparison.rows):
        entries.append(("SQNR by layer", f"The same of each layer’s output, on every {LAYER_STEP}th frame."))
    if comparison.accuracy:
        entries.append(("(labels)", _ACCURACY))
    known = [measure for measure in comparison.measures if measure.name in _MEASURES]
    entries += [(measure.label, _MEASURES[measure.name]) for measure in known]
    if comparison.engine:
        entries.append(("frames/s, work %", _ENGINE.format(runner=comparison.runner)))
    if any(row.measured_mj is not None for row in comparison.rows):
        entries.append(("measured mJ", _METERED))
    if comparison.chip:
        entries.append(("chip ms, fps, mJ", _CHIP))
    return [*entries, ("Pareto front", _FRONT)]


def _sqnr(output: str) -> str:
    return (
        f"Signal-to-quantization-noise ratio of the output {output}: 10 · log₁₀(Σ reference² / Σ (reference "
        "− output)²) in dB, summed over all frames. 3 dB less is an error of twice the power; at 0 dB the "
        "error is as large as the signal. Where there is no error to speak of the table says “exact” (in "
        f"files: {EXACT_DB:g})."
    )
