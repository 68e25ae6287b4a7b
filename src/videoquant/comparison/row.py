"""Reducing what was seen of a scheme to its row."""

from __future__ import annotations

import numpy as np

from videoquant.axes import DenseSparse
from videoquant.comparison.layer_inputs import InputSeen, LayerInput
from videoquant.comparison.results import PredictedRanges, Row
from videoquant.comparison.seen import Seen
from videoquant.costs.bops import amortised_bops
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.tasks import Task
from videoquant.tasks.agreement import agreement_for
from videoquant.tasks.sqnr import decibels


def row_of(quantized: QuantizedNetwork, seen: Seen, task: Task | None) -> Row:
    """The row of a scheme on a clip. task: of the network that it is compared with."""
    scheme = quantized.scheme
    row = Row(str(scheme), per_frame=seen.per_frame, pictures=seen.pictures, computed=seen.computed)
    by_kind: dict[bool, list[float]] = {True: [], False: []}
    for frame, bops in zip(seen.per_frame, seen.bops, strict=True):
        by_kind[frame["key"]].append(bops)
    key, residual = (sum(bops) / len(bops) if bops else 0.0 for bops in by_kind.values())
    period = scheme.period if by_kind[False] else 1
    row.gbops_per_frame = amortised_bops(key, residual, period) / 1e9
    row.sqnr_db = _pooled(seen.sqnr)
    if task:
        agreement = agreement_for(task)
        for state in seen.agreements:
            agreement.add(state)
        row.agreement = agreement.result()
    if seen.scores:
        ((row.accuracy, row.accuracy_by_label),) = seen.scores
    layers: dict[str, list[tuple[float, float]]] = {}
    for layer, *pair in seen.layers:
        layers.setdefault(layer, []).append((pair[0], pair[1]))
    row.layer_sqnr_db = {layer: _pooled(pairs) for layer, pairs in layers.items()}
    row.layer_inputs = _inputs(quantized, seen)
    row.ranges = _ranges(seen)
    _add_shares(row, quantized, seen, len(by_kind[False]))
    if isinstance(scheme.representation, DenseSparse):
        _add_densities(row, seen, scheme.representation.density)
    return row


def _pooled(pairs: list[tuple[float, float]]) -> float:
    """Decibels of energies and of errors' energies, each added up."""
    return decibels(sum(signal for signal, _ in pairs), sum(noise for _, noise in pairs))


def _inputs(quantized: QuantizedNetwork, seen: Seen) -> dict[str, LayerInput]:
    """By layer what its quantizer saw, of which the first layer that reads there speaks."""
    by_layer: dict[str, list[InputSeen]] = {}
    for layer, one in seen.inputs:
        by_layer.setdefault(layer, []).append(one)
    at = {quantized.points[layer]: LayerInput.of(several) for layer, several in by_layer.items()}
    return {layer: at[point] for layer, point in quantized.points.items() if point in at}


def _ranges(seen: Seen) -> list[PredictedRanges]:
    found: dict[tuple[str, bool], PredictedRanges] = {}
    for layer, residual, position, average, quality, predicted, measured in seen.ranges:
        about = PredictedRanges(layer, residual, position, average, quality)
        ranges = found.setdefault((layer, residual), about)
        ranges.predicted.append(predicted)
        ranges.measured.append(measured)
    return list(found.values())


def _add_shares(row: Row, quantized: QuantizedNetwork, seen: Seen, residual_frames: int) -> None:
    """The shares of the bit-widths, by layer and over all, over the residual frames."""
    totals: dict[str, dict[int, float]] = {}
    for layer, width, share in seen.shares:
        of_layer = totals.setdefault(layer, {})
        of_layer[width] = of_layer.get(width, 0.0) + share
    row.layer_shares = {
        layer: {width: total / residual_frames for width, total in sorted(of_layer.items())}
        for layer, of_layer in totals.items()
    }
    macs = {layer: quantized.network.macs[layer] for layer in row.layer_shares}
    for layer, shares in row.layer_shares.items():
        for width, share in shares.items():
            row.shares[width] = row.shares.get(width, 0.0) + share * macs[layer] / sum(macs.values())
    row.shares = dict(sorted(row.shares.items()))


def _add_densities(row: Row, seen: Seen, requested: float) -> None:
    totals: dict[str, float] = {}
    for layer, density in seen.densities:
        totals[layer] = totals.get(layer, 0.0) + density
    row.layer_density = {layer: total / len(row.per_frame) for layer, total in totals.items()}
    # None are seen where the scheme leaves every layer in floating point.
    densities = [frame["density"] for frame in row.per_frame if "density" in frame]
    if densities:
        low, high = (float(q) for q in np.quantile(densities, (0.1, 0.9)))
        mean = sum(densities) / len(densities)
        row.density = {"requested": requested, "mean": mean, "p10": low, "p90": high}
