"""The line of time against work."""

import pytest

from videoquant.bench.line import fit_line


def test_a_line_comes_back():
    line = fit_line([0.1, 0.5, 0.9], [2.0, 4.0, 6.0], dense_ms=6.0)
    assert (line.fixed_ms, line.ms_per_work) == (pytest.approx(1.5), pytest.approx(5))
    assert line.fixed_share == pytest.approx(0.25) and line.scatter == pytest.approx(0)


def test_interrupted_frames_do_not_bend_it():
    work = [0.1 * i for i in range(10)]
    ms = [1 + 5 * share for share in work]
    ms[8] = 60.0
    line = fit_line(work, ms, dense_ms=6.0)
    assert (line.fixed_ms, line.ms_per_work) == (pytest.approx(1), pytest.approx(5))


def test_scatter_is_the_usual_distance_from_it():
    work = [0.2, 0.2, 0.8, 0.8]
    line = fit_line(work, [1.4, 1.6, 4.4, 4.6], dense_ms=5.0)
    assert line.scatter == pytest.approx(0.1 / 5)


def test_work_that_does_not_differ_has_no_line():
    assert fit_line([1.0, 1.0, 1.0], [2.0, 2.1, 1.9], 2.0) is None
    assert fit_line([0.5], [2.0], 2.0) is None
