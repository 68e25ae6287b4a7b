"""Min–max: the extremes, and zero."""

import torch

from videoquant.ranges.estimators.minmax import MinMax


def test_minmax_is_the_extremes():
    assert MinMax().measure(torch.tensor([-1.0, 3.0]).numpy(), 8, False) == (-1, 3)
    assert MinMax().measure(torch.tensor([1.0, 3.0]).numpy(), 8, False) == (0, 3)
    assert MinMax().measure(torch.tensor([-4.0, 3.0]).numpy(), 8, True) == (-4, 4)
