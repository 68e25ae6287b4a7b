"""Threads and streams: which ways there are, and what is counted of them."""

import pytest

import videoquant as vq
from tests.networks import moving_frames, small_network
from videoquant.bench import scaling
from videoquant.bench.scaling import ROUNDS, scale, ways
from videoquant.engine import lower
from videoquant.errors import DataError


@pytest.fixture(scope="module")
def plan():
    return lower(vq.quantize(small_network(), "w8a8", moving_frames(8)))


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        (1, [(1, 1), (2, 1), (4, 1), (8, 1)]),
        (2, [(1, 1), (1, 2), (2, 1), (4, 1), (8, 1)]),
        (6, [(1, 1), (1, 2), (1, 4), (1, 6), (2, 3), (4, 1), (8, 1)]),
    ],
)
def test_one_stream_takes_up_to_all_cores_and_more_share_them(cores, expected):
    assert ways(cores) == expected


def test_every_stream_takes_every_frame(plan, monkeypatch):
    taken = []
    opened = scaling.open_stream

    def counted(*given):
        stream = opened(*given)
        run = stream.run
        monkeypatch.setattr(stream, "run", lambda x: taken.append(1) or run(x))
        return stream

    monkeypatch.setattr(scaling, "open_stream", counted)
    steps = []
    found = scale(plan, "frame", moving_frames(5), 2, lambda: steps.append(1))
    assert [(one.streams, one.threads) for one in found] == ways(2)
    assert len(taken) == 5 * ROUNDS * sum(one.streams for one in found)
    assert len(steps) == ROUNDS * len(found)
    for one in found:
        assert one.frames_per_second > 0 and 0 < one.ms_median <= one.ms_p99


def test_a_frame_that_is_refused_ends_all_streams(plan):
    with pytest.raises(DataError):
        scale(plan, "frame", [*moving_frames(2), moving_frames(1, size=8)[0]], 2)
