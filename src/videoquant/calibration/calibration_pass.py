"""One walk through the network with every calibration sample at once, node by node.

At each quantizer the ranges of all samples are measured and a grid is made of them; what follows sees the
values quantized so, as it will at run time. A residual is measured the same way, at every offset 1..T − 1
from its keyframe.

Every sample is read twice at a quantizer: to measure it, and once the grid is known to quantize it. Between
that samples lie in `Samples`, since those of one value may be gigabytes. Long because all that is learnt of a
point is learnt of the same samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from videoquant.axes import FLOAT, Residual
from videoquant.calibration.ends import Ends
from videoquant.calibration.evidence import Evidence
from videoquant.calibration.frame_choice import compared_runs, frame_codes_are_better
from videoquant.calibration.layer_outputs import LayerOutputs
from videoquant.calibration.pool_choice import best_pooling
from videoquant.calibration.range_fit import Array, Progress, RangeFit, Seen, pooled
from videoquant.calibration.sample_ranges import sample_ranges, voted_ranges
from videoquant.calibration.samples import IN_MEMORY, Codes, Samples, Shelf, give_back_freed
from videoquant.errors import DataError
from videoquant.network.finite import require_finite
from videoquant.network.float_stream import FloatStream
from videoquant.network.graph import Network, Node
from videoquant.quantizers.placement import QuantizationPoint, layer_bits, points
from videoquant.ranges.grid import LARGEST, Grid
from videoquant.ranges.sources import RangeSource, StaticGrid, Unquantized
from videoquant.schemes import Scheme
from videoquant.simulate.activations import as_array, quantize_adaptive, represent
from videoquant.simulate.parameters import LayerWeights, PointGrids
from videoquant.simulate.quantized_tensor import Represented, add_to, values_of


class CalibrationPass:
    """What one walk learns.

    network, scheme: what is calibrated, and how.
    weights: the layers' codes, by name.
    fit: what makes a source of a quantizer's ranges, and the values whose features it wants for that.
    in_memory: how many bytes of samples may lie in memory at once (`samples.py`).

    After `run`, with samples frame by frame, clip after clip:

    grids: by point.
    outputs: with the biases that it corrected.
    features: by (value, on residual frames?), samples × features.
    ranges: by (point, on residual frames?), samples × 2.
    evidence: what the frames did not show.
    """

    def __init__(
        self,
        network: Network,
        scheme: Scheme,
        weights: Mapping[str, LayerWeights],
        fit: RangeFit,
        in_memory: int = IN_MEMORY,
    ) -> None:
        self.network, self.scheme, self.weights, self.fit = network, scheme, weights, fit
        self.time = scheme.time if isinstance(scheme.time, Residual) else None
        self.recurrent = self.time is not None and self.time.recurrent
        self.points = points(network, layer_bits(network, scheme))
        self.grids: dict[QuantizationPoint, PointGrids] = {}
        self.features: dict[tuple[str, bool], Array] = {}
        self.ranges: dict[tuple[QuantizationPoint, bool], Array] = {}
        self.evidence: Evidence
        self._shelf = Shelf(in_memory)
        self._frames: list[Tensor] = []
        self._clips: list[range] = []  # which of the samples belong to each clip
        self._sources: NDArray[np.int64]  # of every sample
        self._seen: list[dict[str, Array]] = []
        self._codes: dict[QuantizationPoint, Codes] = {}
        self._states: dict[str, Samples] = {}  # of every sample, until their nodes are visited
        self.outputs = LayerOutputs(network, weights, self.recurrent)
        self._waiting = Counter(self.points.values())
        # How often the samples of a value are still to be read through: by each point and by each other node.
        self._unread = Counter(
            value
            for value, _ in {
                (value, self.points.get(node.name, node.name))
                for node in network.nodes
                for value in node.inputs
            }
        )
        # Layers whose biases are corrected compare what they get with what it was before it was quantized.
        self._unread.update(node.inputs[0] for node in network.layers if self._corrects(node))

    def run(
        self,
        clips: Sequence[Sequence[Tensor]],
        progress: Progress | None,
        sources: Sequence[int] | None = None,
    ) -> None:
        """Visit every node once; each clip begins with a keyframe. The graph's values are `Samples`.

        Of a network with states, the last frames of a clip are samples, as many as a cycle has; those before
        lead to them.
        sources: of each clip, the number of what it is from; the same for all where that is not given.
        Raises `DataError` where a quantizer meets NaN or infinity.
        """
        if self.network.states:
            clips = self._settle(clips)
        self._frames = [frame for clip in clips for frame in clip]
        ends = np.cumsum([len(clip) for clip in clips]).tolist()
        self._clips = [range(end - len(clip), end) for end, clip in zip(ends, clips, strict=True)]
        self._sources = np.repeat(sources or [0] * len(clips), [len(clip) for clip in clips])
        self._seen = [{} for _ in self._frames]
        self.evidence = Evidence(clips, self.network.preprocessing, self.recurrent)
        self.evidence.overflowed = self.outputs.overflowed

        def compute(node: Node, inputs: list[Samples]) -> Samples:
            if progress:
                progress()
            if node.name in self._states:
                found = self._states.pop(node.name)
                return self._kept(node.name, (found.take(i) for i in range(len(self._seen))))
            if node.name in self.points:
                (x,) = inputs
                inputs.clear()  # so that this node's samples go where it is the last that reads them
                return self._kept(node.name, self._layer(node, x))
            read_once = dict(zip(node.inputs, inputs, strict=True))  # x · x reads x once
            read = {name: self._reader(name, value) for name, value in read_once.items()}
            return self._kept(
                node.name,
                (
                    self.network.apply(node, [sample[name] for name in node.inputs])
                    for sample in ({name: at(i) for name, at in read.items()} for i in range(len(self._seen)))
                ),
            )

        with torch.no_grad():
            self.network.run(self._kept(self.network.input, iter(self._frames)), compute)

    def _settle(self, clips: Sequence[Sequence[Tensor]]) -> list[Sequence[Tensor]]:
        """The samples of each clip. Their states are what the floating-point network has by then."""
        self._states = {state: self._shelf.samples() for state in self.network.states}
        nodes = {node.name: node for node in self.network.nodes}
        for clip in clips:
            stream = FloatStream(self.network)
            for at, x in enumerate(clip, start=self.scheme.period - len(clip)):
                if at >= 0 or len(clip) < self.scheme.period:
                    for state, found in self._states.items():
                        known = stream.states.get(state)
                        found.append(self.network.apply(nodes[state], [x]) if known is None else known)
                if at < self.scheme.period - 1:
                    with torch.no_grad():
                        stream.feed(x)
        return [clip[-self.scheme.period :] for clip in clips]

    def _kept(self, value: str, tensors: Iterable[Tensor]) -> Samples:
        """Keep the samples of a value, and take its features as a stream takes them frame by frame."""
        kept, watched = self._shelf.samples(), self.fit.watched.get(value)
        taken: dict[bool, list[Array]] = {False: [], True: []}
        source = iter(tensors)
        for clip in self._clips:
            reference: Tensor | None = None
            for i in clip:
                x = next(source)
                if value == self.network.input:
                    kept.hold(x)
                else:
                    kept.append(x)
                if watched is not None:
                    self._seen[i][value] = watched.extract(x, reference)
                    taken[reference is not None].append(self._seen[i][value])
                    if reference is None or self.recurrent:
                        reference = x
        for is_residual, rows in taken.items():
            if rows:
                self.features[value, is_residual] = np.array(rows)
        give_back_freed()
        return kept

    def _reader(self, value: str, samples: Samples) -> Callable[[int], Tensor]:
        """How samples are read for the last time by the node or point in hand; then nothing holds them."""
        self._unread[value] -= 1
        # The input's samples are the caller's: nothing would be gained.
        is_last = not self._unread[value] and value != self.network.input
        return samples.take if is_last else samples.__getitem__

    def _layer(self, node: Node, x: Samples) -> Iterator[Tensor]:
        """The outputs of a layer, sample by sample."""
        point = self.points[node.name]
        if point not in self._codes:
            self._codes[point] = self._learn(point, x)
        codes, grids = self._codes[point], self.grids[point]
        if self._corrects(node):
            read_raw = self._reader(point.value, x)
            self.outputs.correct(node, ((read_raw(clip[0]), codes[clip[0]]) for clip in self._clips))
        self._waiting[point] -= 1
        read = codes.__getitem__
        if not self._waiting[point]:
            read = codes.take
            del self._codes[point]
        for clip in self._clips:
            yield from self.outputs.of_clip(node, (read(i) for i in clip), grids.of_frame)

    def _corrects(self, node: Node) -> bool:
        # Residuals are taken from the quantized keyframe and repair its shift themselves.
        return self.scheme.bias_correction and self.scheme.period == 1 and node.name in self.points

    def _learn(self, point: QuantizationPoint, x: Samples) -> Codes:
        """Find a point's grids; return what they make of x: keyframes quantized, residuals likewise."""
        key = self._key_source(point, x)
        if self.time is None:
            self.grids[point] = PointGrids(key)
        elif max(map(len, self._clips)) == 1:
            self.grids[point] = PointGrids(key, Unquantized())
        else:
            self.grids[point] = self._residual_grids(point, x, key)
        codes, read = Codes(self._shelf), self._reader(point.value, x)
        for clip in self._clips:
            for x_hat in self._represented(point, read, self.grids[point], clip):
                codes.append(x_hat)
        return codes

    def _represented(
        self, point: QuantizationPoint, read: Callable[[int], Tensor], grids: PointGrids, clip: Sequence[int]
    ) -> Iterator[Represented]:
        """What a point's grids make of a keyframe and the frames after it."""
        reference, k = self._reference(read(clip[0]), clip[0], grids.key)
        yield k
        for i in clip[1:]:
            assert grids.residual is not None
            value = read(i) if grids.of_frame else read(i) - reference
            grid = grids.residual.grid(partial(as_array, value), self._seen[i])
            if grids.of_frame:
                yield represent(value, grid, self.scheme.representation)[0]
                continue
            x_hat = self._quantized(point, value, grid)
            if self.recurrent:
                reference = add_to(reference, x_hat)
            yield x_hat

    def _residual_grids(self, point: QuantizationPoint, x: Samples, key: RangeSource) -> PointGrids:
        """A point's grids of a residual scheme: of differences, or the frame's own where those are better."""
        grids = PointGrids(key, self._residual_source(point, x, key))
        if point.residual == FLOAT or point in self.evidence.still or not self._takes_frame_codes:
            return grids
        assert point.residual is not None
        frames = [i for clip in self._clips for i in clip[1:]]
        ranges = self._measured(point, ((i, x[i]) for i in frames), point.residual, symmetric=False)
        limits = pooled(ranges, self.scheme.pooling_of(point.residual), self._sources[frames])
        if limits[0] == limits[1]:
            return grids
        grid = self.scheme.range_estimator.grid(limits, point.residual, False)
        own = PointGrids(key, StaticGrid(grid), of_frame=True)
        runs = compared_runs(self._clips, self.recurrent)
        layers = self._layers_at(point)
        if self.scheme.bias_correction:
            for node in layers:
                looked_at = (x[i] for run in runs for i in run[1:])
                samples = ((y, represent(y, grid, self.scheme.representation)[0]) for y in looked_at)
                self.outputs.correct(node, samples, residual=True)
        codes = partial(self._represented, point, x.__getitem__)
        if frame_codes_are_better(
            self.outputs, layers, x.__getitem__, runs, partial(codes, grids), partial(codes, own)
        ):
            return own
        for node in layers:
            self.outputs.residual_biases.pop(node.name, None)
        return grids

    @property
    def _takes_frame_codes(self) -> bool:
        return self.time is not None and self.time.frame_codes and not self.evidence.blank

    def _reference(self, first: Tensor, index: int, key: RangeSource) -> tuple[Tensor, Represented]:
        """What residuals are taken from, and the quantized keyframe."""
        k, _ = represent(
            first, key.grid(lambda: as_array(first), self._seen[index]), self.scheme.representation
        )
        exact = self.time is not None and not self.time.quantized_reference
        return (first if exact else values_of(k)), k

    def _quantized(self, point: QuantizationPoint, residual: Tensor, grid: Grid | None) -> Represented:
        assert self.time is not None and point.residual is not None
        if self.time.adaptive:
            return quantize_adaptive(residual, grid, point.residual, self.time.tolerance)[0]
        return represent(residual, grid, self.scheme.representation)[0]

    def _key_source(self, point: QuantizationPoint, x: Samples) -> RangeSource:
        """Where a point's grids of keyframes come from (of all frames, without a time axis)."""
        if point.key == FLOAT:
            return Unquantized()
        firsts = ((clip[0], x[clip[0]]) for clip in self._clips)
        ranges = self.ranges[point, False] = self._measured(point, firsts, point.key, symmetric=False)
        samples = [clip[0] for clip in self._clips]
        shown = np.full(len(ranges), True)
        seen = self._at(point, ranges, samples, shown, point.key, symmetric=False)
        if seen.pooling == "by-layers":
            pooling = best_pooling(
                self.outputs, self._layers_at(point), x, samples, seen, self.scheme, self._ends
            )
            seen = replace(seen, pooling=pooling)
        return self.fit.source(seen)

    @cached_property
    def _ends(self) -> Ends:
        """The ends of the network; with states none, since those would be of other frames."""
        ends = Ends(self.network, () if self.network.states else self.points)
        ends.learn(self._frames, self._shelf)
        return ends

    def _layers_at(self, point: QuantizationPoint) -> list[Node]:
        """The layers that read a point."""
        return [node for node in self.network.layers if self.points.get(node.name) == point]

    def _residual_source(self, point: QuantizationPoint, x: Samples, key: RangeSource) -> RangeSource:
        """Where a point's grids of residuals come from; where nothing moves, from the range of frames."""
        bits = point.residual
        assert bits is not None
        if bits == FLOAT:
            return Unquantized()
        ranges = self.ranges[point, True] = self._residual_ranges(point, x, key, bits)
        later = [(i, i - 1 if self.recurrent else clip[0]) for clip in self._clips for i in clip[1:]]
        shown = np.array([self.evidence.moves[i] for i, _ in later])
        # A value that is the same in frames that move, such as a clamp's, shows nothing either.
        if not any(moves and not torch.equal(x[i], x[j]) for (i, j), moves in zip(later, shown, strict=True)):
            self.evidence.still.append(point)
            ranges = self._measured(point, ((i, x[i]) for i, _ in later), bits, symmetric=True)
            shown = np.full(len(ranges), True)
            samples = [i for i, _ in later]
            return self.fit.fixed(self._at(point, ranges, samples, shown, bits, symmetric=True))
        return self.fit.source(self._at(point, ranges, [i for i, _ in later], shown, bits, symmetric=True))

    def _residual_ranges(self, point: QuantizationPoint, x: Samples, key: RangeSource, bits: int) -> Array:
        """The range of each residual; where the frame has a vote and one will do, the same for all."""
        if not self.scheme.range_estimator.votes_for_frame:
            return self._measured(point, self._residuals(x, key), bits, symmetric=True)
        checked = partial(self._checked, point)
        return voted_ranges(
            lambda: ((d, x[i]) for i, d in checked(self._residuals(x, key))), bits, self.fit.per_sample
        )

    def _residuals(self, x: Samples, key: RangeSource) -> Iterator[tuple[int, Tensor]]:
        """The residuals that ranges are learnt from, and of which samples."""
        for clip in self._clips:
            reference, _ = self._reference(x[clip[0]], clip[0], key)
            for i in clip[1:]:
                frame = x[i]
                yield i, frame - reference
                if self.recurrent:
                    reference = frame  # for its reconstruction, which is not known before the grid is

    def _at(
        self,
        point: QuantizationPoint,
        ranges: Array,
        samples: Sequence[int],
        shown: NDArray[np.bool_],
        bits: int,
        symmetric: bool,
    ) -> Seen:
        """What the fit is told of a point. samples: which ones the ranges are of."""
        features = {value: rows for (value, residual), rows in self.features.items() if residual == symmetric}
        pooling = self.scheme.pooling_of(bits)
        estimator = self.scheme.range_estimator
        sources = self._sources[list(samples)]
        return Seen(
            point, estimator, bits, symmetric, ranges, sources, pooling, shown, features, self.evidence
        )

    def _measured(
        self, point: QuantizationPoint, samples: Iterable[tuple[int, Tensor]], bits: int, symmetric: bool
    ) -> Array:
        """The range of each sample, or for each that of all together: samples × 2."""
        arrays = (as_array(sample) for _, sample in self._checked(point, samples))
        ranges = sample_ranges(arrays, self.scheme, bits, symmetric, len(self._frames))
        if not (np.abs(ranges) <= LARGEST).all():  # NaN is not either
            raise DataError(
                f"{self.network.name}: the values of {point.value!r} are so large that {self.scheme} finds "
                "no range for them that is finite; choose minmax, or mend the network"
            )
        return ranges

    def _checked(
        self, point: QuantizationPoint, samples: Iterable[tuple[int, Tensor]]
    ) -> Iterator[tuple[int, Tensor]]:
        """The same samples. Raises `DataError` at one that holds NaN or infinity."""
        for i, sample in samples:
            which = f"calibration frame {i + 1} of {len(self._frames)}"
            require_finite(sample, self.network, point.value, self._frames[i], which)
            yield i, sample
