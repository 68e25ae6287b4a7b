"""From unlabelled clips to a quantized network (method: Ranges)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from videoquant.axes import FLOAT, Residual
from videoquant.calibration.bias_choice import better_biased
from videoquant.calibration.by_outputs import CANDIDATES, closest
from videoquant.calibration.calibration_pass import CalibrationPass
from videoquant.calibration.equalize import equalized
from videoquant.calibration.evidence import Evidence, warn
from videoquant.calibration.frame_choice import residuals_are_closer
from videoquant.calibration.predicted_fit import PredictedFit
from videoquant.calibration.range_fit import Progress, RangeFit
from videoquant.calibration.sampling import Run, run_length, source_of
from videoquant.calibration.unmeasured import unmeasured
from videoquant.errors import DataError, ran_out_of_memory
from videoquant.network.graph import Network, Node
from videoquant.quantizers.placement import LayerBits, layer_bits, points
from videoquant.quantizers.weights import WeightCodes, quantize_weights
from videoquant.ranges.sources import Predicted, RangeAxis, RangeSource, Static, Unquantized
from videoquant.regions.gate import check_blocks
from videoquant.schemes import Scheme
from videoquant.simulate.parameters import LayerWeights, PointGrids, check_states
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.torch_settings import plain_math

# What learns each kind of ranges. Those that calibrate nothing are not here.
FITS: dict[type[RangeAxis], type[RangeFit]] = {Static: RangeFit, Predicted: PredictedFit}


@plain_math()
def calibrate(
    network: Network, scheme: Scheme, clips: Sequence[Sequence[Tensor]], progress: Progress | None = None
) -> QuantizedNetwork:
    """Learn a scheme's parameters from clips.

    clips: consecutive inputs N×C×H×W of the network, each clip beginning with a keyframe; frames past the
    scheme's period are ignored by residual schemes and are samples like any other without a time axis. Of a
    network with states the last frame of a clip is a sample, or its last frames for a residual scheme; the
    floating-point network finds its states in those before. Where they are from several clips
    (`sampling.Run`), ranges hold what each of these needs.
    progress: called once per node of the network and walk (`walks`).
    Raises `SchemeError` for a position that is not in the network, for regions of which the input is one
    block and for regions of a network with states, `DataError` where there is too little to learn from, where
    a quantizer meets NaN or infinity, and where memory does not suffice. Warns once (`CalibrationWarning`)
    where frames do not show what ranges must cover: how many quantizers that concerns and what stands in
    (`evidence.py`).
    """
    quantized, shortcomings = learn(network, scheme, clips, progress)
    if shortcomings:
        warn(shortcomings)
    return quantized


def learn(
    network: Network, scheme: Scheme, clips: Sequence[Sequence[Tensor]], progress: Progress | None = None
) -> tuple[QuantizedNetwork, str]:
    """What `calibrate` gives, and what it warns of, else nothing."""
    check_states(network, scheme)
    if scheme.regions is not None:
        check_blocks(scheme.regions, network.size)
    bits = layer_bits(network, scheme)
    if not scheme.ranges.calibrates or all(layer.is_float for layer in bits.values()):
        grids = {
            point: PointGrids(
                _at_run_time(scheme, point.key, symmetric=False),
                None if point.residual is None else _at_run_time(scheme, point.residual, symmetric=True),
            )
            for point in points(network, bits).values()
        }
        return QuantizedNetwork(network, scheme, layer_weights(network, scheme), grids), ""
    runs = _runs(network, scheme, clips)
    if not runs:
        needed = "2 consecutive frames" if scheme.period > 1 else "1 frame"
        raise DataError(
            f"{scheme}: calibration needs at least {needed}; got {sum(map(len, clips)) or 'none'}"
        )
    steps = _Steps(progress, walks(scheme) * len(network.nodes))
    forms: dict[bool, tuple[Network, dict[str, LayerWeights]]] = {}  # with equalized channels, and without

    def learnt(tried: Scheme) -> tuple[QuantizedNetwork, Evidence]:
        if tried.equalize not in forms:
            form = equalized(network, runs, _activation_bits(network, tried)) if tried.equalize else network
            forms[tried.equalize] = form, layer_weights(form, tried)
        return _learnt(*forms[tried.equalize], tried, runs, steps)

    try:
        quantized, evidence = closest(network, scheme, runs, learnt) if scheme.by_outputs else learnt(scheme)
        if any(grids.of_frame for grids in quantized.grids.values()):
            residual, of_residual = learnt(_always_residual(scheme))
            if residuals_are_closer(residual, quantized, network, runs):
                quantized = QuantizedNetwork(residual.network, scheme, residual.weights, residual.grids)
                evidence = of_residual
        steps.end()
        evidence.unmeasured = unmeasured(network, [run[0] for run in runs])
    except Exception as error:
        if not ran_out_of_memory(error):
            raise
        raise DataError(
            f"{scheme}: calibration on {sum(map(len, runs))} frames of {network.name} needs more memory "
            "than there is; give fewer frames, or a smaller input"
        ) from None
    return quantized, evidence.shortcomings(scheme, len(quantized.grids))


def _runs(network: Network, scheme: Scheme, clips: Sequence[Sequence[Tensor]]) -> list[Run]:
    """The runs that a scheme is learnt from; each knows which of several clips it is from."""
    if scheme.period > 1:
        length = run_length(network, scheme)
        return [Run(source_of(clip), clip[:length]) for clip in clips if len(clip) > 1]
    if network.states:
        return [Run(source_of(clip), clip) for clip in clips]
    return [Run(source_of(clip), [frame]) for clip in clips for frame in clip]


def _learnt(
    network: Network,
    weights: dict[str, LayerWeights],
    scheme: Scheme,
    runs: Sequence[Run],
    progress: Progress,
) -> tuple[QuantizedNetwork, Evidence]:
    """One calibration, and what the frames did not show in it."""
    fit = FITS[type(scheme.ranges)].prepared(network, scheme, weights, runs, progress)
    walk = CalibrationPass(network, scheme, weights, fit)
    walk.run(runs, progress, [run.source for run in runs])
    return fit.checked(better_biased(walk, runs), runs), walk.evidence


class _Steps:
    """Calls `progress` `count` times, however many nodes were visited."""

    def __init__(self, progress: Progress | None, count: int) -> None:
        self.progress, self.left = progress, count if progress else 0

    def __call__(self) -> None:
        if self.progress and self.left:
            self.left -= 1
            self.progress()

    def end(self) -> None:
        for _ in range(self.left):
            self()


def _always_residual(scheme: Scheme) -> Scheme:
    assert isinstance(scheme.time, Residual)
    return replace(scheme, time=replace(scheme.time, frame_codes=False))


def walks(scheme: Scheme) -> int:
    """How many times calibration goes through the network at most, calling `progress` at each node."""
    if scheme.is_float or not scheme.ranges.calibrates:
        return 0
    once = 1 + FITS[type(scheme.ranges)].walks(scheme)
    chooses = isinstance(scheme.time, Residual) and scheme.time.frame_codes
    return CANDIDATES if scheme.by_outputs else once * (1 + chooses)


def layer_weights(network: Network, scheme: Scheme) -> dict[str, LayerWeights]:
    """The quantized weights of every layer that is not left in floating point, by its name."""
    bits = layer_bits(network, scheme)
    return {
        node.name: _layer_weights(network, scheme, node, bits[node.name])
        for node in network.layers
        if not bits[node.name].is_float
    }


def _activation_bits(network: Network, scheme: Scheme) -> dict[str, int]:
    """The bits of what each quantized layer reads, in most frames."""
    found = {name: bits.residual or bits.key for name, bits in layer_bits(network, scheme).items()}
    return {name: bits.activations for name, bits in found.items() if bits.activations != FLOAT}


def _at_run_time(scheme: Scheme, bits: int, symmetric: bool) -> RangeSource:
    if bits == FLOAT or scheme.ranges.calibrates:
        return Unquantized()
    return scheme.ranges.at_run_time(scheme.range_estimator, bits, symmetric)


def _layer_weights(network: Network, scheme: Scheme, node: Node, bits: LayerBits) -> LayerWeights:
    weight = network.tensors[f"{node.name}.weight"]

    def codes(width: int) -> WeightCodes | None:
        if width == FLOAT:
            return None
        return quantize_weights(weight, node, width, scheme.weights, scheme.estimator)

    key = codes(bits.key.weights)
    if bits.residual is None:
        return LayerWeights(key)
    same = bits.residual.weights == bits.key.weights
    return LayerWeights(key, key if same else codes(bits.residual.weights))
