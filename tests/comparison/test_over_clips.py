"""A row over clips is the mean of those of the clips."""

import pytest

from videoquant.comparison import Row
from videoquant.comparison.over_clips import over_clips


def row(sqnr, agreement, frames, **more):
    per_frame = [{"frame": i, "sqnr_db": sqnr} for i in range(frames)]
    return Row("w8a8", 3.0, sqnr, agreement, per_frame=per_frame, **more)


def test_every_clip_counts_the_same():
    merged = over_clips(
        {
            "long": row(20.0, {"f1": 0.9}, 50, shares={4: 0.5, 8: 0.5}, frames_per_second=10.0),
            "short": row(10.0, {"f1": 0.5}, 2, shares={8: 1.0}, frames_per_second=40.0),
        }
    )
    assert merged.sqnr_db == 15.0 and merged.agreement == {"f1": 0.7} and merged.gbops_per_frame == 3.0
    assert merged.frames_per_second == pytest.approx(16.0)  # 62.5 ms in the mean
    assert [frame["clip"] for frame in merged.per_frame] == ["long"] * 50 + ["short"] * 2
    assert list(merged.clips) == ["long", "short"] and merged.clips["short"].sqnr_db == 10.0


def test_a_clip_that_shows_nothing_has_no_vote():
    merged = over_clips({"empty": row(20.0, {}, 3), "people": row(20.0, {"f1": 0.8}, 3)})
    assert merged.agreement == {"f1": 0.8}
    assert over_clips({"a": row(1.0, {}, 1), "b": row(2.0, {}, 1)}).agreement == {}


def test_labels_that_one_clip_lacks():
    merged = over_clips(
        {
            "a": row(1.0, {}, 1, accuracy_by_label={"car": 0.4, "bus": None, "tram": None}),
            "b": row(1.0, {}, 1, accuracy_by_label={"car": 0.6, "bus": 0.5, "tram": None}),
        }
    )
    assert merged.accuracy_by_label == {"car": 0.5, "bus": 0.5, "tram": None}
