"""One scheme on its way through the stream: runs every frame, and reduces what it sees to a row."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from videoquant.axes import DenseSparse
from videoquant.comparison.layer_inputs import LayerInput
from videoquant.comparison.results import Comparison, PredictedRanges, Row
from videoquant.costs.bops import amortised_bops, frame_bops
from videoquant.costs.rapl import Meter
from videoquant.data.targets import Target
from videoquant.data.video import Frame
from videoquant.engine import Stream as EngineStream
from videoquant.exporting.exported_stream import ExportedStream
from videoquant.network.graph import Node
from videoquant.quantizers.placement import QuantizationPoint
from videoquant.ranges.predictor import Features
from videoquant.ranges.sources import RangeSource
from videoquant.runtime.clock import index_and_size
from videoquant.simulate.activations import as_array
from videoquant.simulate.quantized import QuantizedNetwork
from videoquant.simulate.stream import Stream
from videoquant.stopwatch import WARM_UP, settle, timed
from videoquant.tasks.agreement import Agreement
from videoquant.tasks.scoring import Score
from videoquant.tasks.sqnr import Sqnr
from videoquant.torch_settings import plain_math

AnyStream = Stream | EngineStream | ExportedStream


class Collector:
    """What is measured of one scheme, frame by frame; memory does not grow with the pictures.

    quantized, stream: the scheme, and what runs it.
    comparison: which the row is for.
    agreement, score: against fp32 and against labels; None where there is nothing to say.
    meter: of the CPU's energy, for streams that are timed: those of engines.
    """

    def __init__(
        self,
        quantized: QuantizedNetwork,
        stream: AnyStream,
        comparison: Comparison,
        agreement: Agreement | None,
        score: Score | None,
        meter: Meter | None,
    ) -> None:
        self.network, self.scheme, self.points = quantized.network, quantized.scheme, quantized.points
        self.stream = stream
        self._grids = quantized.grids
        self.row = Row(str(quantized.scheme))
        self._primary = comparison.primary
        self._agreement, self._score, self._scored = agreement, score, 0
        self._meter = meter
        self._ms: list[float] = []
        self._work: list[float] = []
        self._joules: list[float] = []
        self._sqnr = Sqnr()
        self._layers: dict[str, Sqnr] = {}
        self._bops: dict[bool, list[float]] = {True: [], False: []}
        self._shares: dict[str, dict[int, float]] = {}
        self._density: dict[str, float] = {}
        self._ranges: dict[tuple[QuantizationPoint, bool], PredictedRanges] = {}
        self._inputs: dict[QuantizationPoint, LayerInput] = {}

    def step(
        self,
        frame: Frame,
        x: Tensor,
        target: Target | None,
        reference: dict[str, Tensor],
        reference_layers: dict[str, Tensor] | None,
    ) -> dict[str, Tensor]:
        """Run one frame and measure it against the floating-point outputs, and its target if it has one.

        x: the network's input for the frame, which simulation takes.
        """
        if not isinstance(self.stream, Stream):
            output = self._run_timed(self.stream, frame)
        else:
            given = (x, *index_and_size(frame, x.shape))
            looks = (partial(self._observe, reference_layers), self._probe) if reference_layers else ()
            with plain_math():
                output = self.stream.feed(*given, *looks)
        report = self.stream.report
        bops = frame_bops(
            self.network, self.scheme, report.is_key, report.bits, report.density, report.computed
        )
        self._bops[report.is_key].append(bops)
        if self.scheme.regions is not None:
            self.row.computed.append((report.is_key, dict(report.computed)))
        for layer, point in self.points.items():
            for width, share in report.bits.get(str(point), {}).items():
                totals = self._shares.setdefault(layer, {})
                totals[width] = totals.get(width, 0.0) + share
        measured: dict[str, Any] = {
            "frame": frame.index,
            "key": report.is_key,
            "gbops": bops / 1e9,
            "sqnr_db": self._sqnr.update(reference[self._primary], output[self._primary]),
        }
        if self.points and isinstance(self.scheme.representation, DenseSparse):
            measured["density"] = self._mean_density(report.density)
            for layer, point in self.points.items():
                share = report.density.get(str(point), 0.0)
                self._density[layer] = self._density.get(layer, 0.0) + share
        if self._agreement:
            measured["agreement"] = self._agreement.update(reference, output)
        if self._score and target is not None:
            self._scored += 1
            measured["accuracy"] = self._score.update(frame.pixels, output, target)
        self.row.per_frame.append(measured)
        return output

    def _run_timed(self, stream: EngineStream | ExportedStream, frame: Frame) -> dict[str, Tensor]:
        settle()
        if self._meter:
            self._meter.joules()
        output, ms = timed(partial(stream.run, frame))
        if self._meter:
            self._joules.append(self._meter.joules())
        self._ms.append(ms)
        if isinstance(stream, EngineStream):
            self._work.append(stream.report.work_share)
        else:
            stream.count(frame)
        return output

    def _observe(self, reference: dict[str, Tensor], node: Node, y: Tensor) -> None:
        """Measure a layer's output against the floating-point one."""
        if node.name in reference:
            self._layers.setdefault(node.name, Sqnr()).update(reference[node.name], y)

    def _probe(self, point: QuantizationPoint, x: Tensor, source: RangeSource, seen: Features) -> None:
        """Note what its grid does to a value, and of a predicted range what `Dynamic` would take."""
        # A residual's source is another object than the keyframe's.
        symmetric = source is not self._grids[point].key
        is_residual = symmetric and not self._grids[point].of_frame
        held = self._inputs.setdefault(point, LayerInput())
        held.see(x, source.grid(lambda: as_array(x), seen), is_residual)
        predictor = source.predictor
        if predictor is None:
            return
        bits = point.residual if symmetric else point.key
        assert bits is not None
        ranges = self._ranges.get((point, symmetric))
        if ranges is None:
            layer = next(layer for layer, at in self.points.items() if at == point)
            average, quality = predictor.average[1], predictor.quality
            ranges = PredictedRanges(layer, symmetric, predictor.position, average, quality)
            self._ranges[point, symmetric] = ranges
        ranges.predicted.append(predictor(seen)[1])
        measured = self.scheme.range_estimator.measure(as_array(x), bits, symmetric)
        ranges.measured.append(measured[1])

    def _mean_density(self, density: Mapping[str, float]) -> float:
        """A frame's density, weighted by the MACs of the layers that see it."""
        macs, points = self.network.macs, self.points
        total = sum(macs[layer] for layer in points)
        return sum(macs[layer] * density.get(str(point), 0.0) for layer, point in points.items()) / total

    def finish(self) -> Row:
        """The row, complete."""
        row = self.row
        key, residual = (sum(b) / len(b) if b else 0.0 for b in (self._bops[True], self._bops[False]))
        period = self.scheme.period if self._bops[False] else 1
        row.gbops_per_frame = amortised_bops(key, residual, period) / 1e9
        row.sqnr_db = self._sqnr.result()
        row.agreement = self._agreement.result() if self._agreement else {}
        if self._score and self._scored:
            row.accuracy, row.accuracy_by_label = self._score.result(), self._score.per_label()
        row.layer_sqnr_db = {name: sqnr.result() for name, sqnr in self._layers.items()}
        row.layer_inputs = {
            layer: self._inputs[point] for layer, point in self.points.items() if point in self._inputs
        }
        row.layer_density = {layer: total / len(row.per_frame) for layer, total in self._density.items()}
        self._finish_shares()
        # None are seen where the scheme leaves every layer in floating point.
        densities = [frame["density"] for frame in row.per_frame if "density" in frame]
        if isinstance(self.scheme.representation, DenseSparse) and densities:
            low, high = (float(q) for q in np.quantile(densities, (0.1, 0.9)))
            requested, mean = self.scheme.representation.density, sum(densities) / len(densities)
            row.density = {"requested": requested, "mean": mean, "p10": low, "p90": high}
        row.ranges = list(self._ranges.values())
        if self._ms:
            ms = self._ms[WARM_UP:] or self._ms
            row.frames_per_second = 1e3 * len(ms) / sum(ms)
        if self._work:
            row.work_share = sum(self._work) / len(self._work)
        if self._joules:
            row.measured_mj = 1e3 * sum(self._joules) / len(self._joules)
        return row

    def _finish_shares(self) -> None:
        """The shares of the bit-widths, by layer and over all, from their sums over the residual frames."""
        row, frames = self.row, len(self._bops[False])
        row.layer_shares = {
            layer: {width: total / frames for width, total in sorted(totals.items())}
            for layer, totals in self._shares.items()
        }
        macs = {layer: self.network.macs[layer] for layer in row.layer_shares}
        for layer, shares in row.layer_shares.items():
            for width, share in shares.items():
                row.shares[width] = row.shares.get(width, 0.0) + share * macs[layer] / sum(macs.values())
        row.shares = dict(sorted(row.shares.items()))
