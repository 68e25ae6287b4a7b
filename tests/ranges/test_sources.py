"""Where grids come from: what every source promises, and that one which nobody knows runs everywhere."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant import schemes
from videoquant.cli.inspect import ranges_text
from videoquant.engine import lower
from videoquant.errors import NetworkError
from videoquant.ranges import sources
from videoquant.ranges.estimators import MinMax, Threshold
from videoquant.ranges.grid import Grid, span
from videoquant.ranges.predictor import Predictor
from videoquant.ranges.sources import (
    RANGES,
    DynamicGrid,
    PredictedGrid,
    RangeAxis,
    StaticGrid,
    Unquantized,
    source_from_json,
)

PREDICTOR = Predictor(
    "relu", ("mean",), ((-1.0,), (1.0,)), (0.0, 0.5), (-9.0, 0.0), (0.1, 9.0), (-1.0, 1.0), 0.5
)


def made(bits, symmetric, estimator):
    limits = (-1.0, 1.0)
    return [
        StaticGrid(estimator.grid(limits, bits, symmetric)),
        DynamicGrid(estimator, bits, symmetric),
        PredictedGrid(PREDICTOR, estimator, bits, symmetric),
    ]


@pytest.mark.parametrize("estimator", [MinMax(), Threshold(0.01)])
@pytest.mark.parametrize(("bits", "symmetric"), [(8, False), (4, True), (2, False)])
def test_a_source_is_read_back_from_its_json_and_has_one_set_of_codes(bits, symmetric, estimator):
    x = np.linspace(-1, 2, 60, dtype=np.float32).reshape(1, 3, 4, 5)
    for source in made(bits, symmetric, estimator):
        assert source_from_json(source.to_json(), estimator, bits, symmetric, "file") == source
        for grid in (source.first_grid, source.grid(lambda: x, {"relu": np.array([0.25])})):
            assert (grid.low, grid.high) == span(bits, symmetric)
    none = source_from_json("unquantized", estimator, 32, symmetric, "file")
    assert none == Unquantized() and none.first_grid is none.grid(lambda: x, {}) is None


def test_each_says_when_its_grid_is_known_and_what_it_is():
    static, dynamic, predicted = made(4, False, MinMax())
    assert [s.known for s in (static, dynamic, predicted, Unquantized())] == [
        "before",
        "value",
        "features",
        "before",
    ]
    assert [s.describe() for s in (static, dynamic, predicted)] == ["static", "dynamic", "relu 0.50"]
    assert static.fixed and static.predictor is None and predicted.predictor is PREDICTOR
    assert static.grid(None, {}) == static.fixed  # it looks at nothing


@pytest.mark.parametrize("stored", ["unquantized", "measured", {"scale": 1.0}, None, [], 3])
def test_what_is_no_source_of_these_bits_is_refused(stored):
    with pytest.raises(NetworkError, match="file"):
        source_from_json(stored, MinMax(), 4, False, "file")


def test_a_grid_of_other_bits_is_refused():
    with pytest.raises(NetworkError, match="codes 0 to 15 with zero at 7; 8 bits have 0 to 255"):
        source_from_json(StaticGrid(Grid.affine(-1, 1, 4)).to_json(), MinMax(), 8, False, "file")


def test_the_words_are_those_of_the_documents():
    assert [kind.word for kind in RANGES] == ["static", "dynamic", "qpp"]


@dataclass(frozen=True)
class Sampled(RangeAxis):
    """Ranges are measured on every second row of each input."""

    word: ClassVar[str] = "sampled"
    calibrates: ClassVar[bool] = False

    def at_run_time(self, estimator, bits, symmetric):
        return SampledGrid(estimator, bits, symmetric)


@dataclass(frozen=True)
class SampledGrid(DynamicGrid):
    """The grid measured on every second row."""

    def grid(self, value, seen):
        return super().grid(lambda: value()[:, :, ::2] if value().ndim == 4 else value(), seen)

    def describe(self):
        return "sampled"

    def to_json(self):
        return "sampled"

    @classmethod
    def from_json(cls, stored, estimator, bits, symmetric, what):
        return cls(estimator, bits, symmetric) if stored == "sampled" else None


@pytest.mark.parametrize("time", [{}, {"time": vq.Residual(vq.Bits(4, 4), 2)}])
def test_a_source_that_nobody_knows_is_simulated_saved_and_run_in_integers(time, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "SOURCES", (SampledGrid, *sources.SOURCES))
    monkeypatch.setitem(schemes._KINDS, "ranges", (*RANGES, Sampled))
    scheme = vq.Scheme(ranges=Sampled(), estimator=MinMax(), **time)
    frames = moving_frames(3)
    quantized = vq.quantize(small_network(), scheme, [])
    assert str(scheme).split()[1 + 1 * bool(time)] == "sampled"
    assert {ranges_text(grids) for grids in quantized.grids.values()} == {"sampled"}
    vq.save(quantized, tmp_path / "n.vq")
    read = vq.load_quantized(tmp_path / "n.vq")
    assert read.grids == quantized.grids and read.scheme == scheme
    plan = lower(quantized)
    plan.save(tmp_path / "n.plan")
    dynamic = vq.quantize(small_network(), vq.Scheme(ranges=vq.Dynamic(), estimator=MinMax(), **time), [])
    differ = False
    streams = [quantized.stream(), read.stream(), dynamic.stream()]
    engines = [plan.stream("frame", threads=1), vq.load_plan(tmp_path / "n.plan").stream("frame", threads=1)]
    for frame in frames:
        wanted, again, other = (stream(frame) for stream in streams)
        for engine in engines:
            got = engine(frame)
            for name in wanted:
                torch.testing.assert_close(got[name], wanted[name], rtol=1e-4, atol=1e-4)
        assert all(torch.equal(wanted[name], again[name]) for name in wanted)
        differ |= any(not torch.equal(wanted[name], other[name]) for name in wanted)
    assert differ  # from what measuring all rows gives
