"""Where labels beside points are placed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoquant.report.labels import Box, place


@given(st.lists(st.tuples(st.floats(100, 600), st.floats(50, 250)), min_size=1, max_size=6))
def test_labels_stay_inside(points: list[tuple[float, float]]) -> None:
    inside = Box(0, 0, 700, 300)
    places = place(points, [(60.0, 10.0)] * len(points), inside)
    assert len(places) == len(points)
    for spot in places:
        assert spot.box.overlap(inside) == pytest.approx(spot.box.area)


def test_labels_of_neighbours_do_not_overlap() -> None:
    points = [(100.0 + 9 * i, 100.0) for i in range(8)]
    places = place(points, [(90.0, 10.0)] * 8, Box(0, 0, 400, 200))
    boxes = [spot.box for spot in places]
    assert sum(a.overlap(b) for a in boxes for b in boxes if a is not b) == 0


def test_label_keeps_off_a_line() -> None:
    (spot,) = place([(50.0, 50.0)], [(30.0, 8.0)], Box(0, 0, 200, 100), [Box(50, 49, 200, 51)])
    assert spot.box.right <= 50
