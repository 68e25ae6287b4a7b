"""One scheme on its way through the stream: runs every frame, and notes what is measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from videoquant.axes import DenseSparse
from videoquant.comparison.layer_inputs import input_seen
from videoquant.comparison.results import Row
from videoquant.comparison.row import row_of
from videoquant.comparison.seen import Seen
from videoquant.costs.bops import frame_bops
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
from videoquant.tasks import Measure, Task
from videoquant.tasks.agreement import Agreement
from videoquant.tasks.scoring import Score
from videoquant.tasks.sqnr import decibels, energies
from videoquant.torch_settings import plain_math

AnyStream = Stream | EngineStream | ExportedStream


class Collector:
    """What is measured of one scheme, frame by frame; memory does not grow with the pictures.

    quantized, stream: the scheme, and what runs it.
    primary: the output whose SQNR is measured.
    agreement, score: against fp32 and against labels; None where there is nothing to say.
    meter: of the CPU's energy, for streams that are timed: those of engines.
    """

    def __init__(
        self,
        quantized: QuantizedNetwork,
        stream: AnyStream,
        primary: str,
        agreement: Agreement | None,
        score: Score | None,
        meter: Meter | None,
    ) -> None:
        self.quantized, self.stream, self.seen = quantized, stream, Seen()
        self._primary = primary
        self._agreement, self._score, self._scored = agreement, score, 0
        self._meter = meter
        self._ms: list[float] = []
        self._work: list[float] = []
        self._joules: list[float] = []
        # The first layer that reads at each point stands for it.
        self._first = {point: layer for layer, point in reversed(quantized.points.items())}

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
        seen, report = self.seen, self.stream.report
        scheme, points = self.quantized.scheme, self.quantized.points
        of = (report.is_key, report.bits, report.density, report.computed)
        seen.bops.append(frame_bops(self.quantized.network, scheme, *of))
        if scheme.regions is not None:
            seen.computed.append((report.is_key, dict(report.computed)))
        for layer, point in points.items():
            seen.shares += [(layer, *share) for share in report.bits.get(str(point), {}).items()]
        seen.sqnr.append(energies(reference[self._primary], output[self._primary]))
        measured: dict[str, Any] = {
            "frame": frame.index,
            "key": report.is_key,
            "gbops": seen.bops[-1] / 1e9,
            "sqnr_db": decibels(*seen.sqnr[-1]),
        }
        if points and isinstance(scheme.representation, DenseSparse):
            measured["density"] = self._mean_density(report.density)
            seen.densities += [(layer, report.density.get(str(at), 0.0)) for layer, at in points.items()]
        if self._agreement:
            measured["agreement"] = self._agreement.update(reference, output)
        if self._score and target is not None:
            self._scored += 1
            measured["accuracy"] = self._score.update(frame.pixels, output, target)
        seen.per_frame.append(measured)
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
            self.seen.layers.append((node.name, *energies(reference[node.name], y)))

    def _probe(self, point: QuantizationPoint, x: Tensor, source: RangeSource, seen: Features) -> None:
        """Note what its grid does to a value, and of a predicted range what `Dynamic` would take."""
        # A residual's source is another object than the keyframe's.
        grids, layer = self.quantized.grids[point], self._first[point]
        symmetric = source is not grids.key
        grid = source.grid(lambda: as_array(x), seen)
        if grid is not None:
            self.seen.inputs.append((layer, input_seen(x, grid, symmetric and not grids.of_frame)))
        predictor = source.predictor
        if predictor is None:
            return
        bits = point.residual if symmetric else point.key
        assert bits is not None
        measured = self.quantized.scheme.range_estimator.measure(as_array(x), bits, symmetric)
        about = (layer, symmetric, predictor.position, predictor.average[1], predictor.quality)
        self.seen.ranges.append((*about, predictor(seen)[1], measured[1]))

    def _mean_density(self, density: Mapping[str, float]) -> float:
        """A frame's density, weighted by the MACs of the layers that see it."""
        macs, points = self.quantized.network.macs, self.quantized.points
        total = sum(macs[layer] for layer in points)
        return sum(macs[layer] * density.get(str(point), 0.0) for layer, point in points.items()) / total

    @property
    def accuracy(self) -> tuple[Measure, ...]:
        """What is measured against labels."""
        return self._score.measures if self._score else ()

    def end(self) -> Seen:
        """All that was seen."""
        if self._agreement:
            self.seen.agreements.append(self._agreement.state)
        if self._score and self._scored:
            self.seen.scores.append((self._score.result(), self._score.per_label()))
        return self.seen

    def finish(self, task: Task | None) -> Row:
        """The row, complete."""
        row = row_of(self.quantized, self.end(), task)
        if self._ms:
            ms = self._ms[WARM_UP:] or self._ms
            row.frames_per_second = 1e3 * len(ms) / sum(ms)
        if self._work:
            row.work_share = sum(self._work) / len(self._work)
        if self._joules:
            row.measured_mj = 1e3 * sum(self._joules) / len(self._joules)
        return row
