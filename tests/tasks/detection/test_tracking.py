import numpy as np
import pytest

from tests.tasks.detection.test_boxes import boxes
from videoquant.tasks.detection.tracking import Tracker


def person(x, y=10, score=0.9, label=0):
    return (x, y, x + 20, y + 50, score, label)


def numbers(found):
    return dict(zip(found.corners[:, 0].astype(int).tolist(), found.tracks.tolist(), strict=True))


def test_two_who_cross_stay_who_they_are():
    tracker = Tracker(0.5)
    for t in range(20):
        found = tracker.update(boxes(person(6 * t), person(120 - 6 * t, 40)))
        assert numbers(found) in ({6 * t: 1, 120 - 6 * t: 2}, {60: 2})
    assert found.corners.tolist() == boxes(person(114), person(6, 40)).corners.tolist()


def test_a_weak_box_goes_on_with_a_track_but_begins_none():
    tracker = Tracker(0.5)
    tracker.update(boxes(person(0)))
    found = tracker.update(boxes(person(2, score=0.2), person(100, score=0.2)))
    assert numbers(found) == {2: 1} and found.scores.tolist() == pytest.approx([0.2])
    assert len(tracker.update(boxes(person(4, score=0.05)))) == 0


def test_who_comes_back_within_the_memory_is_known():
    for missing, number in ((5, 1), (40, 2)):
        tracker = Tracker(0.5, memory=30)
        tracker.update(boxes(person(10)))
        for _ in range(missing):
            assert len(tracker.update(boxes())) == 0
        tracker.update(boxes(person(10)))
        assert numbers(tracker.update(boxes(person(10)))) == {10: number}


def test_what_is_seen_once_is_no_track():
    tracker = Tracker(0.5)
    tracker.update(boxes(person(0)))
    assert numbers(tracker.update(boxes(person(0), person(200)))) == {0: 1}
    assert numbers(tracker.update(boxes(person(0)))) == {0: 1}
    assert numbers(tracker.update(boxes(person(0), person(200)))) == {0: 1}
    assert numbers(tracker.update(boxes(person(0), person(200)))) == {0: 1, 200: 3}


def test_another_class_is_another_track():
    tracker = Tracker(0.5)
    tracker.update(boxes(person(0)))
    tracker.update(boxes(person(0, label=1)))
    found = tracker.update(boxes(person(0, label=1)))
    assert found.tracks.tolist() == [2] and found.classes.tolist() == [1]


def test_trackers_share_nothing_and_memory_ends():
    one, other = Tracker(0.5, memory=3), Tracker(0.5)
    random = np.random.default_rng(0)
    for _ in range(50):
        one.update(boxes(person(random.uniform(0, 1000))))
    assert len(one._tracks.numbers) < 10
    assert other.update(boxes(person(0))).tracks.tolist() == [1]
