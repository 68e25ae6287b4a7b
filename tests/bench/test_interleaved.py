"""Interleaving, warm-up, and the comparison of an engine's modes."""

from types import SimpleNamespace as Namespace

import numpy as np
import pytest
import torch

from tests.bench.standins import config
from tests.networks import small_network
from videoquant.bench.interleaved import run_interleaved
from videoquant.bench.spans import WARM_UP
from videoquant.data.video import Frame
from videoquant.tasks.agreement import Agreement


@pytest.fixture(scope="module")
def network():
    return small_network()


def frames(count):
    random = np.random.default_rng(0)
    return [Frame(random.integers(0, 256, (16, 16, 3), dtype=np.uint8), i) for i in range(count)]


def test_all_run_a_frame_before_any_runs_the_next_in_changing_order(network):
    calls = []
    names = ["a", "b", "c", "d"]
    samples = run_interleaved(
        network, [config(n, calls=calls) for n in names], frames(43), [range(43)], threads=1
    )
    turns = [calls[i : i + 4] for i in range(0, len(calls), 4)]
    assert len(turns) == 43 and all(sorted(turn) == names for turn in turns)
    for name in names:  # before each of them each of the others has run, about equally often
        before = [turn[turn.index(name) - 1] for turn in turns if turn[0] != name]
        assert set(before) == set(names) - {name}
        assert max(map(before.count, before)) < len(turns) / 2
    assert [len(one.ms) for one in samples] == [40] * 4


def test_the_first_frames_of_every_span_are_not_counted(network):
    work = tuple(range(20))
    (one,) = run_interleaved(network, [config(work=work)], frames(20), [range(8), range(50, 62)], threads=1)
    assert one.work == [*range(WARM_UP, 8), *range(8 + WARM_UP, 20)]
    assert len(one.ms) == len(one.work) and all(ms > 0 for ms in one.ms)


def test_a_clip_that_ends_early_gives_what_it_has(network):
    (one,) = run_interleaved(network, [config()], frames(6), [range(20)], threads=1)
    assert len(one.ms) == 6 - WARM_UP


def test_modes_are_compared_with_the_engines_own_frame_mode(network):
    configs = [
        config("a"),
        config("a", "exact"),
        config("a", "regions", factor=2.0000002),
        config("b"),
        config("c", "exact"),
    ]
    samples = run_interleaved(network, configs, frames(5), [range(5)], threads=1)
    assert [one.identical for one in samples] == [None, True, False, None, None]


def test_modes_that_skip_are_scored_against_their_frame_mode_on_the_frames_that_count(network, monkeypatch):
    class Gap(Agreement):
        """The mean distance of the outputs "y"."""

        gap = 0.0

        def _add(self, reference, output):
            self.gap += float((reference["y"] - output["y"]).abs().mean())
            return {}

        def _pooled(self):
            return {"gap": self.gap / self.frames}

    monkeypatch.setattr("videoquant.bench.interleaved.task_for", lambda network: object())
    monkeypatch.setattr("videoquant.bench.interleaved.agreement_for", lambda task: Gap())
    configs = [config("a"), config("a", "exact"), config("a", "regions", factor=3.0), config("b", "regions")]
    network = Namespace(
        prepare=network.prepare, preprocessing=network.preprocessing, size=network.size,
        run=lambda x, compute: {"y": x}, apply=None, becomes={}, input="x",
    )  # fmt: skip
    clip = frames(5)
    samples = run_interleaved(network, configs, clip, [range(5)], threads=1)
    mean = np.mean([float(network.prepare(frame).abs().mean()) for frame in clip[WARM_UP:]])
    assert [one.as_frame.get("gap") for one in samples] == [None, 0.0, pytest.approx(mean), None]
    assert [one.agreement["gap"] for one in samples] == pytest.approx([mean, mean, 2 * mean, mean])


def test_inputs_lie_as_each_engine_wants_them(network):
    layouts = [torch.contiguous_format, torch.channels_last]
    samples = run_interleaved(
        network, [config(layout=layout) for layout in layouts], frames(4), [range(4)], threads=1
    )
    assert len(samples[0].ms) == 1  # the stand-ins check the layout
