"""Choose what predictors read: where ("auto:N") and which features (F-test), before they are fitted.

Both need to see the ranges of later layers, so a first walk with static ranges looks at every candidate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from videoquant.calibration.calibration_pass import CalibrationPass
from videoquant.calibration.predictors import fit_linear
from videoquant.calibration.range_fit import Array, Progress, RangeFit
from videoquant.errors import needs_extra
from videoquant.network.graph import Network
from videoquant.quantizers.placement import QuantizationPoint, layer_bits, points
from videoquant.quantizers.positions import resolve, responsible
from videoquant.ranges.features import POOL, choice, sample_size
from videoquant.ranges.sources import Predicted, Static
from videoquant.schemes import Scheme
from videoquant.simulate.parameters import FeatureSpec, LayerWeights


def survey_needed(scheme: Scheme) -> bool:
    """Whether the scheme leaves open where or what its predictors read."""
    ranges = scheme.ranges
    return isinstance(ranges, Predicted) and (ranges.automatic is not None or choice(ranges.features) is None)


def select_predictor_inputs(
    network: Network,
    scheme: Scheme,
    weights: Mapping[str, LayerWeights],
    clips: Sequence[Sequence[Tensor]],
    progress: Progress | None,
) -> dict[str, FeatureSpec]:
    """The values that a scheme's predictors read, and which features of each."""
    assert isinstance(scheme.ranges, Predicted)
    quantizers = points(network, layer_bits(network, scheme))
    automatic, count = scheme.ranges.automatic, scheme.ranges.features
    where = ("first-relu",) if automatic else scheme.ranges.positions
    positions = resolve(network, where, quantizers)
    known = choice(count)
    if not automatic and known:
        return {position: _spec(network, position, known, known) for position in positions}

    after = responsible(network, positions, quantizers)
    candidates = dict.fromkeys([*positions, *(point.value for point in after)]) if automatic else positions
    walk = CalibrationPass(
        network,
        replace(scheme, ranges=Static()),
        weights,
        RangeFit({v: _spec(network, v, known or POOL, known or POOL) for v in candidates}, per_sample=True),
    )
    walk.run(clips, progress)
    if automatic:
        positions = place(network, walk, positions[0], list(candidates), list(after), automatic)
    at = responsible(network, positions, quantizers)
    return {
        position: _spec(
            network,
            position,
            known or _selected(walk, position, at, count, residual=False),
            known or _selected(walk, position, at, count, residual=True),
        )
        for position in positions
    }


def _spec(network: Network, value: str, key: tuple[str, ...], residual: tuple[str, ...]) -> FeatureSpec:
    return FeatureSpec(key, residual, sample_size(network.shapes[value]))


def place(
    network: Network,
    walk: CalibrationPass,
    first: str,
    candidates: list[str],
    after: list[QuantizationPoint],
    count: int,
) -> tuple[str, ...]:
    """The first position and up to count − 1 more of the candidates, with the least error in all.

    The error of a placement is the sum over quantizers of the mean squared error of predicting the range from
    the last position before it, as a share of the squared average range.
    """
    order = {value: i for i, value in enumerate((network.input, *(n.name for n in network.nodes)))}
    candidates = sorted(candidates, key=order.__getitem__)
    first_reader: dict[QuantizationPoint, int] = {}
    for layer, point in walk.points.items():
        first_reader.setdefault(point, order[layer])
    # errors[c, p]: of predicting quantizer p from candidate c; infinite where c comes too late.
    errors = np.full((len(candidates), len(after)), np.inf)
    for c, value in enumerate(candidates):
        later = [p for p, point in enumerate(after) if order[value] < first_reader[point]]
        errors[c, later] = 0
        for residual in (False, True):
            known = [p for p in later if (after[p], residual) in walk.ranges]
            if known:
                ranges = [walk.ranges[after[p], residual] for p in known]
                errors[c, known] += _relative_errors(walk.features[value, residual], ranges)
    chosen = best_placement(errors, candidates.index(first), count)
    return tuple(candidates[c] for c in chosen)


def best_placement(errors: Array, first: int, count: int) -> tuple[int, ...]:
    """The candidates, `first` and at most count − 1 later ones, with the least sum of errors.

    Exact, by dynamic programming over the candidates in order.

    errors: candidates × quantizers, of predicting each quantizer from each candidate; infinite for those
    before it, which come first. A quantizer is predicted from the last chosen one with a finite error.
    """
    # Each position serves a run of quantizers: from the first that it precedes to the next position's first.
    starts = [int(np.isfinite(row).argmax()) for row in errors]
    total = np.where(np.isfinite(errors), errors, 0).cumsum(1)
    total = np.concatenate([np.zeros((len(errors), 1)), total], axis=1)
    # By the last position placed: the least error of all quantizers before its run, and all positions so far.
    reached: dict[int, tuple[float, tuple[int, ...]]] = {first: (0.0, (first,))}
    finished: list[tuple[float, tuple[int, ...]]] = []
    for _ in range(count):
        further: dict[int, tuple[float, tuple[int, ...]]] = {}
        for last, (error, chosen) in reached.items():
            before = error - total[last, starts[last]]
            finished.append((before + total[last, -1], chosen))
            for c in range(last + 1, len(errors)):
                through = before + total[last, starts[c]]
                if starts[c] >= starts[last] and (c not in further or through < further[c][0]):
                    further[c] = (through, (*chosen, c))
        reached = further
    return min(finished)[1]


def _relative_errors(features: Array, ranges: Sequence[Array]) -> Array:
    """Of predicting each quantizer's ranges, samples × 2, as a share of the squared average range."""
    sizes = np.array([float((values.mean(0) ** 2).sum()) for values in ranges])
    errors = fit_linear(features, np.concatenate(ranges, axis=1))[2].reshape(-1, 2).sum(1)
    shares: Array = np.divide(errors, sizes, out=np.zeros_like(errors), where=sizes > 0)
    return shares


def select(features: Array, ranges: Sequence[Array], count: int) -> tuple[str, ...]:
    """The `count` features of the pool that explain most of the variance of ranges, by F-test.

    features: samples × 49.
    ranges: of each quantizer, samples × 2.

    The F of one feature and one end of a range is turned into the share of variance that it explains,
    F/(F + n − 2), so that ends can be averaged.
    """
    with needs_extra("predicted ranges"):  # imported here, since it takes as long as PyTorch
        from sklearn.feature_selection import f_regression
    explained = np.zeros(len(POOL))
    varying = np.ptp(features, axis=0) > 0
    for end in np.concatenate(ranges, axis=1).T:
        if len(end) > 2 and np.ptp(end) > 0 and varying.any():
            f = f_regression(features[:, varying], end)[0]
            explained[varying] += np.where(np.isinf(f), 1.0, f / (f + len(end) - 2))
    best = sorted(np.argsort(-explained, kind="stable")[:count])
    return tuple(POOL[i] for i in best)


def _selected(
    walk: CalibrationPass, position: str, at: Mapping[QuantizationPoint, str], count: int, residual: bool
) -> tuple[str, ...]:
    """The features of a position that suit the quantizers it predicts; none where it predicts none."""
    mine = [point for point, where in at.items() if where == position]
    ranges = [walk.ranges[point, residual] for point in mine if (point, residual) in walk.ranges]
    return select(walk.features[position, residual], ranges, count) if ranges else ()
