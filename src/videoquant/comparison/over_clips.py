"""A scheme's row over several clips: the means of what it has on each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TypeVar

from videoquant.comparison.layer_inputs import LayerInput
from videoquant.comparison.results import PredictedRanges, Row

Key = TypeVar("Key")


def over_clips(rows: Mapping[str, Row]) -> Row:
    """The row of one scheme over clips, by their names.

    Every clip counts the same, however many of its frames were scored; a measure is the mean over the clips
    that show what it measures. Frames, pictures and ranges stand one clip after the other.
    """
    every = list(rows.values())
    speeds = [row.frames_per_second for row in every]
    return Row(
        every[0].scheme,
        fmean(row.gbops_per_frame for row in every),
        fmean(row.sqnr_db for row in every),
        _means([row.agreement for row in every]),
        _means([row.accuracy for row in every]),
        _means_of_labels([row.accuracy_by_label for row in every]),
        [frame | {"clip": name} for name, row in rows.items() for frame in row.per_frame],
        _means([row.layer_sqnr_db for row in every]),
        _means([row.shares for row in every]),
        {layer: _means([row.layer_shares[layer] for row in every]) for layer in every[0].layer_shares},
        _means([row.density for row in every]),
        _ranges(every),
        {layer: _input([row.layer_inputs[layer] for row in every]) for layer in every[0].layer_inputs},
        _means([row.layer_density for row in every]),
        [share for row in every for share in row.computed],
        [picture for row in every for picture in row.pictures],
        # A mean of times, as every clip counts the same.
        None if None in speeds else 1 / fmean(1 / speed for speed in speeds if speed),
        _mean(row.work_share for row in every),
        every[0].file,
        _mean(row.measured_mj for row in every),
        clips=dict(rows),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    found = list(values)
    return None if None in found else fmean(value for value in found if value is not None)


def _means(found: Sequence[Mapping[Key, float]]) -> dict[Key, float]:
    """Of each key the mean over the mappings that have it."""
    keys = dict.fromkeys(key for values in found for key in values)
    return {key: fmean(values[key] for values in found if key in values) for key in keys}


def _means_of_labels(found: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    present = [{k: v for k, v in values.items() if v is not None} for values in found]
    return dict.fromkeys(key for values in found for key in values) | _means(present)


def _input(seen: Sequence[LayerInput]) -> LayerInput:
    low, high = min(one.low for one in seen), max(one.high for one in seen)
    return LayerInput(low, high, fmean(one.clipped for one in seen), _mean(one.zero for one in seen))


def _ranges(rows: Sequence[Row]) -> list[PredictedRanges]:
    merged = []
    for quantizer in zip(*(row.ranges for row in rows), strict=False):
        predicted = [value for ranges in quantizer for value in ranges.predicted]
        measured = [value for ranges in quantizer for value in ranges.measured]
        merged.append(replace(quantizer[0], predicted=predicted, measured=measured))
    return merged
