"""A fit finds the chip that made the times, and the same one each time."""

from dataclasses import replace

import pytest

from tests.costs.chips import one_conv, scheme
from tests.networks import small_network
from videoquant.costs import fit
from videoquant.costs.chip import Chip
from videoquant.costs.fit import Measurement, errors, fit_chip, leave_one_out, with_parameters
from videoquant.costs.simulator import scheme_cost
from videoquant.costs.workload import workload
from videoquant.errors import ChipError


@pytest.fixture(autouse=True)
def few_starts(monkeypatch):
    monkeypatch.setattr(fit, "STARTS", 3)


START = Chip("start", "", dict.fromkeys([(8, 8), (4, 8), (8, 4), (4, 4)], 1e9), (4, 4), 1e4, 1e9)
TRUE = with_parameters(START, {"peak": 2e11, "gain": 0.5, "bandwidth": 4e9, "overhead": 1e-6})
PARAMETERS = ("peak", "gain", "bandwidth")


@pytest.fixture(scope="module")
def rows():
    works = {"conv": workload(one_conv(64, 64, size=56)), "small": workload(small_network(128))}
    return [
        Measurement(name, work, scheme(text), scheme_cost(TRUE, work, scheme(text)).ms)
        for name, work in works.items()
        for text in ("w8a8", "w4a8", "w8a4", "w4a4")
    ]


def test_gain_says_how_much_few_bits_are_faster():
    assert TRUE.peak[4, 4] == pytest.approx(2e11 * 4**0.5)
    assert TRUE.peak[8, 4] == TRUE.peak[4, 8] == pytest.approx(2e11 * 2**0.5)


def test_finds_the_chip_that_made_the_times(rows):
    start = replace(START, overhead=1e-6)
    fitted = fit_chip(start, rows, PARAMETERS)
    assert fitted.peak == pytest.approx(TRUE.peak, rel=1e-3)
    assert fitted.bandwidth == pytest.approx(TRUE.bandwidth, rel=1e-3)
    assert max(map(abs, errors(fitted, rows))) < 1e-4
    assert fit_chip(start, rows, PARAMETERS) == fitted


def test_leave_one_out_predicts_the_row_that_is_missing(rows):
    start = replace(START, overhead=1e-6)
    wrong = [replace(rows[0], ms=2 * rows[0].ms), *rows[1:]]
    assert leave_one_out(start, wrong, PARAMETERS)[0] == pytest.approx(-0.5, abs=1e-3)


def test_what_cannot_be_fitted_is_refused(rows):
    with pytest.raises(ChipError, match="2 measured times cannot fix 3 parameters"):
        fit_chip(START, rows[:2], PARAMETERS)
    with pytest.raises(ChipError, match="not above 0 ms"):
        fit_chip(START, [replace(rows[0], ms=0.0), *rows], PARAMETERS)
    with pytest.raises(ChipError, match="start has no precision for fp32"):
        fit_chip(START, [replace(rows[0], scheme=scheme("fp32")), *rows], PARAMETERS)
