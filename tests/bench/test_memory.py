"""Peak memory of a process of its own."""

from functools import partial

import pytest
import torch

from tests.bench.standins import Hoarder, config
from videoquant.bench.engine_config import Prepared
from videoquant.bench.memory import STATUS, peak_memory_mb


@pytest.mark.skipif(not STATUS.exists(), reason="the peak is read from Linux's /proc")
def test_what_is_given_back_counts_and_what_the_parent_holds_does_not():
    held = torch.ones(200 * 2**18)  # 200 MB
    peak = peak_memory_mb(config(open_it=partial(Hoarder, 64)), [Prepared(torch.zeros(1, 3, 4, 4))], 1)
    assert 60 < peak < 100 and held[0] == 1
