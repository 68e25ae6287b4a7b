"""The line of time against work."""

import pytest

from videoquant.bench.line import fit_line


def test_a_line_comes_back():
    line = fit_line([0.1, 0.5, 0.9], [2.0, 4.0, 6.0], dense_ms=6.0)
    assert (line.fixed_ms, line.ms_per_work) == (pytest.approx(1.5), pytest.approx(5))
    assert line.fixed_share == pytest.approx(0.25) and line.r2 == pytest.approx(1)


def test_noise_lowers_r2():
    assert 0.5 < fit_line([0.1, 0.5, 0.9, 0.5], [2.0, 4.5, 6.0, 3.5], 6.0).r2 < 1


def test_work_that_does_not_differ_has_no_line():
    assert fit_line([1.0, 1.0, 1.0], [2.0, 2.1, 1.9], 2.0) is None
    assert fit_line([0.5], [2.0], 2.0) is None
