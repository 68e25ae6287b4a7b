"""What every range estimator promises, and how schemes name them."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from videoquant.errors import MissingExtraError
from videoquant.ranges.estimators import (
    ACIQ,
    ESTIMATORS,
    MSE,
    LeastPower,
    MinMax,
    Quantile,
    Threshold,
    base,
)
from videoquant.schemes import Scheme

NAMED = [kind() for kind in ESTIMATORS]
tensors = st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=200).map(torch.tensor)


@given(tensors, st.sampled_from(NAMED), st.integers(2, 8), st.booleans())
def test_a_range_holds_zero_and_stays_within_the_extremes(x, estimator, bits, symmetric):
    a, b = estimator.measure(x.numpy(), bits, symmetric)
    largest = float(x.abs().max()) * (1 + 1e-5)
    assert -largest <= a <= 0 <= b <= largest
    if symmetric:
        assert a == -b
    if float(x.min()) >= 0 and not symmetric:
        assert a == 0


@pytest.mark.parametrize("estimator", [*NAMED, Quantile(0.99), Threshold(0.02)])
def test_the_memory_layout_changes_nothing(estimator):
    x = torch.randn(1, 24, 90, 100, generator=torch.Generator().manual_seed(0))
    last = x.contiguous(memory_format=torch.channels_last)
    assert estimator.measure(x.numpy(), 4, False) == pytest.approx(
        estimator.measure(last.numpy(), 4, False), rel=1e-6
    )


@pytest.mark.parametrize("estimator", NAMED)
@pytest.mark.parametrize("x", [torch.zeros(10), torch.ones(10), -torch.ones(10), torch.ones(1)])
def test_constant_tensors_give_finite_ranges(estimator, x):
    for symmetric in (False, True):
        a, b = estimator.measure(x.numpy(), 4, symmetric)
        assert a <= 0 <= b and torch.isfinite(torch.tensor([a, b])).all()


@pytest.mark.parametrize("estimator", [*NAMED, Quantile(0.9)], ids=str)
def test_a_scheme_names_it_in_text_and_json(estimator):
    scheme = Scheme(estimator=estimator)
    assert Scheme.parse(str(scheme)) == Scheme.from_dict(scheme.to_dict()) == scheme
    # The word mse is least squares as it was before it had ways to pool.
    pooling = "mean" if estimator == MSE() else None
    assert Scheme.parse(f"w8a8 {estimator}") == replace(scheme, pooling=pooling)


def test_words_and_the_default_are_those_of_the_documents():
    assert [kind.word for kind in ESTIMATORS] == ["mse", "by-width", "minmax", "aciq", "quantile", "lp"]
    assert Scheme().estimator == ESTIMATORS[0]() == MSE()
    assert Scheme.parse("w4a4 ds=2%").range_estimator == Threshold(0.02)


@pytest.mark.parametrize("estimator", [MSE(), ACIQ(), LeastPower(3)], ids=str)
def test_those_that_need_pytorch_say_so_where_it_is_missing(estimator, monkeypatch):
    estimator.require()
    monkeypatch.setattr(base, "import_module", _without_torch)
    for measure in (estimator.require, lambda: estimator.measure(np.ones(3, np.float32), 4, False)):
        with pytest.raises(MissingExtraError, match=f"^measuring ranges by {estimator} needs torch"):
            measure()
    MinMax().require()


def _without_torch(name):
    raise ModuleNotFoundError(f"No module named 'torch', which {name} imports", name="torch")


def test_grids_estimators_sources_and_schemes_need_no_pytorch():
    modules = "grid, features, predictor, estimators, sources"
    code = (
        f"import sys, videoquant.schemes; from videoquant.ranges import {modules}; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
