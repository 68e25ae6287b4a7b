"""Averaged weights."""

import torch
from torch import nn

from videoquant.training.average import averaged_copy, update_average


def test_it_follows_the_recurrence_and_copies_counters():
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    average = averaged_copy(module)
    assert not average.training and not any(p.requires_grad for p in average.parameters())
    expected = module[0].weight.detach().clone().double()
    for step in range(30):
        with torch.no_grad():
            module[0].weight.normal_()
        module[1].num_batches_tracked += 1
        update_average(average, module, 0.6, step)
        decay = min(0.6, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * module[0].weight.double()
    torch.testing.assert_close(average[0].weight.double(), expected, rtol=1e-5, atol=1e-6)
    assert int(average[1].num_batches_tracked) == 30
