"""How long a chip takes for a frame, layer by layer, and what energy: a roofline with state.

time     Σ over layers of max(compute, memory) + overhead
compute  MACs / (peak at the layer's bit-widths · utilisation of the array)
memory   bytes between memory and chip / bandwidth
energy   MACs · energy per MAC + bytes · energy per byte + bytes of the buffer · energy per byte of it

Weights and the state of residual schemes are read from memory once per frame, unless the buffer holds all of
both. Of an activation, what the buffer does not hold is written and read again. Where neither the weights nor
the input of a layer fit into the buffer, the smaller of both is taken in parts, and the larger is read once
for each. Parts count as fractions (1.15 buffers are 1.15 parts), so that a little more buffer is a little
faster, and a fit sees a slope.

With regions a layer computes, reads and writes a share of its pixels; one whose share is 0 does not run. What
every layer gave is held, as the state of residual schemes is: unless the buffer holds all of it, the region's
part is written to memory. Neither the gate nor the pixels around the region that windows read are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from videoquant.axes import FLOAT, DenseSparse, Residual
from videoquant.costs.bops import SPARSE_BITS
from videoquant.costs.chip import Chip, Precision, precision_text
from videoquant.costs.workload import Array, Widths, Workload
from videoquant.schemes import Scheme

ACCUMULATOR_BITS = 32  # of sums, as the key outputs of residual schemes are kept
INDEX_BITS = 16  # of where an element of the sparse part stands
Shares = Mapping[str, Mapping[int, float]]  # layer → bit-width → share of its locations
Computed = Mapping[str, float]  # layer → the share of its pixels that a frame's region took


@dataclass(frozen=True)
class FrameCost:
    """What a frame takes, by layer: every array has one number per layer, in the order they run.

    compute: seconds that the array computes.
    memory: seconds that memory moves bytes.
    seconds: the larger of the two, and the chip's overhead.
    bytes: between memory and chip.
    macs: dense ones that the array does.
    joules: NaN where the chip's energy is not known.

    All are NaN where the chip computes nothing of so many bits.
    """

    compute: Array
    memory: Array
    seconds: Array
    bytes: Array
    macs: Array
    joules: Array


@dataclass(frozen=True)
class SchemeCost:
    """A scheme on a chip, per frame, averaged over a cycle of a keyframe and its residual frames, or over the
    frames of a clip where regions say what each computed.

    ms: milliseconds, None where the chip cannot run it.
    mj: millijoules, None where its energy is not known either.
    fallbacks: bit-widths that the chip lacks, and the next higher ones that it has; None where it has none.
    """

    ms: float | None
    mj: float | None
    fallbacks: dict[Precision, Precision | None]

    @property
    def frames_per_second(self) -> float | None:
        return 1e3 / self.ms if self.ms else None


def scheme_cost(
    chip: Chip,
    work: Workload,
    scheme: Scheme,
    shares: Shares | None = None,
    density: float | None = None,
    frames: Sequence[tuple[bool, Computed]] = (),
) -> SchemeCost:
    """What a scheme takes on a chip.

    shares: of adaptive schemes, the locations at each bit-width on residual frames, by layer; a layer that is
        not in them has its nominal bits.
    density: measured, of Dense + Sparse; default the scheme's own.
    frames: with regions, of each frame whether it was a keyframe, and what was computed of it; their mean is
        what a frame takes. Default is a cycle of whole frames.
    """
    if frames:
        costs = [frame_cost(chip, work, scheme, key, shares, density, computed) for key, computed in frames]
    else:
        costs = [frame_cost(chip, work, scheme, True, density=density)]
        if scheme.period > 1:
            costs += [frame_cost(chip, work, scheme, False, shares, density)] * (scheme.period - 1)
    seconds, joules = (
        sum(float(values.sum()) for values in parts) / len(costs)
        for parts in ([c.seconds for c in costs], [c.joules for c in costs])
    )
    missing = {p: chip.precision(*p) for p in precisions(work, scheme, shares)}
    return SchemeCost(
        None if np.isnan(seconds) else seconds * 1e3,
        None if np.isnan(joules) else joules * 1e3,
        {wanted: found for wanted, found in missing.items() if wanted != found},
    )


def frame_cost(
    chip: Chip,
    work: Workload,
    scheme: Scheme,
    is_key: bool,
    shares: Shares | None = None,
    density: float | None = None,
    computed: Computed | None = None,
) -> FrameCost:
    """What one frame takes, by layer; arguments as of `scheme_cost` and `Workload.bits`.

    computed: with regions, the share of each layer's pixels; one that is not in it is computed as a whole.
    """
    weights, activations = work.bits(scheme, is_key)
    region = np.array([(computed or {}).get(name, 1.0) for name in work.names])
    rows, columns = chip.array
    utilisation = _filled(work.in_channels, rows) * _filled(work.out_channels, columns)
    seconds, joules, macs = np.zeros((3, len(work.names)))
    for width, share in _widths(work, activations, shares if shares and not is_key else {}):
        done = work.macs * region * share
        macs = macs + np.where(width > 0, done, 0)
        seconds = seconds + done * chip.seconds_per_mac(weights, width) / utilisation
        joules = joules + done * chip.joules_per_mac(weights, width)
    sparse = _density(scheme, activations, density)
    if sparse.any():
        bits = np.full_like(weights, SPARSE_BITS)
        irregular = work.macs * region * sparse * chip.sparse_cost
        seconds = seconds + irregular * chip.seconds_per_mac(bits, bits)
        joules = joules + irregular * chip.joules_per_mac(bits, bits)

    weight_bytes = work.weights * weights / 8 * (region > 0)
    input_bytes = region * work.inputs * (_moved(work, scheme) + sparse * (SPARSE_BITS + INDEX_BITS)) / 8
    output_bytes = work.outputs * scheme.bits.activations / 8
    held = output_bytes if scheme.regions else np.zeros_like(output_bytes)
    output_bytes = region * output_bytes
    smaller, larger = np.minimum(weight_bytes, input_bytes), np.maximum(weight_bytes, input_bytes)
    again = (np.maximum(smaller / chip.buffer, 1) - 1) * larger
    state = _state_bytes(work, scheme, is_key)
    unquantized = _unquantized_bytes(work, scheme, activations)
    through = [input_bytes, output_bytes, unquantized, unquantized]  # the last is written, then read
    fits = (work.weights * weights / 8 + state + held).sum() <= chip.buffer
    kept = weight_bytes + region * (state + held)  # what moves of what lives from frame to frame
    traffic = again + (0 if fits else kept) + sum(np.maximum(part - chip.buffer, 0) for part in through)
    memory = traffic / chip.bandwidth
    if chip.energy:
        on_chip = kept + again + sum(through)
        joules = joules + traffic * chip.energy.byte + on_chip * chip.energy.buffer_byte
    total = np.maximum(seconds, memory) + chip.overhead * (region > 0)  # NaN stays NaN
    return FrameCost(seconds, memory, total, traffic, macs, joules)


def precisions(work: Workload, scheme: Scheme, shares: Shares | None = None) -> list[Precision]:
    """All bit-widths that a scheme computes at, of weights and activations."""
    found: set[Precision] = set()
    for is_key in {True, scheme.period == 1}:
        weights, activations = work.bits(scheme, is_key)
        for width, share in _widths(work, activations, {} if is_key else shares or {}):
            used = (share > 0) & (width > 0)
            found |= set(zip(weights[used].tolist(), width[used].tolist(), strict=True))
        if _density(scheme, activations, None).any():
            found.add((SPARSE_BITS, SPARSE_BITS))
    return sorted(found, reverse=True)


def fallback_sentences(chip: Chip, fallbacks: Mapping[Precision, Precision | None]) -> list[str]:
    """What a chip lacks, for people: what is computed at the next higher bit-widths, and what not at all."""
    raised = [f"{precision_text(p)} as {precision_text(q)}" for p, q in fallbacks.items() if q]
    absent = [precision_text(p) for p, q in fallbacks.items() if not q]
    sentences = [f"{chip.name} computes {', '.join(raised)}: it has nothing lower."] if raised else []
    if absent:
        sentences.append(f"{chip.name} has nothing for {', '.join(absent)}: such schemes have no time on it.")
    return sentences


def _filled(channels: Array, lanes: int) -> Array:
    """The share of the lanes that do useful work, where channels are taken `lanes` at a time."""
    filled: Array = channels / (np.ceil(channels / lanes) * lanes)
    return filled


def _widths(work: Workload, activations: Widths, shares: Shares) -> list[tuple[Widths, Array]]:
    """Bit-widths of activations and the share of the locations at each, by layer; the shares add up to 1."""
    recorded = np.array([name in shares for name in work.names], bool)
    result = [(activations, np.where(recorded, 0.0, 1.0))]
    for width in sorted({width for values in shares.values() for width in values}):
        share = np.array([shares.get(name, {}).get(width, 0.0) for name in work.names])
        result.append((np.full_like(activations, width), share))
    return result


def _density(scheme: Scheme, activations: Widths, measured: float | None) -> Array:
    """The density of the sparse part, by layer: 0 where the layer has none."""
    if not isinstance(scheme.representation, DenseSparse):
        return np.zeros(len(activations))
    density = scheme.representation.density if measured is None else measured
    return np.where(activations == FLOAT, 0.0, density)


def _moved(work: Workload, scheme: Scheme) -> Widths:
    """Bits of the values that layers read. Residuals arise on the chip: what moves are whole values."""
    return work.bits(scheme, True)[1]


def _state_bytes(work: Workload, scheme: Scheme, is_key: bool) -> Array:
    """What a residual scheme reads or writes of its state: the reference and the key output."""
    time = scheme.time
    if not isinstance(time, Residual) or time.period == 1:
        return np.zeros(len(work.names))
    (key_weights, key), (weights, activations) = work.bits(scheme, True), work.bits(scheme, False)
    reference = key if time.quantized_reference else np.full_like(key, FLOAT)
    one_way = work.state_inputs * reference / 8 + work.outputs * ACCUMULATOR_BITS / 8
    quantized = np.minimum.reduce([key_weights, key, weights, activations]) < FLOAT
    both_ways = time.recurrent and not is_key  # it reads the state and writes the next
    state: Array = one_way * quantized * (2 if both_ways else 1)
    return state


def _unquantized_bytes(work: Workload, scheme: Scheme, activations: Widths) -> Array:
    """Where ranges are measured on each input: the values as sums, waiting until their range is known."""
    if scheme.ranges.calibrates:
        return np.zeros(len(work.names))
    return np.where(activations == FLOAT, 0.0, work.inputs * ACCUMULATOR_BITS / 8)
