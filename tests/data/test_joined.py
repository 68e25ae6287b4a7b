"""Clips one after another: every frame once, in order, and a seek between two."""

import numpy as np
import pytest
from PIL import Image

import videoquant as vq
from tests.networks import small_network
from videoquant.calibration.sampling import cut
from videoquant.data.joined import JoinedClip


@pytest.fixture
def joined(tmp_path):
    for name, count in (("a", 5), ("b", 7)):
        (tmp_path / name).mkdir()
        for i in range(count):
            pixels = np.full((16, 16, 3), 10 * i + (100 if name == "b" else 0), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    return JoinedClip([vq.frames(tmp_path / "a"), vq.frames(tmp_path / "b")])


def test_frames_come_in_order_with_a_gap_between_the_clips(joined):
    read = list(joined)
    assert len(joined) == len(read) == 12 and joined.name == "a, b"
    assert [frame.pixels[0, 0, 0] for frame in read] == [*range(0, 50, 10), *range(100, 170, 10)]
    assert [frame.index for frame in read] == [joined.index_at(i) for i in range(12)]
    steps = np.diff([frame.index for frame in read])
    assert (steps[[0, 1, 2, 3, 5, 6]] == 1).all() and steps[4] > 1
    runs = cut(small_network(), read, 4)
    assert [(len(run), run.source) for run in runs] == [(4, 0), (1, 0), (4, 1), (3, 1)]


def test_a_span_may_reach_over_both(joined):
    found = list(joined.runs([range(1, 2), range(3, 8)]))
    assert [frame.pixels[0, 0, 0] for frame in found] == [10, 30, 40, 100, 110, 120]
